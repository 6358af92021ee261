"""Tickets of one experiment on the data of another."""

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import SMALL, Interrupt, InterruptAt, clusters, contents, differing, find
from tinyticket.errors import InputError
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify

OTHER = clusters(seed=4, name="others")


def transferred(source, **changes):
    settings = {name: value for name, value in SMALL.items() if name not in ("trials", "rounds")}
    return tt.lottery.find(masks_from=source, **{**settings, "data": OTHER, **changes})


@pytest.fixture(scope="module")
def moved(small):
    return transferred(small)


def test_masks_and_initial_weights_are_the_files_and_all_training_is_new(small, moved):
    assert [trial.number for trial in moved.trials] == [0, 1]
    for trial in (0, 1):
        initial = small.init(trial)
        assert all(np.array_equal(value, initial[name]) for name, value in moved.init(trial).items())
        for number in range(3):
            theirs, ours = small.round(trial, number), moved.round(trial, number)
            assert all(np.array_equal(mask, theirs.masks[name]) for name, mask in ours.masks.items())
            assert ours.history.tobytes() != theirs.history.tobytes()
            assert set(ours.controls) == (set() if number == 0 else {"reinit", "random"})


def test_the_same_file_whatever_the_workers_and_after_a_stop(moved, small, out, tmp_path):
    assert differing(contents(transferred(small, workers=2), tmp_path), contents(moved, tmp_path)) == []
    transferred(small.path, trials=1, rounds=1, out=out)
    assert differing(contents(transferred(small.path, out=out), tmp_path), contents(moved, tmp_path)) == []


def test_it_says_where_its_masks_are_from_and_can_be_checked_and_repeated(small, moved):
    assert moved.config["masks_from"].startswith("mlp-12-16-8-3 on clusters, seed 0, sha256:")
    assert "masks_from" not in small.config
    assert not any(check.failures for check in verify(moved, data=OTHER))
    for control in (None, "reinit", "random"):
        assert replay(moved, 1, 2, control, data=OTHER).agrees


def test_an_unfinished_one_can_be_checked_and_repeated_as_far_as_it_goes(small, out):
    with pytest.raises(Interrupt):
        transferred(small, controls="random", callbacks=InterruptAt("committed", 1), workers=1, out=out)
    unfinished = tt.load(out)
    assert [len(trial.rounds) for trial in unfinished.trials] == [2]
    assert replay(unfinished, 0, 1, "random", data=OTHER).agrees
    standing = {check.what: check.standing for check in verify(unfinished, data=OTHER)}
    assert "failed" not in standing.values()
    assert standing["networks start as the settings and the rounds before say"] == "passed"


def test_the_source_may_grow_but_not_be_another(out, tmp_path):
    source = tmp_path / "source.h5"
    find(out=source, rounds=1)
    transferred(source, out=out)
    find(out=source, rounds=2)
    assert len(transferred(source, out=out).trials[0].rounds) == 3
    with pytest.raises(InputError, match=r"masks-from was .* and is now"):
        transferred(find(seed=1), out=out)


def test_tickets_of_one_shot_pruning_can_be_moved_too():
    source = find(rounds=None, one_shot=[0.5, 0.2], scope="global")
    moved = transferred(source, rewind_to=4)
    assert [round.density for round in moved.trials[0].rounds] == [round.density for round in source.trials[0].rounds]
    assert moved.trials[0].rounds[2].history["iteration"][0] == 4


def test_trials_of_a_part_keep_their_numbers():
    moved = transferred(find(first_trial=2, trials=2, rounds=1, controls="none"), controls="none")
    assert [trial.number for trial in moved.trials] == [2, 3]
    assert not any(check.failures for check in verify(moved, data=OTHER))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prune": 0.3}, "nothing is pruned: leave prune out"),
        ({"one_shot": [0.3]}, "leave one-shot out"),
        ({"criterion": "snip"}, "leave criterion out"),
        ({"strategy": "continue"}, "leave strategy out"),
        ({"controls": "inverted"}, "the control inverted needs the scores"),
        ({"trials": 3}, "there is no trial 2"),
        ({"rounds": 3}, "there is no round 3"),
        ({"model": "mlp-12-9-3"}, "the model mlp-12-9-3 is not the network of"),
        ({"data": "digits"}, r"examples of shape \(12,\) of 3 classes; digits has \(1, 8, 8\) of 10"),
    ],
)
def test_what_does_not_fit_is_refused(changes, says, small):
    with pytest.raises(InputError, match=says):
        transferred(small, **changes)
