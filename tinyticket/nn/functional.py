"""Layers as functions: each is one node of the tape, on top of the reference kernels. Names and arguments are PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.autograd.elementwise import leaky_relu, relu, sigmoid, tanh
from tinyticket.kernels import reference

__all__ = [
    "cross_entropy",
    "dropout",
    "flatten",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return input W^T + bias; input (..., in), weight (out, in), bias (out,) or None."""
    x, w = np.shape(input), np.shape(weight)
    if len(w) != 2 or x[-1:] != w[-1:]:
        raise ValueError(f"linear wants an input (..., in) and a weight (out, in); got shapes {x} and {w}")
    return _linear(input, weight) if bias is None else _linear(input, weight, bias)


@operation
def _linear(x, weight, bias=None):
    gradients = (
        lambda g: reference.linear_input_gradient(g, weight),
        lambda g: reference.linear_weight_gradient(g, x),
        lambda g: reference.linear_bias_gradient(g),
    )
    return reference.linear(x, weight, bias), gradients[: 2 if bias is None else 3]


def flatten(input: Any, start_dim: int = 1) -> Tensor:
    """Join the axes from `start_dim` on into one."""
    shape = np.shape(input)
    return _flatten(input, shape=(*shape[:start_dim], int(np.prod(shape[start_dim:]))))


@operation
def _flatten(x, *, shape):
    return x.reshape(shape), (lambda g: g.reshape(x.shape),)


@operation
def softmax(input, *, dim=-1):
    """exp(input) over its sum along `dim`."""
    p = reference.softmax(input, dim)
    return p, (lambda g: p * (g - (g * p).sum(axis=dim, keepdims=True)),)


@operation
def log_softmax(input, *, dim=-1):
    """Logarithm of softmax along `dim`."""
    logs = reference.log_softmax(input, dim)
    return logs, (lambda g: g - np.exp(logs) * g.sum(axis=dim, keepdims=True),)


def cross_entropy(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Cross-entropy between logits and integer labels.

    Parameters
    ----------
    input : Tensor, shape (N, classes)
        Logits.
    target : ndarray of integers, shape (N,)
        Labels, 0 to classes - 1.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the examples, or one loss per example.

    Returns
    -------
    Tensor
        Of shape (), or (N,) for "none".

    Raises
    ------
    ValueError
        If shapes do not fit, or a label is out of range.
    """
    labels = np.asarray(target)
    shape = np.shape(input)
    if len(shape) != 2 or labels.shape != shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"cross_entropy wants logits (N, classes) and integer labels (N,), not {shape} and {labels.dtype} {labels.shape}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < shape[1]:
        raise ValueError(
            f"cross_entropy: labels run from {labels.min()} to {labels.max()}, but there are {shape[1]} classes"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"cross_entropy: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    return _cross_entropy(input, labels=labels, reduction=reduction)


@operation
def _cross_entropy(logits, *, labels, reduction):
    logs = reference.log_softmax(logits)
    losses = reference.cross_entropy(logs, labels)

    def gradient(g):
        upstream = g[:, np.newaxis] if reduction == "none" else g / len(labels) if reduction == "mean" else g
        return reference.cross_entropy_gradient(logs, labels, upstream)

    result = losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()
    return result, (gradient,)


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Squared difference between input and target, of one shape: its mean, its sum, or each element's own ("none")."""
    if np.shape(input) != np.shape(target):
        raise ValueError(f"mse_loss: input has shape {np.shape(input)}, target {np.shape(target)}")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"mse_loss: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    return _mse_loss(input, target, reduction=reduction)


mse = mse_loss


@operation
def _mse_loss(input, target, *, reduction):
    difference = input - target
    scale = 2 / difference.size if reduction == "mean" else 2
    squares = difference * difference
    result = squares if reduction == "none" else squares.mean() if reduction == "mean" else squares.sum()
    return result, (lambda g: g * difference * scale, lambda g: -g * difference * scale)


def dropout(input: Any, p: float = 0.5, training: bool = True, rng: Any = None) -> Tensor:
    """Set elements to zero with probability `p` and scale the others by 1 / (1 - p); without `training`, do nothing.

    `rng` is a generator or a seed; None draws fresh randomness.
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p is a probability from 0 up to, not including, 1; got {p}")
    if not training or p == 0:
        return input if isinstance(input, Tensor) else Tensor(input)
    return _dropout(input, keep=np.random.default_rng(rng).random(np.shape(input), dtype=np.float32) >= p, p=p)


@operation
def _dropout(x, *, keep, p):
    scale = keep * x.dtype.type(1 / (1 - p))
    return x * scale, (lambda g: g * scale,)
