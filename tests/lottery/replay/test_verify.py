"""What a file says of itself is checked; each kind of falsehood is found by the check that is meant for it."""

import json

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, equal_bytes, find
from tests.lottery.networks import Counting, plain
from tests.lottery.replay.test_replay import MODES
from tinyticket.errors import InputError
from tinyticket.lottery.replay.verify import verify
from tinyticket.store import summary

NUMBERED, DISTINCT, DRAWN, COMPLETE, REWIND, COUNTS, HISTORY, SCALARS, PLANNED, NESTED, FOLLOW, CONTROLS = range(12)
START, REWOUND, END, SPECIFIED, CONSISTENT, NAMED, DATA_AS_DESCRIBED, DIGESTS = range(12, 20)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_files_of_every_mode_pass(mode):
    others = "reinit,random" if "method" in mode else "reinit,random,inverted"
    checks = verify(find(controls=others, **mode), data=DATA)
    assert [(check.what, check.failures) for check in checks if check.failures] == []
    unchecked = [i for i, check in enumerate(checks) if not check.checked]
    expected = [PLANNED] if mode.get("method") == "supermask" else []
    expected += [NESTED] if "one_shot" in mode else []
    expected += [FOLLOW] if mode.keys() & {"gradual", "criterion", "method"} else []
    assert unchecked == expected + ([REWOUND] if "rewind_to" not in mode or "rewind" in mode else [])
    assert all(checks[i].reason for i in unchecked)


def test_without_the_data_set_all_but_the_accuracies_is_checked(small):
    checks = verify(small)
    assert [i for i, check in enumerate(checks) if check.standing == "not checked"] == [
        START,
        REWOUND,
        END,
        DATA_AS_DESCRIBED,
    ]
    assert "clusters" in checks[END].reason


def test_a_network_of_ones_own_is_checked_as_far_as_it_goes():
    result = find(lambda rng: Counting(rng), rounds=1)
    unchecked = [i for i, check in enumerate(verify(result, data=DATA)) if not check.checked]
    assert unchecked == [DRAWN, PLANNED, FOLLOW, START, REWOUND, END, NAMED]
    checks = verify(result, data=DATA, model=lambda rng: Counting(rng))
    assert [i for i, check in enumerate(checks) if check.standing != "passed"] == [REWOUND, NAMED]


def attribute(name, value):
    def change(group):
        group.attrs[name] = value

    return change


def flip_masks(group):
    """Exchange a survivor and a pruned weight, and the survivors' values with them."""
    packed = group["mask/fc1.weight"][()]
    bits = np.unpackbits(packed)
    one, zero = np.flatnonzero(bits)[0], np.flatnonzero(bits[:192] == 0)[0]
    bits[[one, zero]] = 0, 1
    group["mask/fc1.weight"][...] = np.packbits(bits)


def shorten(group):
    values = group["trained/fc1.weight"][:-1]
    del group["trained/fc1.weight"]
    group["trained"].create_dataset("fc1.weight", data=values)


def worse_history(group):
    table = group["history"][()]
    table["iteration"][1] += 1
    group["history"][...] = table


def as_ticket(group):
    """Make the control what its ticket is."""
    ticket = group.parent.parent
    for name in ("mask", "trained"):
        del group[name]
        ticket.copy(name, group)


def add(path, number):
    def change(group):
        group[path][...] = group[path][()] + np.float32(number)

    return change


def without_control(group):
    del group["controls/random"]


@pytest.mark.parametrize(
    ("where", "change", "failing"),
    [
        ("02", shorten, {COMPLETE, END, CONTROLS, START}),
        ("02", without_control, {COMPLETE}),
        ("02", add("trained/fc1.bias", np.nan), {COMPLETE, END}),
        ("02", attribute("weights_left", 1), {COUNTS, PLANNED, CONTROLS}),
        ("02", attribute("density", 0.5), {COUNTS}),
        ("01", worse_history, {HISTORY}),
        ("01", attribute("test_accuracy", 0.123), {SCALARS}),
        ("01", attribute("early_stop_iteration", 3), {SCALARS}),
        ("02", flip_masks, {NESTED, FOLLOW, END, CONTROLS, START}),
        ("02/controls/random", as_ticket, {CONTROLS, END, START}),
        ("01/controls/reinit", add("trained/output.bias", 5 * np.arange(3)), {END}),
    ],
)
def test_a_falsehood_is_found(where, change, failing, small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        change(file[f"trials/1/rounds/{where}"])
    checks = verify(tt.load(out), data=DATA)
    failed = {i for i, check in enumerate(checks) if check.standing == "failed"}
    assert failed == failing | {DIGESTS}
    for i in failed - {DIGESTS}:
        assert checks[i].failures[0].startswith("trial 1, round ")


def config(**changes):
    def change(file):
        file.attrs["config"] = json.dumps({**json.loads(file.attrs["config"]), **changes})

    return change


def trial_twice(file):
    """Narrow all intervals: the second trial is the first one again."""
    del file["trials/1"]
    file.copy("trials/0", "trials/1")


def rows(path="trials/0/rounds/01", **columns):
    """Change columns of the row of one evaluation, and the numbers that follow from the history."""

    def change(file):
        place, table = columns.get("place", 1), file[path]["history"][()]
        for name, value in columns.items():
            if name != "place":
                table[name][place] = value
        file[path]["history"][...] = table
        for name, value in summary(table).items():
            file[path].attrs[name] = value

    return change


def move(old, new):
    return lambda file: file.move(old, new)


def without(path):
    def change(file):
        del file[path]

    return change


def at(path, change):
    return lambda file: change(file[path])


def words(file):
    file.attrs["networks"] = json.dumps({**json.loads(file.attrs["networks"]), "sought": "proven ticket"})


def fingerprints(file):
    data = json.loads(file.attrs["data"])
    del data["fingerprints"]["x_test"]
    file.attrs["data"] = json.dumps(data)


EARLY_STOP = rows(validation_loss=0.01, validation_accuracy=1, test_loss=0.01, test_accuracy=1)
FORGERIES = {
    "another theta_0": (at("trials/0/init", add("fc1.bias", 0.5)), {DRAWN, START}),
    "no theta_0": (at("trials/0/init", add("fc2.weight", np.nan)), {DRAWN, COMPLETE, START}),
    "seed": (config(seed=1), {DRAWN, CONTROLS, START, END, CONSISTENT}),
    "a trial twice": (trial_twice, {DISTINCT, DRAWN, CONTROLS, START}),
    "a trial renumbered": (move("trials/1", "trials/2"), {NUMBERED, DRAWN, CONTROLS, START}),
    "trials exchanged": (lambda file: [move(*pair)(file) for pair in SWAP], {DRAWN, CONTROLS, START}),
    "a trial deleted": (without("trials/0"), {NUMBERED}),
    "more rounds than asked for": (config(rounds=1), {NUMBERED, PLANNED, FOLLOW, START}),
    "no last training loss": (rows(train_loss=np.nan, place=-1), {HISTORY}),
    "no last test loss": (rows(test_loss=np.nan, place=-1), {HISTORY, END}),
    "an accuracy of no examples": (rows(validation_accuracy=0.9876), {HISTORY}),
    "another first row": (rows(test_loss=2.5, place=0), {START}),
    "stream of a control": (
        at("trials/0/rounds/01/controls/reinit", lambda group: group.attrs.update(start=OTHER_STREAM)),
        {CONTROLS, START},
    ),
    "a loss that its mistakes do not allow": (rows(validation_loss=0.01, validation_accuracy=0.5), {HISTORY}),
    "something that no file has": (lambda file: file["trials/0"].create_group("more"), {SPECIFIED}),
    "words": (words, {CONSISTENT}),
    "fingerprints": (fingerprints, {DATA_AS_DESCRIBED}),
    "early stop": (EARLY_STOP, set()),
    "learning rate": (config(lr=0.02), set()),
    "optimizer": (config(optimizer="momentum"), set()),
}
SWAP = [("trials/0", "trials/x"), ("trials/1", "trials/0"), ("trials/x", "trials/1")]
OTHER_STREAM = json.dumps({"weights": {"stream": [0, 0, "reinit", 7]}, "mask": "ticket", "statistics": "init"})


@pytest.mark.parametrize(("change", "failing"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_found(change, failing, small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        change(file)
    checks = verify(tt.load(out), data=DATA)
    strange = failing == {SPECIFIED}  # digests are of what the format has
    found = {i for i, check in enumerate(checks) if check.standing == "failed"}
    assert found == failing | (set() if strange else {DIGESTS})
    if not failing:  # only training again tells
        several = 14 if change is EARLY_STOP else 2
        again = verify(tt.load(out), retrain=several, data=DATA, threads=1)[len(checks) :]
        failed = [check.failures[0] for check in again if check.standing == "failed"]
        assert all("history" in failure for failure in failed)
        assert [len(again), len(failed)] == [several, 1 if change is EARLY_STOP else 2]


def test_what_tickets_rewind_to_is_checked_and_repeated(out):
    find(rewind_to=5, rounds=1, controls="none", out=out)
    with h5py.File(out, "r+") as file:
        add("trials/0/rewind/fc1.weight:mean", 1e-3)(file)
    checks = verify(tt.load(out), retrain=2, data=DATA, threads=1)
    assert {i for i, check in enumerate(checks) if check.standing == "failed"} == {DIGESTS, DIGESTS + 1, DIGESTS + 2}
    assert "rewind fc1.weight:mean (192) differ" in checks[DIGESTS + 1].failures[0]
    with h5py.File(out, "r+") as file:
        add("trials/0/rewind/fc1.weight", 0.5)(file)
        file["trials/0/rewind/fc1.weight"].attrs["steps"] = 6
    failed = {i for i, check in enumerate(verify(tt.load(out), data=DATA, threads=1)) if check.standing == "failed"}
    assert failed == {REWIND, REWOUND, START, DIGESTS}


def test_trainings_are_repeated_that_the_seed_chooses(small):
    first, same, other = (verify(small, retrain=3, seed=seed, data=DATA)[20:] for seed in (1, 1, 2))
    assert first == same != other
    assert [check.standing for check in (*first, *other)] == ["passed"] * 6
    assert verify(small, retrain=1)[-1].standing == "not checked"


def test_bits_beyond_the_size_of_a_mask_are_damage(out):
    find("mlp-12-5-3", rounds=1, controls="none", out=out)
    with h5py.File(out, "r+") as file:
        file["trials/0/rounds/01/mask/fc1.weight"][-1] |= 1
    assert "bits beyond its size are set" in verify(tt.load(out))[COMPLETE].failures[0]


def test_weights_that_a_function_of_the_users_own_draws_are_checked_if_it_is_given():
    result = find(twice, rounds=1)
    checks = verify(result, data=DATA)
    assert [i for i, check in enumerate(checks) if check.standing != "passed"] == [DRAWN, REWOUND, NAMED]
    assert "give the model" in checks[DRAWN].reason
    assert verify(result, data=DATA, model=twice)[DRAWN].standing == "passed"
    assert verify(result, data=DATA, model=plain)[DRAWN].standing == "failed"


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "conv-2-dropout", "resnet-8", "resnet-8-identity"])
def test_networks_of_the_library_are_drawn_again_as_they_were_made(name):
    made, again = (tt.models.create(name, (3, 16, 16), 10, rng=seed) for seed in (3, 4))
    again.reset_parameters(np.random.default_rng(3))
    assert equal_bytes(made.state_dict(), again.state_dict())


def twice(rng):
    model = plain(rng)
    model[0].weight.data[...] *= 2
    return model


def test_a_missing_round_is_noticed(small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        del file["trials/0/rounds/01"]
    with pytest.raises(InputError, match="is damaged: trials/0/rounds: round 1 is missing"):
        tt.load(out)
