"""Trainings whose normalisation is interpolated (AWS), in an experiment and by hand."""

import itertools

import numpy as np
import pytest

from tests.lottery.experiments import DATA, SMALL, InterruptAt, contents, differing, find, interrupted
from tinyticket.autograd import Tensor
from tinyticket.data import batches
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream

MODEL = "mlp-12-16-8-3-norm"
SETTINGS = {"interpolate_norms": True, "rewind": "lr", "rounds": 1, "iterations": 30}
CONTROLS = {"controls": "reinit,reinit-trained-signs"}


def interpolated(model=MODEL, **changes):
    return find(model, **{**SETTINGS, "controls": "none", **changes})


def by_hand(start, masks, round, first=0, **changes):
    """Train with values put into the layers before every step, and their gradients into what is trained after it."""
    settings = {**SMALL, **SETTINGS, "interpolate_norms": False, "eager": True, **changes}
    experiment = Experiment(MODEL, DATA, **settings)
    model, optimizer, (x, y) = experiment.model, experiment.trainer.optimizer, experiment.examples.train
    model.load_state_dict(start)
    for name, weight in model.prunable().items():
        weight.mask = masks[name]
    norms = [
        (parameter, start)
        for norm in (model.norm1, model.norm2)
        for parameter, start in ((norm.weight, 1), (norm.bias, 0))
    ]
    order, rng = batches(len(x), SMALL["batch_size"], stream(0, 0, "batches", round)), stream(0, 0, "dropout", round)
    rng.random(first, dtype=np.float32)
    for batch in itertools.islice(order, first, 30):
        share, own = rng.random(dtype=np.float32), [parameter.data.copy() for parameter, _ in norms]
        for parameter, begin in norms:
            parameter.data[...] = parameter.data * (1 - share) + share * np.float32(begin)
        optimizer.zero_grad()
        experiment.trainer.step.loss(model.train()(Tensor(x[batch])), y[batch]).backward()
        for (parameter, _), value in zip(norms, own, strict=True):
            parameter.data[...] = value
            parameter.grad = parameter.grad * (1 - share)
        optimizer.step()
    return model.state_dict()


def test_the_training_is_that_of_interpolated_parameters_step_by_step():
    result = interpolated()
    dense, ticket = result.trials[0].rounds
    for round, start in ((dense, result.init(0)), (ticket, result.start(0, 1))):
        for name, value in by_hand(start, round.masks, round.number).items():
            np.testing.assert_allclose(round.trained[name], value, rtol=2e-4, atol=2e-6, err_msg=name)
        assert round.plan == {"mode": "eager"}


def test_it_trains_another_network():
    plain, other = (interpolated(interpolate_norms=chosen).trials[0].rounds[0] for chosen in (False, True))
    assert (plain.trained["norm1.weight"] != other.trained["norm1.weight"]).any()


@pytest.mark.parametrize(
    "changes", [{}, {"model": "mlp-12-16-8-3-norm-dropout0.2", "rewind": "weights", "rewind_to": 7}]
)
def test_a_file_verifies_replays_and_resumes(changes, out):
    changes = {**changes, **CONTROLS, "rounds": 2}
    interrupted(interpolated, times=2, out=out, **changes)
    result = interpolated(**changes)
    assert differing(contents(out), contents(result, out.parent)) == []
    assert [check.what for check in verify(result, data=DATA) if check.failures] == []
    for control in (None, "reinit-trained-signs"):
        assert replay(result, 0, 1, control, data=DATA).agrees


def test_late_rewinding_goes_on_with_the_draws_of_the_iterations_to_come():
    late = interpolated(rewind="weights", rewind_to=10, optimizer="sgd", lr=0.1)
    ticket, start = late.trials[0].rounds[1], late.start(0, 1)
    for name, value in by_hand(start, ticket.masks, 1, first=10, optimizer="sgd", lr=0.1).items():
        np.testing.assert_allclose(ticket.trained[name], value, rtol=2e-4, atol=2e-6, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "mlp-12-16-3"}, "wants a network with normalisation, and this one has none"),
        (
            {"method": "set", "one_shot": [0.5], "rounds": None, "rewind": "weights"},
            "for tickets, not for the method set",
        ),
        ({"device": "cuda"}, "device cuda and interpolate-norms exclude each other"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        interpolated(callbacks=InterruptAt("training_begun"), **changes)  # before anything is trained
