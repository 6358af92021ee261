"""Experiments of networks that were never dense, whose connections move: SET, RigL among candidates, SRigL."""

import itertools
import math
import re

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, SMALL, contents, differing, find, interrupted
from tinyticket import nn, prune
from tinyticket.compiler import EagerStep
from tinyticket.data import batches
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.replay.barriers import barriers
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream
from tinyticket.results.analyses import movement, overlap, signs

MODEL = "sparse-mlp-12-16-8-3@0.4"  # its output layer is dense
SETTINGS = {"rounds": None, "one_shot": [1], "iterations": 40, "update_every": 6}
METHODS = ("set", "rigl-sampled", "srigl")


def moving(method, model=MODEL, **changes):
    return find(model, **{**SETTINGS, "method": method, **changes})


def connections(state, name):
    shapes = {"fc1": (16, 12), "fc2": (8, 16)}
    return nn.Connections(shapes[name], state[f"{name}.starts"], state[f"{name}.columns"])


def by_hand(method):
    """Train one eager step after another, moving connections as `prune` says."""
    experiment = Experiment(MODEL, DATA, **{**SMALL, **SETTINGS}, method=method, eager=True)
    model, step = experiment.model, experiment.trainer.step
    assert isinstance(step, EagerStep)
    model.load_state_dict(experiment.workshop.draw(stream(0, 0, "init")))
    (x, y), rng, end, grown = experiment.examples.train, stream(0, 0, method, 1), 30, 0
    layers = {"fc1.weight": model.fc1, "fc2.weight": model.fc2}
    order = batches(len(x), SMALL["batch_size"], stream(0, 0, "batches", 1))
    for t, batch in enumerate(itertools.islice(order, 40), start=1):
        update, found = t % 6 == 0 and t < end, {}
        if update and method != "set":
            for name, layer in layers.items():
                count = math.ceil(2 * layer.weight.size / layer.out_features)
                found[name] = prune.candidates(layer.connections, count, rng)
            gradients = step.gradients(x[batch], y[batch], found)
        else:
            step((x, y), batch)
        for i, (name, layer) in enumerate(layers.items() if update else ()):
            given = layer.connections, layer.weight.data, 0.15 * (1 + np.cos(np.pi * t / end))
            if method == "set":
                move = prune.set_move(*given, rng)
            else:
                of = prune.rigl_move if method == "rigl-sampled" else prune.srigl_move
                move = of(*given, found[name], gradients[name])
            place = next(i for i, each in enumerate(step.optimizer.params) if each is layer.weight)
            values = [layer.weight.data, *step.optimizer.slots(place)]
            for array in values:
                array[:] = [array[origin] if origin >= 0 else 0 for origin in move.origins]
            layer.connections, grown = move.connections, grown + move.grown
    return model.state_dict(), grown


@pytest.mark.parametrize("method", METHODS)
def test_the_training_is_that_of_single_steps(method):
    ticket = moving(method, eager=True, controls="none").trials[0].rounds[1]
    trained, grown = by_hand(method)
    assert ticket.origin["grown"] == grown > 0
    for name, value in trained.items():
        assert ticket.trained[name].tobytes() == value.tobytes()


@pytest.fixture(scope="module", params=METHODS)
def result(request):
    return moving(request.param)


def test_connections_move_and_networks_keep_their_size(result):
    (dense, ticket), theta_0 = result.trials[0].rounds, result.init(0)
    assert (dense.density, ticket.density) == (1.0, 1.0)
    assert ticket.origin["updates"] == 4
    assert ticket.plan["kernels"] == {"fc1.weight": "sparse", "fc2.weight": "sparse", "output.weight": "dense"}
    for name in ("fc1", "fc2"):
        first, last = connections(theta_0, name), connections(ticket.trained, name)
        assert first != last
        assert first.count == last.count
        if result.config["method"] == "srigl":
            np.testing.assert_array_equal(first.fan_in(), last.fan_in())
        for rests in (dense, ticket.controls["static"]):
            assert connections(rests.trained, name) == first
    assert ticket.controls["static"].origin["mask"] == "ticket"
    assert ticket.controls["static"].history[0].tobytes() == ticket.history[0].tobytes()
    model = result.model(0, 1)
    assert model.state_dict()["fc1.columns"].tobytes() == ticket.trained["fc1.columns"].tobytes()


def test_all_claims_of_the_file_hold(result):
    assert [(check.what, check.failures) for check in verify(result, data=DATA) if check.failures] == []


def test_connections_that_should_rest_and_do_not_are_found(result, tmp_path):
    result.save(path := tmp_path / "forged.h5")
    with h5py.File(path, "r+") as file:
        moved, rests = file["trials/0/rounds/01/trained"], file["trials/0/rounds/01/controls/static/trained"]
        for name in {"fc1.starts", "fc1.columns"} & {*moved}:  # with a constant fan-in starts stay
            rests[name] = moved[name][()]
    failures = str([check.failures for check in verify(tt.load(path), data=DATA)])
    assert re.search(r"trial 0, round 1, static: fc1.(starts, fc1.)?columns are not theta_0's", failures)


@pytest.mark.parametrize("what", [movement, signs, overlap, barriers])
def test_weights_of_different_connections_are_not_compared(result, what):
    with pytest.raises(InputError, match=r"trial 0, round 1, are of other connections \(fc1\."):
        what(result if what is not overlap else moving("set", trials=2, controls="none"))


def test_masks_are_not_taken_from_connections_that_moved(result):
    with pytest.raises(InputError, match=r"masks are taken with the connections of theta_0, and those of .* \(fc1\."):
        tt.lottery.find(data=DATA, masks_from=result)


def test_a_moving_network_replays_to_the_bit(result):
    assert replay(result, 0, 1, data=DATA).agrees


def test_a_run_that_was_interrupted_goes_on_to_the_same_bits_with_any_number_of_threads(result, out):
    interrupted(moving, method=result.config["method"], threads=2, out=out)
    assert differing(contents(out), contents(result, out.parent)) == []


def test_set_as_first_published_moves_a_constant_fraction_after_every_epoch():
    result = moving("set-original", update_every=None, drop=0.25, controls="static")
    ticket = result.trials[0].rounds[1]
    assert ticket.origin["updates"] > 1
    each = sum(0.25 * ticket.structure[f"{name}.columns"].size for name in ("fc1", "fc2"))
    assert ticket.origin["grown"] == pytest.approx(ticket.origin["updates"] * each, abs=2 * ticket.origin["updates"])
    assert replay(result, 0, 1, data=DATA).agrees
    assert [check.failures for check in verify(result, data=DATA) if check.failures] == []


def test_methods_of_masks_move_masks_of_connections_as_before():
    ticket = moving("rigl", one_shot=[0.5], controls="none").trials[0].rounds[1]
    assert ticket.density == pytest.approx(0.5, abs=0.02)
    assert ticket.origin["grown"] > 0


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("rigl", {}, "rigl moves masks, of densities below 1"),
        ("snfs", {}, "snfs moves masks, of densities below 1"),
        ("rigl-sampled", {"one_shot": [0.5]}, "give one-shot 1"),
        ("rigl-sampled", {"model": "mlp-12-16-8-3"}, "give one-shot 1"),
        ("srigl", {"one_shot": [0.5]}, "give one-shot 1"),
        ("set", {"scope": "uniform"}, "leave scope, salient, first-graph, first-weights out"),
        ("srigl", {"salient": 0.5}, "leave scope, salient, first-graph, first-weights out"),
        ("set", {"controls": "rewound"}, "the control rewound wants weights of theta_0"),
        ("set", {"controls": "static,reinit"}, "the control reinit wants weights of theta_0"),
        ("set", {"model": "mlp-12-16-8-3"}, "would remove none of"),
    ],
)
def test_what_does_not_go_together_is_refused(method, changes, words):
    with pytest.raises(InputError, match=words):
        moving(method, **changes)
