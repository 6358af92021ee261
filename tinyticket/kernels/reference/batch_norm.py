"""Batch normalisation y = weight (x - mean) / sqrt(var + eps) + bias by channel (Ioffe and Szegedy 2015), and its gradient.

The channels are axis 1 of x, of shape (N, C) or (N, C, H, W); statistics run over all other axes.
"""

import numpy as np

__all__ = ["batch_norm", "batch_norm_bias_gradient", "batch_norm_eval_input_gradient", "batch_norm_input_gradient"]
__all__ += ["batch_norm_weight_gradient", "batch_statistics", "update_running"]


def batch_statistics(x):
    """Return (mean, var) of every channel, each of shape (C,): what training normalises with; var is divided by the count."""
    axes = _others(x)
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    # The rounding of a constant channel's mean must not count as variation, which 1 / sqrt(eps) would blow up.
    for channel in np.flatnonzero((var > 0) & (var <= 1e-3 * mean * mean)):
        first = x[:, channel].flat[0]
        if (x[:, channel] == first).all():
            mean[channel], var[channel] = first, 0
    return mean, var


def update_running(running_mean, running_var, mean, var, count, momentum):
    """Move running statistics towards a batch's, in place: running + momentum (batch - running), with the unbiased variance.

    All have shape (C,); `count` is how many numbers each channel has in the batch.
    """
    for running, batch in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
        running[...] = (1 - momentum) * running + momentum * batch


def batch_norm(x, mean, var, weight=None, bias=None, eps=1e-5):
    """Return x normalised with these statistics, then scaled and shifted if there are a weight and a bias, each of shape (C,)."""
    y = (x - _along(mean, x)) * _along(_inverse(var, eps), x)
    if weight is not None:
        y *= _along(weight, x)
    if bias is not None:
        y += _along(bias, x)
    return y


def batch_norm_input_gradient(dy, x, mean, var, weight=None, eps=1e-5):
    """Return dx where mean and var are those of x itself and move with it.

    With z = (x - mean) / sqrt(var + eps) and g = weight dy, dx = (g - mean of g - z * mean of g z) / sqrt(var + eps).
    """
    g = dy if weight is None else dy * _along(weight, x)
    z = batch_norm(x, mean, var, eps=eps)
    axes = _others(x)
    g = g - g.mean(axis=axes, keepdims=True) - z * (g * z).mean(axis=axes, keepdims=True)
    return g * _along(_inverse(var, eps), x)


def batch_norm_eval_input_gradient(dy, var, weight=None, eps=1e-5):
    """Return dx where mean and var are fixed numbers, such as running statistics."""
    scale = _inverse(var, eps)
    return dy * _along(scale if weight is None else scale * weight, dy)


def batch_norm_weight_gradient(dy, x, mean, var, eps=1e-5):
    """Return dweight, the sum of dy times the normalised x over all axes but the channels', shape (C,)."""
    return (dy * batch_norm(x, mean, var, eps=eps)).sum(axis=_others(x))


def batch_norm_bias_gradient(dy):
    """Return dbias, the sum of dy over all axes but the channels', shape (C,)."""
    return dy.sum(axis=_others(dy))


def _inverse(var, eps):
    return 1 / np.sqrt(var + var.dtype.type(eps))


def _others(x):
    return tuple(axis for axis in range(x.ndim) if axis != 1)


def _along(values, x):
    """Give an array over channels the axes of x."""
    return values.reshape(1, -1, *(1,) * (x.ndim - 2))
