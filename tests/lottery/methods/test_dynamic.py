"""Experiments whose masks are found while a network trains: SET, RigL, SRigL, SNFS, CHT."""

import itertools
import json
from concurrent.futures import Future
from threading import Timer

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    MODEL,
    SIZES,
    SMALL,
    Interrupt,
    InterruptAt,
    contents,
    differing,
    find,
    interrupted,
)
from tinyticket import prune
from tinyticket.compiler import EagerStep
from tinyticket.data import batches
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.methods.dynamic import DECAY, WINDOW
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream
from tinyticket.lottery.trial import Memory

SETTINGS = {"rounds": None, "one_shot": [0.3, 0.15], "iterations": 40, "update_every": 6}

SPARSE = ("set", "set-original", "rigl", "rigl-original", "srigl", "snfs", "snfs-grow", "cht", "cht-soft")


def sparse(method="rigl", **changes):
    changes = {**SETTINGS, "method": method, **changes}
    if changes["method"] == "set-original":
        del changes["update_every"]
    return find(**changes)


def counts(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


def by_hand(method, round, iterations=40, every=6, optimizer="adam"):
    """Train the network of a round one eager step after another, changing its mask as the papers say."""
    experiment = Experiment(MODEL, DATA, **{**SMALL, **SETTINGS}, method=method, eager=True, optimizer=optimizer)
    model, step = experiment.model, experiment.trainer.step
    assert isinstance(step, EagerStep)
    density = SETTINGS["one_shot"][round - 1]
    shapes = {name: weight.shape for name, weight in model.prunable().items()}
    draw = prune.constant_fan_in_masks if method == "srigl" else prune.random_masks
    masks = draw(shapes, prune.erdos_renyi_kernel(shapes, density), stream(0, 0, "sparse", round))
    budget = counts(masks)
    model.load_state_dict(experiment.workshop.draw(stream(0, 0, "init")))
    for name, weight in model.prunable().items():
        weight.mask = masks[name]
    x, y = experiment.examples.train
    order = batches(len(x), SMALL["batch_size"], stream(0, 0, "batches", round))
    rng, momentum, end = stream(0, 0, method, round), {}, 30
    for t, batch in enumerate(itertools.islice(order, iterations), start=1):
        update = t % every == 0 and t < end
        if method == "rigl-original":
            update = t == 1 or (t % every == 0 and t <= end)
        gradients = step.gradients(x[batch], y[batch])
        if t % every == 1:
            momentum = {}
        for name in masks:
            momentum[name] = DECAY * momentum.get(name, 0) + gradients[name]
        if not (update and method in ("rigl", "rigl-original", "srigl")):
            step((x, y), batch)
        if update:
            weights = {name: weight.data.copy() for name, weight in model.prunable().items()}
            fraction = 0.15 * (1 + np.cos(np.pi * t / end))
            if method.startswith("cht"):
                after = prune.cht_masks(weights, masks, fraction, rng, soft=method == "cht-soft")
            elif method == "set":
                after = prune.set_masks(weights, masks, fraction, rng)
            elif method == "rigl-original" and t == end:
                after = masks
            elif method == "rigl-original":
                after = prune.rigl_masks(weights, masks, gradients, fraction, round_down=True)
            elif method == "rigl":
                after = prune.rigl_masks(weights, masks, gradients, fraction)
            elif method == "srigl":
                after = prune.srigl_masks(weights, masks, gradients, fraction, budget=budget)
            else:
                after = prune.snfs_masks(weights, masks, momentum, fraction, redistribute=method == "snfs")
            for i, parameter in enumerate(step.optimizer.params):
                for name, weight in model.prunable().items():
                    if weight is parameter:
                        kept = masks[name] & after[name]
                        weight.mask = after[name]
                        weight.data[~kept] = 0
                        for slot in step.optimizer.slots(i):
                            slot[~kept] = 0
            masks = after
    return masks, model.state_dict()


@pytest.mark.parametrize("method", ["set", "rigl", "rigl-original", "srigl", "snfs", "snfs-grow", "cht", "cht-soft"])
def test_the_training_is_the_papers_step_by_step(method):
    assert SETTINGS["update_every"] < WINDOW  # so that the momentum is of all steps since the update before
    result = sparse(method, eager=True, controls="none")
    for round in (1, 2):
        masks, trained = by_hand(method, round)
        ticket = result.trials[0].rounds[round]
        for name, mask in masks.items():
            np.testing.assert_array_equal(ticket.masks[name], mask)
        for name, value in trained.items():
            assert ticket.trained[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("method", SPARSE)
def test_masks_move_and_networks_keep_their_size(method, eager):
    result = sparse(method, eager=eager, controls="none")
    shapes = {name: value.shape for name, value in result.init(0).items() if name in SIZES}
    for density, ticket in zip(SETTINGS["one_shot"], result.trials[0].rounds[1:], strict=True):
        erk = prune.erdos_renyi_kernel(shapes, density)
        exact = {name: prune.kept(SIZES[name], share) for name, share in erk.items()}
        if method == "srigl":
            exact = {name: shapes[name][0] * prune.fan_in(shapes[name][1], share) for name, share in erk.items()}
        assert counts(ticket.start_masks) == exact
        if method == "srigl":  # remainders are left out where a neuron was ablated
            assert 0 <= sum(exact.values()) - ticket.weights_left < 16 + 8
        else:
            assert ticket.weights_left == sum(exact.values())
        if method not in ("snfs", "srigl"):
            assert counts(ticket.masks) == exact
        assert any((ticket.masks[name] != mask).any() for name, mask in ticket.start_masks.items())
        assert ticket.origin["updates"] == (6 if method == "rigl-original" else 4)
        assert ticket.origin["grown"] > 0
        for name, mask in ticket.masks.items():
            assert not ticket.trained[name][~mask].view(np.uint32).any()


def test_rigl_original_moves_every_iteration_if_that_is_asked_for():
    ticket = sparse("rigl-original", controls="none", update_every=1, one_shot=[0.3], iterations=8).trials[0].rounds[1]
    assert ticket.origin["updates"] == 6


def test_the_dense_network_is_that_of_any_other_experiment():
    dense = sparse(controls="none").trials[0].rounds[0]
    pruned = find(rounds=None, one_shot=[0.5], iterations=40, controls="none").trials[0].rounds[0]
    assert dense.history.tobytes() == pruned.history.tobytes()


def test_static_is_the_same_start_never_changed_and_rewound_the_final_mask_at_theta_0():
    result = sparse(controls="static,rewound,reinit,random,prune-at-0")
    ticket = result.trials[0].rounds[1]
    static, rewound = ticket.controls["static"], ticket.controls["rewound"]
    assert static.origin["mask"] == {"stream": [0, 0, "sparse", 1]}
    for name, mask in ticket.start_masks.items():
        np.testing.assert_array_equal(static.masks[name], mask)
        np.testing.assert_array_equal(rewound.masks[name], ticket.masks[name])
        np.testing.assert_array_equal(ticket.controls["reinit"].masks[name], ticket.masks[name])
    assert static.history[0].tobytes() == ticket.history[0].tobytes()  # before any training
    assert static.history["test_loss"][1] == ticket.history["test_loss"][1]  # before the first update
    assert static.history["test_loss"][-1] != ticket.history["test_loss"][-1]
    assert counts(ticket.controls["random"].masks) == counts(ticket.masks)
    assert sparse("set").trials[0].rounds[1].controls.keys() == {"static"}  # if nothing else is said


def test_all_methods_start_from_one_mask():
    starts = [sparse(method, controls="none").trials[0].rounds[1].start_masks for method in ("set", "rigl", "snfs")]
    for other in starts[1:]:
        for name, mask in starts[0].items():
            np.testing.assert_array_equal(other[name], mask)


@pytest.mark.parametrize("method", SPARSE)
def test_a_run_that_was_interrupted_goes_on_to_the_same_bits_with_any_number_of_threads(method, out):
    interrupted(sparse, times=3, method=method, trials=2, threads=2, out=out)
    assert differing(contents(out), contents(sparse(method, trials=2, threads=1), out.parent)) == []


def test_another_first_mask_in_the_file_is_noticed(out):
    with pytest.raises(Interrupt):
        sparse(out=out, callbacks=InterruptAt("committed", 1))
    import h5py

    with h5py.File(out, "r+") as file:
        packed = file["trials/0/rounds/01/start_mask/fc1.weight"]
        packed[0] = packed[0] ^ 255
    with pytest.raises(InputError, match="does not follow"):
        sparse(out=out)


def test_the_file_tells_where_a_network_started():
    result = sparse(controls="none")
    ticket = result.trials[0].rounds[1]
    assert ticket.origin["mask"] == {"stream": [0, 0, "sparse", 1], "moved": [0, 0, "rigl", 1]}
    assert result.config["method"] == "rigl"
    assert result.config["update_every"] == 6
    start, theta_0 = result.start(0, 1), result.init(0)
    for name, mask in ticket.start_masks.items():
        np.testing.assert_array_equal(start[name], np.where(mask, theta_0[name], 0))
    model = result.model(0, 1, "start")
    assert all((weight.mask == ticket.start_masks[name]).all() for name, weight in model.prunable().items())
    json.dumps(result.config)
    assert result.verdict["text"]


def test_neurons_keep_one_fan_in_and_none_is_ablated_if_that_is_asked_for():
    for salient in (0.0, 0.9):
        result = sparse("srigl", salient=salient, iterations=120, controls="static")
        for ticket in result.trials[0].rounds[1:]:
            fan_ins = {name: {*mask.sum(axis=1)} for name, mask in ticket.masks.items()}
            assert all(len(of_layer - {0}) == 1 for of_layer in fan_ins.values())
            assert any(0 in of_layer for of_layer in fan_ins.values()) == (salient > 0)
            assert 0 not in fan_ins["output.weight"]
            assert counts(ticket.controls["static"].masks) == counts(ticket.start_masks)
        checks = verify(result, data=DATA)
        assert [(check.what, check.failures) for check in checks if check.failures] == []


def test_a_gradual_network_started_dense():
    result = find(rounds=None, one_shot=[0.3], gradual=(2, 14, 3), controls="rewound")
    ticket = result.trials[0].rounds[1]
    assert all(mask.all() for mask in ticket.start_masks.values())
    assert counts(ticket.controls["rewound"].masks) == counts(ticket.masks)


def test_what_follows_an_update_of_every_iteration_is_still_a_history():
    result = sparse(update_every=1, evaluate_every=1, controls="none", iterations=8, one_shot=[0.3])
    ticket = result.trials[0].rounds[1]
    assert np.isfinite(ticket.history["train_loss"][1:]).all()
    assert ticket.origin["updates"] == 5


def test_set_as_first_published_draws_new_weights():
    result = sparse("set-original", controls="none", optimizer="sgd", lr=1e-9, iterations=9, one_shot=[0.3])
    ticket, start = result.trials[0].rounds[1], result.start(0, 1)
    for name in ("fc1.weight", "fc2.weight"):
        grown = ticket.masks[name] & ~ticket.start_masks[name]
        assert grown.any()
        assert ticket.trained[name][grown].all()
        stayed = ticket.masks[name] & ticket.start_masks[name] & (start[name] != 0)
        np.testing.assert_allclose(ticket.trained[name][stayed], start[name][stayed], rtol=1e-4)


# -- refusals


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "rigg"}, "did you mean 'rigl'"),
        ({"one_shot": None, "rounds": 2}, "give the densities with one-shot"),
        ({"criterion": "snip"}, "leave criterion, ties, gradual, mask-0, rewind"),
        ({"rewind_to": 3}, "leave criterion, ties, gradual, mask-0, rewind"),
        ({"gradual": (2, 14, 3)}, "leave criterion, ties, gradual, mask-0, rewind"),
        ({"scope": "global"}, "has a density for each layer"),
        ({"controls": "inverted"}, "keeps the smallest scores of a criterion, and rigl has none"),
        ({"controls": "static-2"}, "no control is called 'static-2'"),
        ({"drop": 1.0}, "between 0 and 1"),
        ({"update_every": 0}, "update every is a whole number of at least 1"),
        ({"update_every": 30}, "rigl would never move its mask in 40 iterations"),
        (
            {"method": "tickets"},
            "update-every is a setting of the method set or rigl or rigl-original or rigl-sampled or srigl or",
        ),
        ({"salient": 0.5}, "salient is a setting of the method srigl, not of rigl"),
        ({"method": "srigl", "salient": 1.0}, "the share of salient weights is at least 0 and below 1"),
        ({"method": "tickets", "update_every": 100, "controls": "static"}, "the control static keeps the random mask"),
        ({"method": "tickets", "update_every": 100, "controls": "rewound"}, "what a ticket is already"),
        (
            {"method": "early-bird", "update_every": 100, "controls": "static"},
            "with the method early-bird there is none",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        sparse(**{"controls": "none", **changes})


def test_gradual_pruning_has_no_static_control():
    with pytest.raises(InputError, match="with the method gradual there is none"):
        find(rounds=None, one_shot=[0.3], gradual=(2, 14, 3), controls="static")


def test_set_original_has_its_own_interval():
    with pytest.raises(InputError, match=r"update-every is a setting of the method set or .*not of set-original"):
        find(**{**SETTINGS, "method": "set-original"})


def test_another_method_is_another_experiment(out):
    sparse(out=out, controls="none")
    with pytest.raises(tt.errors.InputError, match="method was rigl and is now set"):
        sparse("set", out=out, controls="none")


def test_a_network_whose_mask_moves_does_not_wait_for_the_dense_one():
    class AllAskedError(Exception):
        pass

    asked = []

    def submit(job):
        asked.append(job.training.round)
        if len(asked) == 3:
            raise AllAskedError
        never = Future()
        ended = Timer(20, never.set_exception, [TimeoutError("it waits for the first to end")])
        ended.daemon = True
        ended.start()
        return never

    experiment = Experiment(MODEL, DATA, **(SMALL | SETTINGS), method="rigl", controls="none")
    with pytest.raises(AllAskedError):
        experiment.trial(0, Memory(), submit).run()
    assert asked == [0, 1, 2]
