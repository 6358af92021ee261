"""The reference updates against the published formulas, one number at a time."""

import math

import numpy as np
import pytest

from tinyticket.kernels import reference

STEPS, SHAPE = 5, (2, 3)
LR = 0.1
START = np.random.default_rng(0).standard_normal(SHAPE)
GRADIENTS = np.random.default_rng(1).standard_normal((STEPS, *SHAPE))


def element_by_element(trajectory):
    """Run `trajectory(weight, gradients)`, a generator's last value, for every element by itself."""
    result = np.empty(SHAPE)
    for position in np.ndindex(*SHAPE):
        result[position] = trajectory(float(START[position]), [float(g[position]) for g in GRADIENTS])
    return result


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd(momentum, nesterov, weight_decay):
    def trajectory(w, gradients):
        v = None
        for g in gradients:
            g = g + weight_decay * w
            v = g if v is None else momentum * v + g
            w = w - LR * (g + momentum * v if nesterov else v if momentum else g)
        return w

    weight, velocity = START.copy(), np.zeros(SHAPE) if momentum else None
    for i, gradient in enumerate(GRADIENTS):
        kept = gradient.copy()
        reference.sgd_update(weight, gradient, velocity, LR, momentum, weight_decay, nesterov, first=i == 0)
        np.testing.assert_array_equal(gradient, kept)
    np.testing.assert_allclose(weight, element_by_element(trajectory), rtol=1e-12)


def test_the_first_velocity_is_the_gradient_whatever_the_slot_held():
    weight, velocity = np.zeros(2), np.array([7.0, np.nan])
    reference.sgd_update(weight, np.ones(2), velocity, LR, momentum=0.9, first=True)
    assert velocity.tolist() == [1, 1]
    assert weight.tolist() == [-LR, -LR]


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5)])
def test_adam(betas, weight_decay):
    eps = 1e-3  # large enough to show where it is added

    def trajectory(w, gradients):
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            g = g + weight_decay * w
            m = betas[0] * m + (1 - betas[0]) * g
            v = betas[1] * v + (1 - betas[1]) * g * g
            m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
            w = w - LR * m_hat / (math.sqrt(v_hat) + eps)
        return w

    weight, mean, square = START.copy(), np.zeros(SHAPE), np.zeros(SHAPE)
    for i, gradient in enumerate(GRADIENTS):
        kept = gradient.copy()
        reference.adam_update(weight, gradient, mean, square, i + 1, LR, betas, eps, weight_decay)
        np.testing.assert_array_equal(gradient, kept)
    np.testing.assert_allclose(weight, element_by_element(trajectory), rtol=1e-12)


def test_adams_first_step_has_the_learning_rates_length():
    weight = np.zeros(3)
    reference.adam_update(weight, np.array([1e-3, -1.0, 1e3]), np.zeros(3), np.zeros(3), 1, LR)
    np.testing.assert_allclose(weight, [-LR, LR, -LR], rtol=1e-4)


def test_zero_gradients_and_slots_leave_zero_weights():
    weight = np.zeros(3, np.float32)
    zero, mean, square = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32)
    reference.adam_update(weight, zero, mean, square, 1, LR, weight_decay=0.1)
    reference.sgd_update(weight, zero, mean, LR, momentum=0.9, weight_decay=0.1)
    assert not weight.any()
