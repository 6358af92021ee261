"""Every criterion in the experiment: its own masks, exact counts, the same bits, and an inversion that is one."""

import itertools

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

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
from tinyticket.lottery import Experiment, stream
from tinyticket.lottery.pruning import AFTER_TRAINING, AT_INIT, Pruner
from tinyticket.lottery.replay.replay import replay
from tinyticket.nn import models

FRACTIONS = {"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1}
DENSITIES = [0.5, 0.2]
TOTAL = sum(SIZES.values())


def of(state):
    return {name: state[name] for name in SIZES}


def before_training(**changes):
    return find(rounds=None, one_shot=DENSITIES, **changes)


# -- after training


@pytest.mark.parametrize("criterion", AFTER_TRAINING)
def test_masks_are_the_criterions_own_with_the_counts_of_any_other(criterion):
    result = find(criterion=criterion, controls="inverted")
    rounds = result.trials[0].rounds
    assert [round.weights_left for round in rounds] == [344, 278, 225]
    for before, after in itertools.pairwise(rounds):
        expected = prune.prune_by(
            AFTER_TRAINING[criterion], of(before.trained), of(result.init(0)), before.masks, FRACTIONS,
            rng=stream(0, 0, "criterion", after.number), ties=result.config.get("ties", "index"),
        )  # fmt: skip
        assert equal_bytes(after.masks, expected)


def test_magnitude_is_what_it_always_was(small):
    result = find(trials=2, criterion="magnitude")
    for first, second in zip(result.trials, small.trials, strict=True):
        assert all(equal_bytes(a.masks, b.masks) for a, b in zip(first.rounds, second.rounds, strict=True))
    dense, ticket, _ = result.trials[0].rounds
    assert equal_bytes(ticket.masks, prune.magnitude(of(dense.trained), dense.masks, FRACTIONS))
    assert "criterion" not in result.config


def test_criteria_differ_from_each_other():
    masks = [find(criterion=name, rounds=1, controls="none").trials[0].rounds[1].masks for name in AFTER_TRAINING]
    kinds = {b"".join(mask.tobytes() for mask in found.values()) for found in masks}
    assert len(kinds) == len(AFTER_TRAINING) - 1  # magnitude is large_final


def test_movement_is_measured_from_theta_0_wherever_one_rewinds_to():
    result = find(criterion="movement", rewind_to=7, rounds=1)
    dense, ticket = result.trials[0].rounds
    moved = {name: np.abs(dense.trained[name] - result.init(0)[name]) for name in SIZES}
    for name, mask in ticket.masks.items():
        assert moved[name][~mask].max() <= moved[name][mask].min()


def test_inverted_keeps_the_dense_networks_smallest_scores():
    result = find(criterion="movement", controls="inverted")
    dense, *tickets = result.trials[0].rounds
    moved = {name: np.abs(dense.trained[name] - result.init(0)[name]) for name in SIZES}
    for ticket in tickets:
        for name, mask in ticket.controls["inverted"].masks.items():
            assert moved[name][mask].max() <= moved[name][~mask].min()


def test_global_scope_compares_scores_of_all_layers():
    result = find(criterion="movement", scope="global", prune=0.3)
    dense, ticket, _ = result.trials[0].rounds
    assert ticket.weights_left == 241
    moved = {name: np.abs(dense.trained[name] - result.init(0)[name]) for name in SIZES}
    gone = np.concatenate([moved[name][~mask] for name, mask in ticket.masks.items()])
    kept = np.concatenate([moved[name][mask] for name, mask in ticket.masks.items()])
    assert gone.max() <= kept.min()


@pytest.mark.parametrize("scope", ["uniform", "erk"])
@pytest.mark.parametrize("criterion", ["magnitude", "random", "snip"])
def test_densities_are_shared_among_layers_as_the_scope_says(scope, criterion):
    result = before_training(criterion=criterion, scope=scope)
    shapes = {name: mask.shape for name, mask in result.trials[0].rounds[0].masks.items()}
    for density, ticket in zip(DENSITIES, result.trials[0].rounds[1:], strict=True):
        shares = prune.allocate(shapes, density, scope)
        for name, mask in ticket.masks.items():
            assert mask.sum() == mask.size - prune.removed(mask.size, 1 - shares[name])
        assert abs(ticket.weights_left - density * TOTAL) <= 1.5


@pytest.mark.parametrize("criterion", ["magnitude", "snip"])
def test_the_first_layer_may_stay_dense(criterion):
    result = before_training(criterion=criterion, scope="uniform-first-dense", controls="random,inverted")
    for density, ticket in zip(DENSITIES, result.trials[0].rounds[1:], strict=True):
        for run in (ticket, *ticket.controls.values()):
            counts = {name: int(mask.sum()) for name, mask in run.masks.items()}
            expected = {name: size - prune.removed(size, 1 - density) for name, size in SIZES.items()}
            assert counts == {**expected, "fc1.weight": SIZES["fc1.weight"]}
        assert ticket.density == sum(counts.values()) / TOTAL


# -- before training


def batch(trial=0):
    x, y = Experiment(MODEL, DATA, **SMALL).examples.train
    chosen = stream(0, trial, "criterion").permutation(len(x))[: SMALL["batch_size"]]
    return x[chosen], y[chosen]


@pytest.mark.parametrize("criterion", AT_INIT)
@pytest.mark.parametrize("eager", [False, True])
def test_masks_before_training_are_those_of_theta_0_and_a_batch_of_the_trials_own(criterion, eager):
    result = before_training(criterion=criterion, trials=2, eager=eager, controls="none")
    assert result.config["scope"] == "global"
    for trial in (0, 1):
        theta_0 = models.create(MODEL, (12,), 3, stream(0, trial, "init"))
        for density, ticket in zip(DENSITIES, result.trials[trial].rounds[1:], strict=True):
            expected = prune.prune_at_init(AT_INIT[criterion], theta_0, density, data=batch(trial))
            assert equal_bytes(ticket.masks, expected)
            assert ticket.weights_left == prune.kept(TOTAL, density)
            assert ticket.origin["weights"] == "init"


@pytest.mark.parametrize("criterion", ["snip", "grasp"])
def test_a_batch_may_have_as_many_examples_of_each_class(criterion):
    result = before_training(criterion=criterion, samples_per_class=4, controls="none")
    x, y = Experiment(MODEL, DATA, **SMALL).examples.train
    drawn = list(stream(0, 0, "criterion").permutation(len(x)))
    chosen = [i for label in range(3) for i in [j for j in drawn if y[j] == label][:4]]
    theta_0 = models.create(MODEL, (12,), 3, stream(0, 0, "init"))
    for density, ticket in zip(DENSITIES, result.trials[0].rounds[1:], strict=True):
        assert equal_bytes(ticket.masks, prune.prune_at_init(criterion, theta_0, density, data=(x[chosen], y[chosen])))
    assert replay(result, 0, 1, data=DATA).agrees


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"criterion": "snip", "samples_per_class": 10**6},
            "samples-per-class is 1000000, but the training examples have .* of class",
        ),
        ({"criterion": "synflow", "samples_per_class": 2}, "leave it out for others"),
    ],
)
def test_examples_of_each_class_that_cannot_be_had_or_are_not_read_are_refused(changes, words):
    with pytest.raises(tt.errors.InputError, match=words):
        before_training(controls="none", **changes)


@pytest.mark.parametrize("criterion", AT_INIT)
def test_they_look_at_no_trained_weight(criterion):
    short, long = (before_training(criterion=criterion, iterations=n, controls="none") for n in (5, 20))
    for first, second in zip(short.trials[0].rounds[1:], long.trials[0].rounds[1:], strict=True):
        assert equal_bytes(first.masks, second.masks)


@pytest.mark.parametrize("criterion", AT_INIT)
def test_the_three_sanity_checks_run_beside_them(criterion):
    """Shuffle the mask inside layers, draw the survivors anew, invert the scores (Frankle et al. 2021)."""
    result = before_training(criterion=criterion, controls="random,reinit,inverted")
    for ticket in result.trials[0].rounds[1:]:
        counts = {name: int(mask.sum()) for name, mask in ticket.masks.items()}
        assert len(ticket.controls) == 3
        for control in ticket.controls.values():
            assert {name: int(mask.sum()) for name, mask in control.masks.items()} == counts


def test_inverted_before_training_keeps_the_smallest_of_every_layer():
    result = before_training(criterion="magnitude-init", controls="inverted")
    for ticket in result.trials[0].rounds[1:]:
        for name, mask in ticket.controls["inverted"].masks.items():
            magnitudes = np.abs(result.init(0)[name])
            assert magnitudes[mask].max() <= magnitudes[~mask].min()


@pytest.mark.parametrize("criterion", ["snip", "grasp"])
@pytest.mark.parametrize("eager", [False, True])
def test_a_layer_that_lost_everything_is_trained_all_the_same_and_so_are_its_controls(criterion, eager):
    """Layer collapse, as SynFlow's authors call it: the network answers with its biases."""
    result = find(
        rounds=None, one_shot=[0.02], criterion=criterion, controls="reinit,random,inverted,reshuffle", eager=eager
    )
    ticket = result.trials[0].rounds[1]
    assert prune.collapsed(ticket.masks)
    for run in (ticket, *ticket.controls.values()):
        assert run.weights_left == 7
        assert prune.collapsed(run.masks) == prune.collapsed(ticket.masks)


def test_pruning_at_0_is_no_control_of_itself():
    with pytest.raises(tt.errors.InputError, match="the control prune-at-0 came out equal to its ticket"):
        before_training(criterion="magnitude-init", scope="layer", controls="prune-at-0")


# -- going on


@pytest.mark.parametrize(
    "changes",
    [
        {"criterion": "movement"},
        {"criterion": "random"},
        {"criterion": "random", "scope": "global", "prune": 0.3},
        {"criterion": "random", "rounds": None, "one_shot": DENSITIES, "scope": "erk"},
        {"criterion": "large_init", "rewind": "lr"},
        {"criterion": "snip", "rounds": None, "one_shot": DENSITIES},
        {"criterion": "synflow", "rounds": None, "one_shot": DENSITIES, "scope": "uniform"},
    ],
    ids=str,
)
def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(changes, out):
    changes = {"controls": "inverted", **changes}
    interrupted(find, times=2, out=out, **changes)
    assert differing(contents(out), contents(find(**changes), out.parent)) == []


def test_another_criterion_is_another_experiment(out):
    find(rounds=1, out=out)
    with pytest.raises(tt.errors.InputError, match="criterion was magnitude and is now movement"):
        find(rounds=1, criterion="movement", out=out)


def test_masks_are_chosen_with_one_thread_of_blas_in_a_run_and_in_a_replay(monkeypatch):
    seen, prune_as_ever = [], Pruner.prune

    def note(self, *arguments):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return prune_as_ever(self, *arguments)

    monkeypatch.setattr(Pruner, "prune", note)
    with threadpool_limits(2, user_api="blas"):
        result = find(rounds=None, one_shot=[0.5], criterion="snip", controls="none")
        assert replay(result, 0, 1, data=DATA).agrees
    assert seen
    assert {*seen} == {1}


# -- ties

FLIPS = {"criterion": "large_final_diff_sign", "controls": "none"}


def test_ties_of_changed_signs_are_random_in_new_files_and_by_index_in_those_that_do_not_say(out):
    """A file of an earlier version has no such setting, and goes on to its own bits."""
    new, old = find(**FLIPS, rounds=1), find(**FLIPS, out=out, ties="index", rounds=1)
    assert new.config["ties"] == "random"
    assert "ties" not in old.config
    first, second = (result.trials[0].rounds[1].masks["fc1.weight"].sum(axis=1) for result in (new, old))
    assert second[:8].sum() > first[:8].sum()
    assert replay(old, 0, 1, data=DATA).agrees
    with pytest.raises(tt.errors.InputError, match="ties was index and is now random"):
        find(**FLIPS, out=out, rounds=2)
    assert len(tt.lottery.resume(out, data=DATA).trials[0].rounds) == 2


def test_a_run_with_random_ties_goes_on_and_replays_to_the_same_bits(out):
    changes = {**FLIPS, "controls": "inverted"}
    result = interrupted(find, out=out, **changes)
    assert differing(contents(result.path), contents(find(**changes), out.parent)) == []
    assert replay(result, 0, 2, data=DATA).agrees
    for ticket in result.trials[0].rounds[1:]:
        changed = {
            name: np.sign(result.trials[0].rounds[0].trained[name]) != np.sign(result.init(0)[name]) for name in SIZES
        }
        for name, mask in ticket.controls["inverted"].masks.items():
            assert not (mask & changed[name]).any() or (mask | changed[name]).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"criterion": "snip", "rounds": None, "one_shot": DENSITIES},
        {"method": "rigl", "rounds": None, "one_shot": [0.3]},
    ],
)
def test_ties_that_nothing_would_read_are_refused(changes):
    with pytest.raises(tt.errors.InputError, match=r"leave (criterion, )?ties"):
        find(ties="random", controls="none", **changes)
