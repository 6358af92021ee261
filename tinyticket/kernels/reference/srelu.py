"""The S-shaped rectified linear unit of features or images, whose four parameters are of shape (channels,), and its gradients."""

import numpy as np

__all__ = ["srelu", "srelu_gradient"]


def srelu(x, t_left, a_left, t_right, a_right):
    """Return x between t_left and t_left + |t_right|, and beyond these the lines of slopes a_left and a_right that start there."""
    low, high, left, right = _parts(x, t_left, t_right)
    y = np.where(left, low + _along(a_left, x) * (x - low), x)
    return np.where(right, high + _along(a_right, x) * (x - high), y)


def srelu_gradient(dy, x, t_left, a_left, t_right, a_right):
    """Return dx, and the gradients by t_left, a_left, t_right and a_right, which sum over samples and pixels."""
    low, high, left, right = _parts(x, t_left, t_right)
    dx = dy * np.where(left, _along(a_left, x), np.where(right, _along(a_right, x), x.dtype.type(1)))
    dlow, dhigh = _sum(dy * left) * (1 - a_left), _sum(dy * right) * (1 - a_right)  # of both thresholds, low and high
    da_left, da_right = _sum(dy * left * (x - low)), _sum(dy * right * (x - high))
    return dx, dlow + dhigh, da_left, dhigh * np.sign(t_right), da_right


def _parts(x, t_left, t_right):
    """Return both thresholds, and where x is up to the left one, or else from the right one on."""
    low, high = _along(t_left, x), _along(t_left + np.abs(t_right), x)
    return low, high, x <= low, (x >= high) & (x > low)


def _along(parameter, x):
    return parameter.reshape(-1, *[1] * (x.ndim - 2))


def _sum(array):
    return array.sum(axis=(0, *range(2, array.ndim)))
