"""Pruning while training goes on: exact counts on the way, masks that only lose, and controls of what comes of it."""

import json

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    MODEL,
    SIZES,
    SMALL,
    contents,
    differing,
    equal_bytes,
    find,
    interrupted,
)
from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment, stream
from tinyticket.lottery.methods.gradual import Gradual, parse_gradual
from tinyticket.lottery.revision import Revision
from tinyticket.lottery.start import Start

WHEN = (2, 14, 3)  # 2, 5, 8, 11, 14 of 20 iterations
DENSITIES = [0.5, 0.2]


def gradual(**changes):
    return find(**{"rounds": None, "one_shot": DENSITIES, "gradual": WHEN, **changes})


class Watched(Revision):
    """Notes the state whenever masks change, and changes them as another does."""

    def __init__(self, revision):
        self._revision, self.iterations, self.seen = revision, revision.iterations, []

    def __call__(self, iteration, weights, masks):
        after = self._revision(iteration, weights, masks)
        self.seen.append((iteration, {name: weights[name].copy() for name in masks}, masks, after))
        return after


def train(revision, **changes):
    experiment = Experiment(MODEL, DATA, **{**SMALL, **changes})
    model = experiment.model
    start = Start(
        {n: np.ones(p.shape, bool) for n, p in model.prunable().items()},
        model.state_dict(),
        {"mask": "gradual"},
        revision=revision,
    )
    streams = (stream(0, 0, purpose, 1) for purpose in ("batches", "dropout"))
    return experiment.trainer.train(start, *streams), experiment


def magnitudes(weights, masks):
    return {name: np.abs(weights[name]) for name in masks}


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("eager", [False, True])
def test_each_pruning_removes_the_smallest_down_to_the_cubic_schedules_count(optimizer, eager):
    left = {"fc1.weight": 40, "fc2.weight": 30, "output.weight": 24}
    watched = Watched(Gradual(WHEN, left, SIZES, magnitudes))
    run, experiment = train(watched, optimizer=optimizer, eager=eager)
    assert [iteration for iteration, *_ in watched.seen] == [2, 5, 8, 11, 14]
    for iteration, weights, before, after in watched.seen:
        for name, size in SIZES.items():
            density = prune.cubic_density(iteration, left[name] / size, 2, 14)
            assert after[name].sum() == prune.kept(size, density)
            assert not (after[name] & ~before[name]).any()
            gone = before[name] & ~after[name]
            if gone.any():
                assert np.abs(weights[name][gone]).max() <= np.abs(weights[name][after[name]]).min()
    assert {name: mask.sum() for name, mask in run.masks.items()} == left
    for i, (name, _) in enumerate(experiment.model.named_parameters()):
        if name in run.masks:
            pruned = ~run.masks[name]
            for array in (run.trained[name], *experiment.trainer.optimizer.slots(i)):
                assert array[pruned].tobytes() == bytes(4 * np.count_nonzero(pruned))


def test_until_the_first_pruning_it_is_the_dense_training():
    pruned, dense = train(Gradual(WHEN, 100, SIZES, magnitudes), evaluate_every=1)[0], train(None, evaluate_every=1)[0]
    assert pruned.history[:2].tobytes() == dense.history[:2].tobytes()
    assert pruned.history["validation_loss"][5] != dense.history["validation_loss"][5]
    nothing, _ = train(Gradual(WHEN, 344, SIZES, magnitudes), evaluate_every=1)
    assert equal_bytes(nothing.trained, dense.trained)


def test_a_weight_that_comes_back_starts_at_0_with_slots_of_0():
    """Not gradual pruning's matter, but what dynamic sparse training relies on."""
    seen = []

    class Swap(Revision):
        iterations = (4, 8)

        def __call__(self, iteration, weights, masks):
            seen.append({name: weights[name].copy() for name in masks})
            even = {name: (np.arange(mask.size) % 2 == 0).reshape(mask.shape) for name, mask in masks.items()}
            return even if iteration == 4 else {name: ~mask for name, mask in even.items()}

    run, experiment = train(Swap(), optimizer="momentum", iterations=8)
    for i, (name, _) in enumerate(experiment.model.named_parameters()):
        if name in run.masks:
            assert not run.trained[name].any()  # pruned at 4, back at 8, and not trained since
            assert not experiment.trainer.optimizer.slots(i)[0].any()


# -- in the experiment


@pytest.mark.parametrize(
    "changes",
    [{}, {"eager": True}, {"criterion": "movement"}, {"criterion": "random", "scope": "global"}, {"scope": "erk"}],
    ids=str,
)
def test_tickets_have_the_counts_of_one_shot_pruning_and_resume_to_the_same_bits(changes, out):
    changes = {"controls": "reinit,random,inverted,prune-at-0", "trials": 2, **changes}
    whole = gradual(**changes)
    one_shot = find(rounds=None, one_shot=DENSITIES, **{**changes, "controls": "none"})
    for first, second in zip(whole.trials, one_shot.trials, strict=True):
        assert [r.weights_left for r in first.rounds] == [r.weights_left for r in second.rounds]
        assert equal_bytes(first.rounds[0].trained, second.rounds[0].trained)
        for ticket in first.rounds[1:]:
            for control in ticket.controls.values():
                assert {n: m.sum() for n, m in control.masks.items()} == {n: m.sum() for n, m in ticket.masks.items()}
    interrupted(gradual, times=3, out=out, **changes)
    assert differing(contents(out), contents(whole, out.parent)) == []


def test_one_stops_early_among_the_iterations_with_the_final_mask_only():
    for ticket in gradual(controls="none", evaluate_every=1).trials[0].rounds[1:]:
        assert ticket.history["iteration"].tolist() == list(range(21))
        assert ticket.early_stop_iteration >= 14
        late = ticket.history[14:]
        assert ticket.validation_loss == late["validation_loss"].min()


def test_the_file_says_how_it_was_pruned():
    result = gradual(controls="random")
    assert result.config["gradual"] == [2, 14, 3]
    ticket = result.trials[0].rounds[1]
    assert ticket.origin["mask"] == "gradual"
    assert ticket.controls["random"].origin["weights"] == "init"
    json.dumps(result.config)


# -- refusals


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"one_shot": None, "rounds": 2}, "give the densities with one-shot"),
        ({"criterion": "snip"}, "a criterion of trained weights"),
        ({"rewind_to": 3}, "leave mask-0, rewind, rewind-to and strategy out"),
        ({"rewind": "lr"}, "leave mask-0, rewind, rewind-to and strategy out"),
        ({"gradual": (2, 20, 3)}, "ends before the training does, after 20 iterations; not at 20"),
        ({"gradual": (2, 14, 5)}, "every 5 iterations does not divide 2 to 14"),
        ({"gradual": (14, 2, 3)}, "ends later; got 14 and 2"),
        ({"gradual": (2, 14, 0)}, "every 0 iterations does not divide"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        gradual(**changes)


def test_it_is_given_as_text_or_numbers():
    assert parse_gradual("100, 400,50") == parse_gradual([100, 400, 50]) == (100, 400, 50)
    assert parse_gradual(None) == ()
    for wrong in ("100", "1,2", "a,b,c", "1,2,3,4", "-1,5,2", 7):
        with pytest.raises(InputError, match="gradual wants the iterations"):
            parse_gradual(wrong)


def test_another_schedule_is_another_experiment(out):
    gradual(out=out, controls="none")
    with pytest.raises(tt.errors.InputError, match="gradual was 2,14,3 and is now 2,14,4"):
        gradual(out=out, controls="none", gradual="2,14,4")
