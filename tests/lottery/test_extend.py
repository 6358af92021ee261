"""Going on with a file by its own settings, and with more of what it has."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, Interrupt, InterruptAt, clusters, contents, differing, find
from tests.lottery.networks import Counting
from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery import controls, extend, resume
from tinyticket.lottery.replay.verify import verify

EAGER = {"eager": True, "iterations": 5, "workers": 1}


def full(tmp_path, **changes):
    """Return the contents of a file whose experiment had all trials, rounds and controls from the start."""
    return contents(find(**{**EAGER, "trials": 2, "controls": "random,noise-1", **changes}), tmp_path)


@pytest.mark.parametrize("changes", [{}, {"rewind_to": 2, "strategy": "continue"}])
def test_controls_rounds_and_trials_that_come_later_are_those_of_the_start(changes, out, tmp_path):
    find(**{**EAGER, **changes, "rounds": 1, "controls": "random", "out": out})
    before = out.read_bytes()
    result = extend(out, data=DATA, trials=2, rounds=2, controls="random,noise-1", threads=1)
    assert differing(contents(out), full(tmp_path, **changes)) == []
    assert result.config["controls"] == ["random", "noise-1"]
    assert before != out.read_bytes()


def test_what_has_grown_is_sound(out):
    find(**EAGER, rounds=1, controls="random", out=out)
    result = extend(out, data=DATA, trials=2, rounds=2, controls="reinit", threads=1)
    assert not any(check.failures for check in verify(result, data=DATA))


def test_a_file_to_which_a_control_came_that_diverged_is_sound(out, monkeypatch):
    find(**EAGER, controls="random", out=out)

    def begin(name, *given, plain=controls.begin):
        start = plain(name, *given)
        far = {at: value * np.float32(1e30) for at, value in start.weights.items()}
        return replace(start, weights=far) if name == "reinit" else start

    monkeypatch.setattr(controls, "begin", begin)
    with pytest.raises(DivergenceError, match="trial 0, round 1"):
        extend(out, data=DATA, controls="reinit")
    monkeypatch.undo()
    result = tt.load(out)
    assert (result.diverged, [*result.round(0, 1).controls]) == ({"0": 1}, ["random"])
    assert [check for check in verify(result, retrain=5, data=DATA) if check.failures] == []
    with h5py.File(out, "r+") as file:
        del file["trials/0/rounds/02"], file.attrs["diverged"]
    assert [check.failures for check in verify(tt.load(out), data=DATA) if check.failures]


def test_only_what_is_missing_is_trained_and_an_interruption_loses_nothing(out, tmp_path):
    recorded = find(**EAGER, controls="random", out=out)
    seconds = recorded.round(0, 1).seconds
    with pytest.raises(Interrupt):
        extend(out, data=DATA, controls="reinit", callbacks=InterruptAt("committed"))
    assert [set(round.controls) for round in tt.load(out).trials[0].rounds] == [set(), {"random", "reinit"}, {"random"}]
    seen = InterruptAt("training_begun", 1)  # the one control that is left
    result = resume(out, data=DATA, callbacks=seen)
    assert result.round(0, 1).seconds == seconds
    assert differing(contents(out), full(tmp_path, trials=1, controls="random,reinit")) == []
    resume(out, data=DATA, callbacks=InterruptAt("training_begun"))


def test_with_workers_and_methods_that_move_masks(out, tmp_path):
    moving = {**EAGER, "iterations": 10, "method": "rigl", "update_every": 3, "rounds": None, "one_shot": [0.5, 0.3]}
    find(**moving, controls="static", out=out)
    extend(out, data=DATA, controls="reinit", trials=2, workers=2)
    assert differing(contents(out), contents(find(**moving, controls="static,reinit", trials=2), tmp_path)) == []


def test_a_finished_file_by_its_name_of_the_catalogue(out, tmp_path):
    settings = {**EAGER, "model": "mlp-64-8-10", "data": "digits", "rounds": 1, "controls": "none"}
    find(**settings, out=out)
    extend(out, rounds=2)
    assert differing(contents(out), contents(find(**{**settings, "rounds": 2}), tmp_path)) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"trials": 1}, "is of 2 trials, and nothing is taken away"),
        ({"rounds": 1}, "is of 2 rounds, and nothing is taken away"),
        ({"controls": "reinitt"}, "no control is called 'reinitt'"),
        ({"controls": "static"}, "static"),
        ({"data": None}, "is about 'clusters', which is not in the catalogue: say where the data are"),
        ({"data": clusters(seed=3)}, "is not what"),
        ({"masks_from": "x.npz"}, "prunes by itself: leave masks-from out"),
        ({"first": 3}, "no setting is called 'first'"),
    ],
)
def test_what_cannot_be_is_one_sentence(options, says, small):
    with pytest.raises(InputError, match=says):
        extend(small.path, **{"data": DATA, **options})


def test_one_shot_has_no_more_rounds_and_masks_of_a_file_have_to_be_named(small, out):
    find(**EAGER, rounds=None, one_shot=[0.5], out=out, controls="none")
    with pytest.raises(InputError, match="prunes once to each of its densities, which are its rounds"):
        extend(out, rounds=2, data=DATA)
    moved = out.with_name("moved.h5")
    find(model=None, masks_from=small, rounds=1, trials=1, controls="none", **EAGER, out=moved)
    with pytest.raises(InputError, match=r"are those of mlp-12-16-8-3 on clusters, .*: say where that is"):
        extend(moved, trials=2, data=DATA)
    with pytest.raises(InputError, match=r"are those of mlp-12.* and .*ticket\.h5 has those of mlp-12"):
        extend(moved, trials=2, data=DATA, masks_from=out)
    with pytest.raises(InputError, match="the control inverted needs the scores"):
        extend(moved, controls="inverted", data=DATA, masks_from=small)
    result = extend(moved, trials=2, data=DATA, masks_from=small)
    assert np.array_equal(result.init(1)["fc1.weight"], small.init(1)["fc1.weight"])


def drawn_otherwise(rng):
    rng = np.random.default_rng(rng)
    rng.random()
    return tt.models.create("mlp-12-8-3", (12,), 3, rng=rng)


def test_a_network_of_ones_own_is_given_again(out, tmp_path):
    find(drawn_otherwise, **EAGER, rounds=1, controls="none", out=out)
    with pytest.raises(InputError, match=r"drew its initial weights by a function of its own.*give the model"):
        extend(out, trials=2, data=DATA)
    extend(out, trials=2, data=DATA, model=drawn_otherwise)
    assert (
        differing(
            contents(out), contents(find(drawn_otherwise, **EAGER, rounds=1, controls="none", trials=2), tmp_path)
        )
        == []
    )
    find(Counting(), **EAGER, rounds=1, controls="none", out=(own := out.with_name("own.h5")))
    with pytest.raises(InputError, match="give the model"):
        resume(own, data=DATA)
    assert len(extend(own, data=DATA, model=Counting(), rounds=2).trials[0].rounds) == 3
