"""Batch normalisation as a function: what it normalises, its running statistics, and what it refuses."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn import Buffer
from tinyticket.nn import functional as F

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(50, 3), (4, 3, 5, 6)])
def test_a_training_batch_comes_out_with_mean_0_and_variance_1_a_channel(shape):
    y = F.batch_norm(7 + 3 * RNG.standard_normal(shape), None, None, training=True).data
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=axes), 1, rtol=1e-4)


def test_float32_numbers_far_from_zero_keep_their_variance():
    x = (1000 + RNG.standard_normal((64, 2, 8, 8))).astype(np.float32)
    y = F.batch_norm(x, None, None, training=True)
    exact = F.batch_norm(x.astype(np.float64), None, None, training=True)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, exact.data, atol=1e-3)


@pytest.mark.parametrize("value", [0.1, 7.7, -1000.1])
@pytest.mark.parametrize("shape", [(3000, 2), (7, 2, 30, 29)])
def test_a_constant_channel_becomes_its_bias_and_leaves_the_others_as_they_are(shape, value):
    """Its mean is rounded, which must not count as variation."""
    x = RNG.standard_normal(shape).astype(np.float32)
    bias = np.array([0.25, 0.5], np.float32)
    varied, axes = x.copy(), (0, *range(2, len(shape)))
    x[:, 0] = value
    assert x.mean(axis=axes)[0] != np.float32(value), "or nothing is tested"
    moments = np.zeros(2), np.zeros(2)
    y, of_varied = (F.batch_norm(a, *moments, np.ones(2), bias, training=True).data for a in (x, varied))
    assert (y[:, 0] == bias[0]).all()
    assert y[:, 1].tobytes() == of_varied[:, 1].tobytes()
    tensor = tt.Tensor(x, requires_grad=True)
    F.batch_norm(tensor, None, None, training=True).sum().backward()
    assert np.isfinite(tensor.grad).all()


@pytest.mark.parametrize("kind", [Buffer, np.array])
def test_running_statistics_move_towards_the_batchs_mean_and_unbiased_variance(kind):
    x = RNG.standard_normal((6, 2))
    mean, var = kind([1.0, 2.0]), kind([3.0, 4.0])
    F.batch_norm(x, mean, var, training=True, momentum=0.25)
    moved = [values.data if kind is Buffer else values for values in (mean, var)]
    np.testing.assert_allclose(moved[0], 0.75 * np.array([1, 2]) + 0.25 * x.mean(axis=0))
    np.testing.assert_allclose(moved[1], 0.75 * np.array([3, 4]) + 0.25 * x.var(axis=0, ddof=1))


def test_evaluation_leaves_running_statistics_alone_and_backward_uses_those_of_its_forward():
    mean, var = Buffer([0.0]), Buffer([4.0])
    x = tt.Tensor(np.array([[1.0], [2.0]]), requires_grad=True)
    result = F.batch_norm(x, mean, var, eps=1e-12)
    assert (mean.data.tolist(), var.data.tolist()) == ([0], [4])
    var.data = [100.0]
    result.sum().backward()
    np.testing.assert_allclose(x.grad, [[0.5], [0.5]])


@pytest.mark.parametrize(
    ("shape", "arguments", "words"),
    [
        ((3,), {"training": True}, r"input \(N, C\) or \(N, C, H, W\); got shape \(3,\)"),
        ((2, 3, 4), {"training": True}, r"got shape \(2, 3, 4\)"),
        ((4, 3), {"training": True, "weight": np.ones(3)}, "both a weight and a bias, or neither"),
        ((4, 3), {"running_mean": np.zeros(3)}, "both a running mean and a running variance, or neither"),
        ((4, 3), {}, "wants running statistics unless it is training"),
        ((1, 3), {"training": True}, "one number a channel has no variance.*(1, 3)"),
        ((1, 3, 1, 1), {"training": True}, "one number a channel"),
        (
            (4, 3),
            {"training": True, "weight": np.ones(2), "bias": np.ones(2)},
            r"weight has shape \(2,\), but the input \(4, 3\) has 3 channels",
        ),
        ((4, 3), {"running_mean": np.zeros(3), "running_var": np.zeros(4)}, r"running_var has shape \(4,\)"),
    ],
)
def test_what_does_not_fit_is_refused(shape, arguments, words):
    arguments = {"running_mean": None, "running_var": None} | arguments
    with pytest.raises(ValueError, match=words):
        F.batch_norm(np.ones(shape), **arguments)
