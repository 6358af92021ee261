"""Cannistraci-Hebb training as its authors run it, and the graphs and weights that networks whose mask moves start with."""

import itertools

import numpy as np
import pytest

from tests.lottery.experiments import DATA, SMALL, InterruptAt, contents, differing, find, interrupted
from tinyticket import prune
from tinyticket.data import batches
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream

PIXELS = int(np.prod(DATA.x_train.shape[1:]))
MODEL = f"mlp-{PIXELS}-{PIXELS}-{PIXELS}-{DATA.classes}"
SETTINGS = {"rounds": None, "one_shot": [0.2], "iterations": 40, "controls": "static"}


def original(model=MODEL, **changes):
    return find(model, **{**SETTINGS, "method": "cht-original", **changes})


def test_the_training_is_the_authors_step_by_step():
    result = original(eager=True, controls="none")
    experiment = Experiment(MODEL, DATA, **{**SMALL, **SETTINGS}, method="cht-original", eager=True)
    model, step, (x, y) = experiment.model, experiment.trainer.step, experiment.examples.train
    weights = model.prunable()
    shapes = {name: weight.shape for name, weight in weights.items()}
    densities = {**dict.fromkeys(shapes, 0.2), list(shapes)[-1]: 1.0}
    masks, rng = prune.random_masks(shapes, densities, stream(0, 0, "sparse", 1)), stream(0, 0, "cht-original", 1)
    model.load_state_dict(experiment.workshop.draw(stream(0, 0, "init")))
    for name, weight in weights.items():
        weight.mask = masks[name]
    epoch, updates = len(x) // SMALL["batch_size"], 0
    order = batches(len(x), SMALL["batch_size"], stream(0, 0, "batches", 1))
    for t, batch in enumerate(itertools.islice(order, 40), start=1):
        step((x, y), batch)
        if t % epoch == 0 and t < 40:
            trained = {name: weight.data.copy() for name, weight in weights.items()}
            after = prune.original_cht_masks(trained, masks, 0.3, rng, 1 + 2 * t / 40)
            for i, parameter in enumerate(step.optimizer.params):
                for name in (name for name, weight in weights.items() if weight is parameter):
                    gone = ~(masks[name] & after[name])
                    parameter.mask = after[name]
                    parameter.data[gone] = 0
                    for slot in step.optimizer.slots(i):
                        slot[gone] = 0
            masks, updates = after, updates + 1
    ticket = result.trials[0].rounds[1]
    assert ticket.origin["updates"] == updates > 0
    for name, mask in masks.items():
        np.testing.assert_array_equal(ticket.masks[name], mask)
    for name, value in model.state_dict().items():
        assert ticket.trained[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("method", ["cht-original", "set", "rigl"])
@pytest.mark.parametrize("graph", ["small-world:0.25", "scale-free", "receptive-field:0.3", "correlated"])
def test_a_network_starts_from_the_graph_that_is_asked_for(method, graph):
    result = original(
        method=method, first_graph=graph, scope="uniform-last-dense", **({} if method[0] == "c" else EVERY)
    )
    ticket = result.trials[0].rounds[1]
    shapes = {name: mask.shape for name, mask in ticket.masks.items()}
    densities = {**dict.fromkeys(shapes, 0.2), list(shapes)[-1]: 1.0}
    inputs = Experiment(MODEL, DATA, **{**SMALL, **SETTINGS}, method="cht-original").examples.train[0]
    expected = prune.graph_masks(shapes, densities, graph, stream(0, 0, "sparse", 1), inputs)
    for name, mask in expected.items():
        np.testing.assert_array_equal(ticket.start_masks[name], mask)
        np.testing.assert_array_equal(ticket.controls["static"].masks[name], mask)
    assert any((ticket.masks[name] != mask).any() for name, mask in expected.items())


EVERY = {"update_every": 6}


def test_scaled_weights_have_the_variance_that_their_number_asks_for():
    result = original(first_weights="scaled")
    ticket, theta_0 = result.trials[0].rounds[1], result.init(0)
    for control in (None, "static"):
        start = result.start(0, 1, control)
        *sparse, last = ticket.start_masks
        for name in sparse:
            mask = ticket.start_masks[name]
            wanted = np.sqrt(2 / (mask.sum() / len(mask))) / theta_0[name].std()
            np.testing.assert_allclose(start[name], np.where(mask, theta_0[name] * wanted, 0), rtol=1e-5)
        np.testing.assert_array_equal(start[last], theta_0[last])
        assert all((start[name] == value).all() for name, value in theta_0.items() if name not in ticket.masks)
    assert ticket.origin["weights"] == ticket.controls["static"].origin["weights"] == "scaled"
    model = result.model(0, 1, "start")
    np.testing.assert_array_equal(model.state_dict()[sparse[0]], result.start(0, 1)[sparse[0]])


def test_a_file_verifies_and_replays():
    result = original(first_graph="correlated", first_weights="scaled", trials=2)
    assert [check.what for check in verify(result, data=DATA) if check.failures] == []
    for control in (None, "static"):
        assert replay(result, 1, 1, control, data=DATA).agrees


def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(out):
    settings = {"first_graph": "receptive-field:0.3", "first_weights": "scaled", "trials": 2}
    interrupted(original, times=3, out=out, **settings)
    assert differing(contents(out), contents(original(**settings), out.parent)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first_weights": "large"}, "no way to start weights is called 'large'"),
        (
            {"first_weights": "scaled", "controls": "static,reinit"},
            "the control reinit starts with weights of another size",
        ),
        ({"first_graph": "ring"}, "no graph is called 'ring'"),
        ({"method": "srigl", "first_graph": "scale-free"}, "first-graph is a setting of the method .*not of srigl"),
        (
            {"method": "tickets", "first_weights": "scaled", "controls": "none"},
            "first-weights is a setting of the method",
        ),
        ({"update_every": 6}, "update-every is a setting of the method .*not of cht-original"),
        ({"model": f"mlp-{PIXELS}-9-{DATA.classes}", "first_graph": "correlated"}, f"as the {PIXELS} pixels, not 9 x"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        original(callbacks=InterruptAt("training_begun"), **changes)  # before anything is trained


def test_networks_that_were_never_dense_have_their_own_graph():
    model = f"sparse-mlp-{PIXELS}-20-{DATA.classes}@0.2"
    for changes in ({"first_graph": "scale-free"}, {"first_weights": "scaled"}):
        with pytest.raises(InputError, match="leave scope, salient, first-graph, first-weights out"):
            original(model, method="set", one_shot=[1], **EVERY, **changes)
