"""Mask-0 actions: which pruned weights stay where, by a loop over all of them, in one pruning and over rounds."""

import itertools

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, contents, differing, find, interrupted
from tinyticket.compiler import EagerStep
from tinyticket.errors import InputError
from tinyticket.lottery.mask_0 import MASK_0, frozen_weights
from tinyticket.optim import SGD

RNG = np.random.default_rng(0)


def one(action, initial, trained, before, after, held):
    if after:
        return 0.0
    if action == "freeze":
        return initial
    if not before:
        return held
    return initial if abs(trained) > abs(initial) else 0.0


@pytest.mark.parametrize("action", ["freeze", "freeze-away"])
def test_each_weight_is_where_the_action_says(action):
    initial, trained, held = ({"w": RNG.normal(size=(6, 8)).astype(np.float32)} for _ in range(3))
    before = {"w": RNG.random((6, 8)) < 0.7}
    held["w"][before["w"]] = 0  # survivors had nothing frozen
    after = {"w": before["w"] & (RNG.random((6, 8)) < 0.7)}
    frozen = frozen_weights(action, initial, trained, before, after, held)["w"]
    for at in np.ndindex(6, 8):
        arguments = (array["w"][at] for array in (initial, trained, before, after, held))
        assert frozen[at] == one(action, *arguments)
    assert frozen.dtype == np.float32


def test_zero_freezes_nothing():
    masks = {"w": np.zeros((2, 2), bool)}
    weights = {"w": np.ones((2, 2), np.float32)}
    assert frozen_weights("zero", weights, weights, masks, masks, {}) == {}
    assert find(rounds=1).trials[0].rounds[1].frozen == {}


@pytest.fixture(scope="module")
def found():
    return {action: find(mask_0=action, rounds=3, iterations=60, controls="reinit,random") for action in MASK_0}


@pytest.mark.parametrize("action", ["freeze", "freeze-away"])
def test_rounds_freeze_what_they_prune_where_it_began(found, action):
    rounds, initial = found[action].trials[0].rounds, found[action].init(0)
    expected = {name: np.zeros_like(initial[name]) for name in rounds[0].masks}
    kept = pruned = 0
    for before, after in itertools.pairwise(rounds):
        trained, frozen = before.trained, after.frozen
        for name, mask in after.masks.items():
            gone = before.masks[name] & ~mask
            away = gone & ((np.abs(trained[name]) > np.abs(initial[name])) | (action == "freeze"))
            expected[name] = np.where(away, initial[name], expected[name])
            assert frozen[name].tobytes() == expected[name].tobytes()
            assert not after.trained[name][~mask].any()
            kept, pruned = kept + away.sum(), pruned + gone.sum()
    assert kept == pruned if action == "freeze" else 0 < kept < pruned
    assert rounds[1].plan == {"mode": "eager"}


def test_the_action_changes_what_is_learned(found):
    first = [result.trials[0].rounds[1] for result in found.values()]
    assert len({round.history["train_loss"].tobytes() for round in first}) == 3
    for name in first[0].masks:  # but not the first mask
        assert len({round.masks[name].tobytes() for round in first[1:]}) == 1


@pytest.mark.parametrize("action", ["freeze", "freeze-away"])
def test_a_model_from_the_file_has_its_frozen_weights(found, action):
    result = found[action]
    round, data = result.trials[0].rounds[3], DATA
    model = result.model(0, 3)
    assert model.prunable()["fc1.weight"].mask is None
    _, accuracy = EagerStep(model, SGD(model.parameters(), 0)).evaluate((data.x_test, data.y_test))
    assert accuracy == round.final_test_accuracy
    weight = result.model(0, 3, "init").fc1.weight.data
    mask, initial = round.masks["fc1.weight"], result.init(0)["fc1.weight"]
    assert weight.tobytes() == np.where(mask, initial, round.frozen["fc1.weight"]).tobytes()


def test_controls_have_the_same_action(found):
    round, initial = found["freeze"].trials[0].rounds[2], found["freeze"].init(0)
    for name, mask in round.masks.items():
        assert round.controls["reinit"].frozen[name].tobytes() == round.frozen[name].tobytes()
        other = round.controls["random"]
        expected = np.where(other.masks[name], np.float32(0), initial[name])
        assert other.frozen[name].tobytes() == expected.tobytes()
        assert (other.masks[name] != mask).any()
    dense = found["freeze-away"].trials[0].rounds[0].trained
    other = found["freeze-away"].trials[0].rounds[2].controls["random"]
    for name, mask in other.masks.items():
        away = ~mask & (np.abs(dense[name]) > np.abs(initial[name]))
        assert other.frozen[name].tobytes() == np.where(away, initial[name], np.float32(0)).tobytes()


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path):
    options = {"mask_0": "freeze-away", "rounds": 2, "controls": "random"}
    interrupted(find, after=1, **options, out=tmp_path / "halves.h5")
    find(**options, out=tmp_path / "whole.h5", threads=1)
    assert not differing(contents(tmp_path / "halves.h5"), contents(tmp_path / "whole.h5"))
    with pytest.raises(InputError, match="mask-0 was freeze-away and is now zero"):
        find(**{**options, "mask_0": "zero"}, out=tmp_path / "whole.h5")
    assert tt.load(tmp_path / "whole.h5").config["mask_0"] == "freeze-away"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mask_0": "freze"}, "no mask-0 action is called 'freze'.*did you mean 'freeze'"),
        ({"mask_0": "freeze", "rewind": "lr"}, "where all began, at theta_0"),
        ({"mask_0": "freeze", "rewind_to": 5}, "leave rewind, rewind-to, strategy and gradual out"),
        ({"mask_0": "freeze", "strategy": "continue"}, "where all began"),
        ({"mask_0": "freeze", "rounds": None, "one_shot": 0.5, "gradual": (2, 8, 2)}, "where all began"),
        ({"mask_0": "freeze", "rounds": None, "one_shot": 0.5, "method": "edge-popup"}, "leave .*mask-0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        find(**changes)
