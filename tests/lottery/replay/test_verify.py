"""What a file says of itself is checked; each kind of falsehood is found by the check that is meant for it."""

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, find
from tests.lottery.networks import Counting
from tests.lottery.replay.test_replay import MODES
from tinyticket.errors import InputError
from tinyticket.lottery.replay.verify import verify

COMPLETE, COUNTS, HISTORY, SCALARS, PLANNED, NESTED, FOLLOW, CONTROLS, EVALUATED = range(9)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_files_of_every_mode_pass(mode):
    others = "reinit,random" if "method" in mode else "reinit,random,inverted"
    checks = verify(find(controls=others, **mode), data=DATA)
    assert [(check.what, check.failures) for check in checks if check.failures] == []
    unchecked = [i for i, check in enumerate(checks) if not check.checked]
    expected = [PLANNED] if mode.get("method") == "supermask" else []
    expected += [NESTED] if "one_shot" in mode else []
    assert unchecked == expected + ([FOLLOW] if mode.keys() & {"gradual", "criterion", "method"} else [])
    assert all(checks[i].reason for i in unchecked)


def test_without_the_data_set_all_but_the_accuracies_is_checked(small):
    checks = verify(small)
    assert [i for i, check in enumerate(checks) if check.standing == "not checked"] == [EVALUATED]
    assert "clusters" in checks[EVALUATED].reason


def test_a_network_of_ones_own_is_checked_as_far_as_it_goes():
    result = find(lambda rng: Counting(rng), rounds=1)
    assert [i for i, check in enumerate(verify(result, data=DATA)) if not check.checked] == [PLANNED, FOLLOW, EVALUATED]
    checks = verify(result, data=DATA, model=lambda rng: Counting(rng))
    assert [check.standing for check in checks] == ["passed"] * 9


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
        ("02", shorten, {COMPLETE, EVALUATED, CONTROLS}),
        ("02", without_control, {COMPLETE}),
        ("02", add("trained/fc1.bias", np.nan), {COMPLETE, EVALUATED}),
        ("02", attribute("weights_left", 1), {COUNTS, PLANNED, CONTROLS}),
        ("02", attribute("density", 0.5), {COUNTS}),
        ("01", worse_history, {HISTORY}),
        ("01", attribute("test_accuracy", 0.123), {SCALARS}),
        ("01", attribute("early_stop_iteration", 3), {SCALARS}),
        ("02", flip_masks, {NESTED, FOLLOW, EVALUATED, CONTROLS}),
        ("02/controls/random", as_ticket, {CONTROLS, EVALUATED}),
        ("01/controls/reinit", add("trained/output.bias", 5 * np.arange(3)), {EVALUATED}),
    ],
)
def test_a_falsehood_is_found(where, change, failing, small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        change(file[f"trials/1/rounds/{where}"])
    checks = verify(tt.load(out), data=DATA)
    failed = {i for i, check in enumerate(checks) if check.standing == "failed"}
    assert failed == failing
    for i in failed:
        assert checks[i].failures[0].startswith("trial 1, round ")


def test_a_missing_round_is_noticed(small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        del file["trials/0/rounds/01"]
    with pytest.raises(InputError, match="is damaged: trials/0/rounds: round 1 is missing"):
        tt.load(out)
