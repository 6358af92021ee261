"""Sign-In against its two factors moved one weight at a time, and against the flow that it follows."""

import math

import numpy as np
import pytest

from tests.lottery.experiments import find
from tinyticket import nn, optim
from tinyticket.optim.sign_in import balanced


def parameter(*values, mask=None) -> nn.Parameter:
    return nn.Parameter(np.array([values]), None if mask is None else np.array([mask]))


def rescaled(theta, beta):
    """Return the factors of one weight."""
    m = math.sqrt((math.hypot(beta, 2 * theta) + beta) / 2)
    return m, theta / m


@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0])
def test_balanced_factors_multiply_to_the_weight_and_differ_by_beta(beta):
    weight = np.array([-2.0, -1e-3, 0.0, 0.5])
    first, second = balanced(weight, beta)
    assert first * second == pytest.approx(weight)
    assert first**2 - second**2 == pytest.approx(np.full(4, beta))


def test_every_weight_moves_as_its_two_factors_do():
    weight, rng = parameter(0.3, -0.7, 0.0), np.random.default_rng(0)
    optimizer = optim.SignIn([weight], lr=0.1, beta=0.5, period=3, weight_decay=0.01)
    slow = [rescaled(theta, 0.5) for theta in (0.3, -0.7, 0.0)]
    for step in range(1, 8):
        gradients = rng.normal(size=3)
        weight.grad = gradients[None].copy()
        optimizer.step()
        if step % 3 == 0:
            slow = [rescaled(m * w, 0.5) for m, w in slow]
        slow = [
            (m - 0.1 * (g * w + 0.01 * m), w - 0.1 * (g * m + 0.01 * w))
            for (m, w), g in zip(slow, gradients, strict=True)
        ]
        assert weight.data[0] == pytest.approx([m * w for m, w in slow])


def test_small_steps_follow_the_flow_and_cross_zero():
    weight = parameter(0.4, -0.1)
    optimizer, flow = optim.SignIn([weight], lr=1e-3, beta=0.3), np.array([0.4, -0.1])
    for _ in range(4000):  # toward -0.5 and 0.5, of the loss the squared distance
        optimizer.zero_grad()
        weight.grad = weight.data - np.array([[-0.5, 0.5]])
        optimizer.step()
        flow = flow - 1e-3 * np.hypot(2 * flow, 0.3) * (flow - [-0.5, 0.5])
    assert weight.data[0] == pytest.approx(flow, abs=1e-3)
    assert np.sign(weight.data[0]).tolist() == [-1, 1]  # both began with the other sign


def test_a_revived_weight_starts_at_zero_and_moves():
    weight = parameter(0.4, 0.2, mask=[True, False])
    optimizer = optim.SignIn([weight], lr=0.1)
    for mask in ([True, False], [True, True]):
        weight.mask = np.array([mask])
        weight.grad = np.ones((1, 2))
        optimizer.step()
        assert (weight.data[0, 1] != 0) == mask[1]


def test_biases_have_plain_steps_and_an_experiment_can_be_trained_so():
    bias = nn.Parameter(np.array([1.0, 2.0]))
    optimizer = optim.SignIn([bias], lr=0.5)
    bias.grad = np.array([1.0, -1.0])
    optimizer.step()
    assert bias.data.tolist() == [0.5, 2.5]
    result = find(optimizer="sign-in", lr=0.1, rewind_to=5, rounds=1)
    assert result.trials[0].rounds[1].plan == {"mode": "eager"}
    assert result.trials[0].rounds[1].validation_loss < result.trials[0].rounds[1].history["validation_loss"][0]


@pytest.mark.parametrize("options", [{"beta": 0.0}, {"period": 0}])
def test_what_cannot_be_is_refused(options):
    with pytest.raises(ValueError, match="beta is above 0 and the period at least 1"):
        optim.SignIn([parameter(1.0)], lr=0.1, **options)
