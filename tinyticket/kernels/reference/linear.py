"""The fully-connected layer y = x W^T + b and its three gradients."""

import numpy as np

__all__ = ["linear", "linear_bias_gradient", "linear_input_gradient", "linear_weight_gradient"]


def linear(x, weight, bias=None):
    """Return y = x W^T + b, shape (..., out), from x of shape (..., in) and a weight (out, in), whose pruned weights are zeros."""
    y = x @ weight.T
    return y if bias is None else np.add(y, bias, out=y)


def linear_input_gradient(dy, weight):
    """Return dx = dy W, shape (..., in), from dy of shape (..., out)."""
    return dy @ weight


def linear_weight_gradient(dy, x):
    """Return dW = dy^T x, shape (out, in), summed over all leading axes."""
    return dy.reshape(-1, dy.shape[-1]).T @ x.reshape(-1, x.shape[-1])


def linear_bias_gradient(dy):
    """Return db, the sum of dy over all leading axes, shape (out,)."""
    return dy.sum(axis=tuple(range(dy.ndim - 1)))
