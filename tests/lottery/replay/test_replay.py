"""A training repeated from its file, bit for bit, and what is said where that does not come out or cannot be done."""

import functools
import json
import os

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, clusters, find
from tests.lottery.networks import Counting, plain
from tinyticket.errors import InputError
from tinyticket.lottery.methods import METHODS
from tinyticket.lottery.replay.replay import replay
from tinyticket.optim import MultiStep

MODES = {
    "plain": {},
    "eager": {"eager": True, "optimizer": "momentum", "weight_decay": 0.01},
    "late": {"rewind_to": 7, "schedule": MultiStep((10,))},
    "lr": {"rewind": "lr"},
    "finetune": {"rewind": "finetune", "rewind_to": 4},
    "continue": {"strategy": "continue"},
    "one-shot, global": {"rounds": None, "one_shot": [0.5, 0.2], "scope": "global"},
    "gradual": {"rounds": None, "one_shot": [0.5, 0.2], "gradual": (2, 12, 2)},
    "freeze": {"mask_0": "freeze-away"},
    "rigl": {"rounds": None, "one_shot": [0.5, 0.2], "method": "rigl", "update_every": 4},
    "set": {"rounds": None, "one_shot": [0.5], "method": "set", "update_every": 5},
    "early-bird": {"rounds": None, "one_shot": [0.5], "method": "early-bird", "iterations": 60},
    "supermask": {"rounds": None, "method": "supermask"},
    "edge-popup": {"rounds": None, "one_shot": [0.5], "method": "edge-popup"},
    "snip": {"rounds": None, "one_shot": [0.5, 0.2], "criterion": "snip"},
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_training_of_every_mode_comes_out_the_same(mode):
    result = find(controls="reinit,random,reshuffle", **mode)
    for round in result.trials[0].rounds:
        for control in (None, *round.controls, *(["continued"] if round.continued else [])):
            found = replay(result, 0, round.number, control, data=DATA, threads=1)
            assert found.agrees, (round.number, control, found.differences)
            assert found.remarks == []


CASES = int(os.environ.get("TINYTICKET_REPLAYS", "10"))
WIDE = "mlp-12-48-40-3"  # whose inner layer runs dense or sparse, depending on its density


@pytest.mark.parametrize("case", range(CASES))
def test_methods_drawn_at_random_come_out_the_same(case):
    rng = np.random.default_rng(case)
    methods = [*(name for name in METHODS if name != "rigl-sampled"), "gradual"]  # which is one of networks never dense
    method = methods[case % len(methods)]
    options = {"one_shot": [rng.uniform(0.03, 0.6)], "iterations": rng.integers(60, 90), "seed": case, "rounds": None}
    if method == "gradual":
        begin, every = rng.integers(0, 10), rng.integers(1, 9)
        options["gradual"] = (begin, begin + every * rng.integers(1, 6), every)
    elif method != "tickets":
        options["method"] = method
    if method == "supermask":
        del options["one_shot"]
    if METHODS[options.get("method", "tickets")].starts_sparse and "update_every" in METHODS[method].own:
        options["update_every"] = rng.integers(2, 20)
    options = {name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()}
    result = find(WIDE, lr=0.003, **options)
    found = replay(result, 0, 1, data=DATA)
    assert found.agrees, (options, result.round(0, 1).plan, found.differences)


@pytest.mark.parametrize("mode", [{"gradual": (2, 12, 2)}, {"method": "early-bird", "iterations": 60}])
def test_kernels_of_every_mask_on_the_way_are_recorded(mode, out):
    result = find(WIDE, rounds=None, one_shot=[0.05], controls="none", out=out, **mode)
    plan = result.round(0, 1).plan
    assert [plan["kernels"]["fc2.weight"], plan["before"][0]["kernels"]["fc2.weight"]] == ["sparse", "dense"]
    assert 0 < plan["before"][-1]["until"] <= result.round(0, 1).origin.get("drawn", 12)
    assert replay(result, 0, 1, data=DATA).agrees
    with h5py.File(out, "r+") as file:  # as files of before were, which name the last kernels alone
        group = file["trials/0/rounds/01"]
        group.attrs["plan"] = json.dumps({**plan, "before": [{"until": "soon"}]})
        file.flush()
        with pytest.raises(InputError, match="plan is"):
            tt.load(out).round(0, 1).plan  # noqa: B018
        del plan["before"]
        group.attrs["plan"] = json.dumps(plan)
    named = {difference.what for difference in replay(tt.load(out), 0, 1, data=DATA).differences}
    assert "execution kernels" not in named


def test_digits_as_they_were_split_once_are_found_again():
    old = find("mlp-64-10", tt.data.load("digits-360"), rounds=0)
    assert old.config["data"] == "digits"
    assert replay(old, 0, 0).agrees


def test_another_trial_is_repeated_with_its_own_streams(small):
    assert replay(small, 1, 2, "reinit", data=DATA).title == "trial 1, round 2, reinit"
    assert replay(small, 1, 2, "reinit", data=DATA).agrees


def test_the_kernels_of_the_file_are_used_again(out):
    find(out=out, rounds=1)
    with h5py.File(out, "r") as file:
        plan = file["trials/0/rounds/01"].attrs["plan"].decode()
    assert {*json.loads(plan)["kernels"].values()} <= {"dense", "sparse"}
    assert list(json.loads(plan)["kernels"]) == [f"{layer}.weight" for layer in ("fc1", "fc2", "output")]
    swapped = plan.replace("dense", "x").replace("sparse", "dense").replace('"x"', '"sparse"')
    with h5py.File(out, "r+") as file:
        file["trials/0/rounds/01"].attrs["plan"] = swapped
    found = replay(tt.load(out), 0, 1, data=DATA)
    assert not any(difference.what.startswith("execution") for difference in found.differences)


def test_what_differs_is_named_with_places_and_size(out):
    find(out=out, rounds=1)
    with h5py.File(out, "r+") as file:
        group = file["trials/0/rounds/01"]
        group["trained/fc1.weight"][:3] += np.float32(0.5)
        history = group["history"][()]
        history["test_loss"][-1] += 1
        group["history"][...] = history
        file.attrs["versions"] = '{"numpy": "0.1"}'
    found = replay(tt.load(out), 0, 1, data=DATA)
    assert not found.agrees
    named = {difference.what: difference for difference in found.differences}
    assert named.keys() == {"trained fc1.weight", "history test_loss"}
    assert named["trained fc1.weight"].places == 3
    assert named["trained fc1.weight"].largest == pytest.approx(0.5, abs=1e-6)
    assert named["history test_loss"].largest == pytest.approx(1)
    assert "numpy was 0.1 and is" in found.remarks[0]


@pytest.mark.parametrize(
    ("which", "says"),
    [
        ({"trial": 2}, "there is no trial 2"),
        ({"round": 3}, "there is no round 3"),
        ({"round": 1, "control": "noise-1"}, "has no control 'noise-1'; it has reinit, random"),
        ({"round": 1, "control": "continued"}, "has no control 'continued'"),
        ({"data": clusters(seed=1, name="others")}, "others is not what .* by their fingerprints x_train, y_train"),
        ({"data": None}, "not in the catalogue: say where the data are"),
    ],
)
def test_what_cannot_be_repeated_is_refused(which, says, small):
    with pytest.raises(InputError, match=says):
        replay(small, **{"data": DATA, **which})


def test_a_network_of_ones_own_has_to_be_given():
    result = find(lambda rng: Counting(rng), rounds=1)
    with pytest.raises(InputError, match=r"class tests\.lottery\.networks\.Counting.*; give the model"):
        replay(result, 0, 1, data=DATA)
    assert replay(result, 0, 1, "reinit", data=DATA, model=lambda rng: Counting(rng)).agrees
    with pytest.raises(InputError, match="not of the architecture"):
        replay(result, 0, 1, data=DATA, model=functools.partial(Counting, hidden=9))


def test_tickets_can_be_repeated_where_the_way_they_were_drawn_is_not_known():
    def scaled(rng):
        model = plain(rng)
        model[0].weight.data[...] *= 2
        return model

    result = find(scaled, rounds=1)
    assert replay(result, 0, 1, data=DATA).agrees
    assert replay(result, 0, 1, "random", data=DATA).agrees
    with pytest.raises(InputError, match="the control reinit started from weights that a function of its own drew"):
        replay(result, 0, 1, "reinit", data=DATA)
    assert replay(result, 0, 1, "reinit", data=DATA, model=scaled).agrees
