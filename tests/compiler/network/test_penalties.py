"""L1 penalties in compiled networks: those of eager training."""

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import OPTIMIZERS, assert_equal_bits, assert_equal_to_rounding, compiled, examples, twins
from tests.compiler.networks import network as build
from tinyticket.errors import InputError

SHAPE, STRENGTH = (3, 8, 8), 0.05
DATA = examples(SHAPE)


def network(end="layers"):
    return build(("conv3", "norm relu", "residual", "projection"), end, SHAPE)


def scales(step):
    return [p for name, p in step.model.named_parameters() if p.ndim == 1 and name.endswith("weight")]


def train(step, steps=4):
    return [step(DATA, np.arange(i * 16, (i + 1) * 16)) for i in range(steps)]


@pytest.mark.parametrize("make", ["sgd", "momentum", "nesterov"])
def test_they_are_those_of_eager_steps(make):
    step, eager = twins(network(), make)
    for one in (step, eager):
        one.optimizer.penalise(scales(one), STRENGTH)
        train(one)
    assert_equal_to_rounding(step.model, eager.model)
    free = compiled(network(), make)
    train(free)
    assert all(np.abs(p.data).sum() < np.abs(q.data).sum() for p, q in zip(scales(step), scales(free), strict=True))


def test_under_adam_too():
    step, eager = twins(network(), "adam")
    for one in (step, eager):
        one.optimizer.penalise(scales(one), STRENGTH)
        train(one)
    for ours, theirs in zip(scales(step), scales(eager), strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-4, atol=1e-4)


def test_one_that_begins_or_ends_between_two_steps_is_heeded():
    step, eager = twins(network())
    for strength in (0, STRENGTH, 2 * STRENGTH, 0):
        for one in (step, eager):
            one.optimizer.penalise(scales(one), strength)
            train(one, 2)
    assert_equal_to_rounding(step.model, eager.model, 1e-4)


def test_one_of_zero_changes_no_bit():
    step, free = compiled(network()), compiled(network())
    step.optimizer.penalise(scales(step), 0)
    assert train(step) == train(free)
    assert_equal_bits(step.model, free.model)


def test_threads_change_no_bit():
    steps = [compiled(network(), threads=threads) for threads in (1, 2)]
    for step in steps:
        step.optimizer.penalise(scales(step), STRENGTH)
    assert train(steps[0]) == train(steps[1])
    assert_equal_bits(steps[0].model, steps[1].model)


def test_gradients_are_of_the_loss_alone():
    step, free = (compiled(network("global")) for _ in range(2))  # without dropout, which draws anew
    step.optimizer.penalise(scales(step), STRENGTH)
    train(step, 1)
    free.model.load_state_dict(step.model.state_dict())
    x, y = DATA[0][:16], DATA[1][:16]
    ours, theirs = step.gradients(x, y), free.gradients(x, y)
    for name, gradient in ours.items():
        np.testing.assert_allclose(gradient, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_what_no_kernel_does_is_refused():
    step = compiled(network())
    step.optimizer.penalise(step.model.parameters(), STRENGTH)
    with pytest.raises(InputError, match="not for weights of linear layers: train eagerly"):
        train(step)
    model = tt.models.create("mlp-12-5-3", (12,), 3, rng=0)
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    optimizer.penalise([list(model.parameters())[1]], STRENGTH)
    with pytest.raises(InputError, match="in networks with convolutions or normalisation"):
        tt.compile(model, "cross_entropy", optimizer, 4)(np.zeros((4, 12), np.float32), np.zeros(4, np.int64))
