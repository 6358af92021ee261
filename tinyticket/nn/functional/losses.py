"""Softmax and the losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.kernels import reference


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
