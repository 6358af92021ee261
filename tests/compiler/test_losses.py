"""Compiled steps of targets that are numbers, against eager ones."""

import copy

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.compiler import EagerStep
from tinyticket.errors import InputError
from tinyticket.nn import Conv2d, Flatten, Linear, ReLU, Sequential, Tanh
from tinyticket.nn.losses import MeanSquaredError
from tinyticket.optim import SGD, Adam

RNG = np.random.default_rng(0)


def network(kind):
    if kind == "mlp":
        return Sequential(Flatten(), Linear(72, 20, rng=0), Tanh(), Linear(20, 2, rng=1))
    return Sequential(Conv2d(2, 4, 3, rng=0), ReLU(), Flatten(), Linear(64, 2, rng=1))


@pytest.mark.parametrize("kind", ["mlp", "images"])
def test_steps_evaluations_and_gradients_are_those_of_the_autograd(kind):
    x, y = (RNG.standard_normal(shape).astype(np.float32) for shape in ((70, 2, 6, 6), (70, 2)))
    model = network(kind)
    twin = copy.deepcopy(model)
    compiled = tt.compile(model, "mse_loss", SGD(model.parameters(), 0.05, 0.9), 32, input_shape=(2, 6, 6))
    eager = EagerStep(twin, SGD(twin.parameters(), 0.05, 0.9), loss=MeanSquaredError())
    assert compiled.compiled
    name = "3.weight" if kind == "mlp" else "0.weight"
    for weights in (model.prunable(), twin.prunable()):
        weights[name].mask = np.arange(weights[name].data.size).reshape(weights[name].shape) % 3 > 0
    for batch in (np.arange(32), np.arange(40, 60), np.arange(7)):
        assert compiled((x, y), batch) == pytest.approx(eager((x, y), batch), rel=1e-4)
    assert compiled(x[:5], y[:5]) == pytest.approx(eager(x[:5], y[:5]), rel=1e-4)
    assert compiled.evaluate((x, y)) == pytest.approx(eager.evaluate((x, y)), rel=1e-4, abs=1e-5)
    ours, theirs = compiled.gradients(x[:20], y[:20]), eager.gradients(x[:20], y[:20])
    for name, gradient in theirs.items():
        np.testing.assert_allclose(ours[name], gradient, rtol=1e-3, atol=1e-5)
    for (name, one), (_, other) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-3, atol=1e-5, err_msg=name)


def test_targets_of_one_number_may_stand_in_a_row_and_others_are_refused():
    model = Sequential(Linear(4, 8, rng=0), ReLU(), Linear(8, 1, rng=1))
    step = tt.compile(model, tt.nn.functional.mse_loss, Adam(model.parameters(), 0.01), 16)
    x, y = RNG.standard_normal((50, 4)).astype(np.float32), RNG.standard_normal(50).astype(np.float32)
    first = step((x, y), np.arange(16))
    assert step((x, y[:, None]), np.arange(16)) < first
    for wrong in (y[:, None] * [1, 2], y[:40], np.arange(50)):
        with pytest.raises(InputError, match=r"targets are real numbers of shape \(50, 1\)"):
            step((x, wrong), np.arange(16))


@pytest.mark.parametrize("loss", ["mse_loss", "cross_entropy"])
def test_examples_that_count_differently_are_refused(loss):
    model = Sequential(Linear(4, 8, rng=0), ReLU(), Linear(8, 2, rng=1))
    step = tt.compile(model, loss, Adam(model.parameters(), 0.01), 16)
    x = RNG.standard_normal((20, 4)).astype(np.float32)
    y = tt.data.weighted(x[:, :2] if loss == "mse_loss" else np.arange(20) % 2, np.ones(20))
    for use in (lambda: step((x, y), np.arange(16)), lambda: step(x[:16], y[:16]), lambda: step.evaluate((x, y))):
        with pytest.raises(InputError, match="all examples count the same"):
            use()
