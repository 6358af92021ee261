"""Batch and layer normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.nn.parameter import Buffer


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise every channel to mean 0 and variance 1, then scale it by `weight` and shift it by `bias`.

    Parameters
    ----------
    input : Tensor, shape (N, C) or (N, C, H, W)
    running_mean, running_var : Buffer or ndarray, shape (C,), or None
        Averages over batches. In training they are updated in place (by 1 - momentum of themselves and momentum of the batch's
        mean and unbiased variance), or left out as None; otherwise they are what the input is normalised with.
    weight, bias : Tensor, shape (C,), or None
        Both or neither.
    training : bool
        Normalise with the mean and the variance of this batch.

    Raises
    ------
    ValueError
        If shapes do not fit, running statistics are missing, or a training batch has one number a channel.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 1.
    """
    shape = np.shape(input)
    if len(shape) not in (2, 4):
        raise ValueError(f"batch_norm wants an input (N, C) or (N, C, H, W); got shape {shape}")
    if (weight is None) != (bias is None):
        raise ValueError("batch_norm wants both a weight and a bias, or neither")
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm wants both a running mean and a running variance, or neither")
    running = None if running_mean is None else (running_mean, running_var)
    named = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    for name, value in named.items():
        if value is not None and (found := np.shape(_array(value))) != shape[1:2]:
            raise ValueError(f"batch_norm: {name} has shape {found}, but the input {shape} has {shape[1]} channels")
    parts = (input,) if weight is None else (input, weight, bias)
    if training:
        if np.prod(shape) == shape[1]:
            raise ValueError(
                f"batch_norm: one number a channel has no variance to train with; the input has shape {shape}"
            )
        return _batch_norm(*parts, eps=eps, momentum=momentum, running=running)
    if running is None:
        raise ValueError("batch_norm wants running statistics unless it is training")
    return _batch_norm_eval(*parts, eps=eps, statistics=running)


@operation
def _batch_norm(x, weight=None, bias=None, *, eps, momentum, running):
    mean, var = reference.batch_statistics(x)
    if running is not None:
        running_mean, running_var = map(_array, running)
        reference.update_running(running_mean, running_var, mean, var, x.size // x.shape[1], momentum)
    gradients = (
        lambda g: reference.batch_norm_input_gradient(g, x, mean, var, weight, eps),
        lambda g: reference.batch_norm_weight_gradient(g, x, mean, var, eps),
        lambda g: reference.batch_norm_bias_gradient(g),
    )
    return reference.batch_norm(x, mean, var, weight, bias, eps), gradients[: 1 if weight is None else 3]


@operation
def _batch_norm_eval(x, weight=None, bias=None, *, eps, statistics):
    mean, var = (
        _array(running).astype(x.dtype) for running in statistics
    )  # copies: training may go on before backward()
    gradients = (
        lambda g: reference.batch_norm_eval_input_gradient(g, var, weight, eps),
        lambda g: reference.batch_norm_weight_gradient(g, x, mean, var, eps),
        lambda g: reference.batch_norm_bias_gradient(g),
    )
    return reference.batch_norm(x, mean, var, weight, bias, eps), gradients[: 1 if weight is None else 3]


def layer_norm(
    input: Any, normalized_shape: int | tuple[int, ...], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Normalise each example over its last axes to mean 0 and variance 1, then scale by `weight` and shift by `bias`.

    Parameters
    ----------
    input : Tensor, shape (..., *normalized_shape)
    normalized_shape : int or tuple of int
    weight, bias : Tensor, of the normalised shape, or None

    Notes
    -----
    Ba, Kiros and Hinton 2016.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or np.shape(input)[-len(shape) :] != shape:
        raise InputError(f"layer_norm of the axes {shape} wants an input (..., *{shape}); got shape {np.shape(input)}")
    for name, value in {"weight": weight, "bias": bias}.items():
        if value is not None and np.shape(value) != shape:
            raise InputError(f"layer_norm: {name} has shape {np.shape(value)}, but {shape} is normalised")
    if weight is None and bias is not None:
        raise InputError("layer_norm wants a weight where it has a bias")
    parts = [part for part in (input, weight, bias) if part is not None]
    return _layer_norm(*parts, axes=tuple(range(-len(shape), 0)), eps=eps)


@operation
def _layer_norm(x, weight=None, bias=None, *, axes, eps):
    scale = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    normal = (x - x.mean(axis=axes, keepdims=True)) * scale

    def input_gradient(g):
        g = g if weight is None else g * weight
        along = (g * normal).mean(axis=axes, keepdims=True)
        return scale * (g - g.mean(axis=axes, keepdims=True) - normal * along)

    y = normal if weight is None else normal * weight
    gradients = input_gradient, (lambda g: g * normal), (lambda g: g)
    return (y if bias is None else y + bias), gradients[: 1 + (weight is not None) + (bias is not None)]


def _array(values: Any) -> np.ndarray:
    return values.data if isinstance(values, Buffer | Tensor) else np.asarray(values)
