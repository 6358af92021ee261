"""Going on: after an interruption anywhere, with more rounds, with more trials; and what does not continue a file."""

import json
import shutil

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    SMALL,
    Interrupt,
    InterruptAt,
    Recorder,
    clusters,
    contents,
    differing,
    find,
    interrupted,
)
from tests.lottery.networks import Counting, plain
from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.optim import Cosine, MultiStep


@pytest.fixture
def copy(small, out):
    """A copy of the small experiment's file, to go on with."""
    shutil.copy(small.path, out)
    return out


def rounds_in(path):
    return [len(trial.rounds) for trial in tt.load(path).trials]


# -- interruptions


@pytest.mark.parametrize(
    ("kind", "after", "kept"),
    [
        ("run_begun", 0, None),
        ("training_begun", 0, None),  # before anything
        ("evaluated", 2, None),  # in the dense training
        ("committed", 0, [1]),  # right after the first commit
        ("training_begun", 1, [1]),  # before the first ticket
        ("evaluated", 7, [1]),  # in the first ticket's training
        ("training_begun", 2, [1]),  # between a ticket and its controls
        ("evaluated", 18, [1]),  # in a control's training
        ("committed", 1, [2]),
        ("committed", 2, [3]),  # between two trials
        ("training_begun", 7, [3]),
        ("evaluated", 38, [3]),  # in the second trial's dense training
        ("committed", 4, [3, 2]),
        ("training_begun", 13, [3, 2]),  # the very last training
        ("committed", 5, [3, 3]),
    ],
)
def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(kind, after, kept, small, out):
    with pytest.raises(Interrupt):
        find(trials=2, out=out, callbacks=InterruptAt(kind, after))
    assert (rounds_in(out) if out.exists() else None) == kept
    assert [path.name for path in out.parent.iterdir()] == ([out.name] if kept else [])
    progress = Recorder()
    result = find(trials=2, out=out, callbacks=progress)
    assert differing(contents(small.path), contents(result.path)) == []
    done = sum(1 if round == 0 else 3 for count in kept or [] for round in range(count))
    assert progress.of("run_begun") == [(14, SMALL["iterations"], done)]
    assert len(progress.of("training_begun")) == 14 - done


def test_a_run_can_be_interrupted_again_and_again(small, out):
    interrupted(find, times=6, trials=2, out=out)
    assert differing(contents(small.path), contents(out)) == []


def test_ctrl_c_is_an_interruption_like_any_other(small, out):
    with pytest.raises(KeyboardInterrupt):
        find(trials=2, out=out, callbacks=InterruptAt("committed", 1, KeyboardInterrupt))
    assert rounds_in(out) == [2]
    assert differing(contents(small.path), contents(find(trials=2, out=out).path)) == []


def test_a_finished_file_is_not_trained_again_nor_written(copy):
    before, progress = copy.read_bytes(), Recorder()
    result = find(trials=2, out=copy, callbacks=progress)
    assert [kind for kind, _ in progress.events] == ["run_begun", "run_ended"]
    assert copy.read_bytes() == before
    assert [len(trial.rounds) for trial in result.trials] == [3, 3]


# -- extension


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"rounds": 0}, {"rounds": 2}),
        ({"rounds": 1, "trials": 2}, {}),
        ({"trials": 1}, {}),
        ({"rounds": 1, "trials": 1}, {}),
    ],
)
def test_an_extended_run_equals_one_made_at_once(first, then, small, out):
    find(**{"trials": 2, **first}, out=out)
    result = find(**{"trials": 2, **then}, out=out)
    assert differing(contents(small.path), contents(result.path)) == []


def test_an_extension_that_was_interrupted_goes_on_too(small, out):
    find(rounds=1, out=out)
    with pytest.raises(Interrupt):
        find(trials=2, out=out, callbacks=InterruptAt("committed", 1))
    assert rounds_in(out) == [3, 1]
    result = find(trials=2, out=out)
    assert differing(contents(small.path), contents(result.path)) == []


def test_a_file_from_before_there_was_a_choice_is_read_and_continued(small, out):
    """Its settings lack what came later, and `start` says only where weights and mask came from."""
    find(rounds=1, out=out)
    with h5py.File(out, "r+") as file:
        config = json.loads(file.attrs["config"])
        assert not config.keys() & {"rewind", "rewind_to", "strategy", "criterion"}
        round = file["trials/0/rounds/01"]
        for training in (file["trials/0/rounds/00"], round, *round["controls"].values()):
            start = json.loads(training.attrs["start"])
            training.attrs["start"] = json.dumps({key: start[key] for key in ("weights", "mask")})
    old = tt.load(out).trials[0].rounds[1]
    assert old.origin == {"weights": "init", "mask": "ticket"}
    assert old.continued is None
    find(trials=2, out=out)
    assert {name.split("@")[1] for name in differing(contents(small.path), contents(out))} == {"start"}


def test_a_setting_from_the_future_is_named(out):
    find(rounds=1, out=out)
    with h5py.File(out, "r+") as file:
        file.attrs["config"] = json.dumps({**json.loads(file.attrs["config"]), "telepathy": True})
    assert tt.load(out).config["telepathy"]  # it can be read
    with pytest.raises(InputError, match="has the setting telepathy, which this version of tinyticket does not know"):
        find(out=out)


def test_buffers_survive_a_resumption(out):
    resumed = interrupted(find, after=1, model=lambda rng: Counting(rng), out=out)
    assert differing(contents(out), contents(find(lambda rng: Counting(rng)), out.parent)) == []
    assert resumed.trials[0].rounds[2].trained["steps"].tolist() == [SMALL["iterations"]]


def test_one_shot_resumes_and_global_scope_too(out):
    for changes in (
        {"rounds": None, "one_shot": [0.5, 0.2]},
        {"scope": "global", "schedule": MultiStep([5, 10])},
    ):
        out.unlink(missing_ok=True)
        interrupted(find, after=1, out=out, **changes)
        assert differing(contents(out), contents(find(**changes), out.parent)) == []


# -- threads may differ


def test_threads_may_differ_between_runs(small, out):
    with pytest.raises(Interrupt):
        find(trials=2, out=out, threads=1, callbacks=InterruptAt("committed", 1))
    find(trials=2, out=out, threads=3)
    assert differing(contents(small.path), contents(out)) == []


# -- what does not continue a file

DIFFERENT = {
    "rounds": ({"rounds": 1}, "rounds was 2 and is now 1"),
    "trials": ({"trials": 1}, "trials was 2 and is now 1"),
    "iterations": ({"iterations": 30}, "iterations was 20 and is now 30"),
    "batch_size": ({"batch_size": 10}, "batch-size was 20 and is now 10"),
    "lr": ({"lr": 0.02}, r"lr was 0\.01 and is now 0\.02"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer was adam and is now sgd"),
    "weight_decay": ({"weight_decay": 0.1}, r"weight-decay was 0\.0 and is now 0\.1"),
    "schedule": ({"schedule": Cosine(20)}, r"schedule was Constant\(\) and is now Cosine\(iterations=20\)"),
    "prune": ({"prune": 0.3}, r"prune was conv=0\.2,fc=0\.2,output=0\.1 and is now conv=0\.3,fc=0\.3,output=0\.15"),
    "one_shot": ({"rounds": None, "one_shot": [0.5]}, r"one-shot was none and is now 0\.5"),
    "scope": ({"scope": "global"}, "scope was layer and is now global"),
    "controls": ({"controls": "random"}, "controls was reinit,random and is now random"),
    "seed": ({"seed": 1}, "seed was 0 and is now 1"),
    "validation": ({"validation": 41}, "validation was 40 and is now 41"),
    "evaluate_every": ({"evaluate_every": 6}, "evaluate-every was 5 and is now 6"),
    "model": ({"model": "mlp-12-9-8-3"}, "model was mlp-12-16-8-3 and is now mlp-12-9-8-3"),
    "data": ({"data": clusters(name="clouds")}, "data was clusters and is now clouds"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_any_other_difference_is_refused_and_named_and_the_file_is_left_alone(name, copy):
    changes, words = DIFFERENT[name]
    before, progress = copy.read_bytes(), Recorder()
    with pytest.raises(InputError, match=words):
        find(**{"trials": 2, **changes}, out=copy, callbacks=progress)
    assert progress.events == []
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize("part", ["x_train", "y_train", "x_test", "y_test"])
def test_data_that_changed_under_the_same_name_are_refused(part, copy):
    arrays = {name: getattr(DATA, name).copy() for name in ("x_train", "y_train", "x_test", "y_test")}
    arrays[part][0] = (arrays[part][0] + 1) % 3
    with pytest.raises(InputError, match="other data: clusters has changed since"):
        find(data=Dataset("clusters", **arrays, classes=3), trials=2, out=copy)


def test_another_architecture_under_the_same_name_is_refused(out):
    def make(rng):
        return plain(rng)

    find(make, out=out)
    find(make, out=out)

    def make(rng):
        return tt.nn.Sequential(tt.nn.Linear(12, 9, rng=rng), tt.nn.ReLU(), tt.nn.Linear(9, 3, rng=rng))

    with pytest.raises(InputError, match="another architecture of the model 'make'"):
        find(make, out=out)


def test_another_architecture_of_a_class_of_ones_own_is_refused(out):
    find(Counting(), out=out)
    with pytest.raises(InputError, match="another architecture of the model 'Counting'"):
        find(Counting(hidden=9), out=out)


def test_a_mask_that_does_not_follow_from_the_weights_is_noticed(copy):
    """Pruning is done again on the way: weights and masks that do not belong together are not silently continued."""
    with h5py.File(copy, "r+") as file:
        weights = file["trials/0/rounds/00/trained/fc1.weight"]
        weights[...] = weights[...][::-1]
    with pytest.raises(InputError, match="mask of trial 0, round 1 does not follow from the weights before it"):
        find(rounds=3, trials=2, out=copy)


def test_a_schedule_given_as_a_list_continues_its_own_file(out):
    for _ in range(2):
        find(schedule=MultiStep([5, 10]), rounds=0, out=out)


def test_settings_of_numpy_continue_those_of_python(copy):
    find(trials=np.int64(2), lr=np.float64(0.01), seed=np.int64(0), out=copy)


def test_data_that_have_another_name_now_are_called_by_it(out):
    find("mlp-64-10", tt.data.load("digits-360"), rounds=0, out=out)
    with pytest.raises(InputError, match="other data: digits has changed since and is digits-360 now"):
        find("mlp-64-10", tt.data.load("digits"), rounds=0, out=out)
