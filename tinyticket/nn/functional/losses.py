"""Softmax and the losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation, shapes
from tinyticket.errors import InputError
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


def cross_entropy(
    input: Any, target: Any, reduction: str = "mean", *, weight: Any = None, ignore_index: int | None = None
) -> Tensor:
    """Cross-entropy between logits and integer labels.

    Parameters
    ----------
    input : Tensor, shape (N, classes), (N, classes, ...) or (classes,)
        Logits.
    target : ndarray of integers, shape (N,), (N, ...) or ()
        Labels, 0 to classes - 1.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the examples, or one loss per example.
    weight : ndarray, shape (classes,), optional
        What the loss of an example counts, by its class; the mean is over as much as all examples count.
    ignore_index : int, optional
        The label of examples that do not count. Unlike in PyTorch, where it is -100, there is none unless given.

    Returns
    -------
    Tensor
        Of shape (), or of the target's for "none".

    Raises
    ------
    ValueError
        If shapes do not fit, or a label is out of range.
    """
    return _of_labels("cross_entropy", _cross_entropy, input, target, reduction, weight, ignore_index)


def nll_loss(
    input: Any, target: Any, reduction: str = "mean", *, weight: Any = None, ignore_index: int | None = None
) -> Tensor:
    """Return minus the log-probability of each label, reduced; all but `input`, which `log_softmax` made, as `cross_entropy`."""
    return _of_labels("nll_loss", _nll_loss, input, target, reduction, weight, ignore_index)


def _of_labels(name: str, loss: Any, input: Any, target: Any, reduction: str, weight: Any, ignore_index: Any) -> Tensor:
    """Check the arguments of a loss of labels, and call it with one row for each example."""
    labels, shape = np.asarray(target), np.shape(input)
    axis = 0 if len(shape) == 1 else 1
    if not shape or labels.shape != (*shape[:axis], *shape[axis + 1 :]) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name} wants logits (N, classes) and integer labels (N,), not {shape} and {labels.dtype} {labels.shape}"
        )
    classes, counted = shape[axis], np.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
    known = labels[counted]
    if known.size and not 0 <= known.min() <= known.max() < classes:
        raise ValueError(f"{name}: labels run from {known.min()} to {known.max()}, but there are {classes} classes")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    if weight is not None and np.shape(weight) != (classes,):
        raise ValueError(f"{name}: weight has shape {np.shape(weight)}, but there are {classes} classes")
    if isinstance(weight, Tensor) and weight.requires_grad:
        raise InputError(f"{name}: class weights get no gradient; give weight.data")
    weights = None
    if weight is not None or not counted.all():
        labels = np.where(counted, labels, 0)
        weights = (counted * (1.0 if weight is None else np.asarray(weight)[labels])).reshape(-1)
    rows = input
    if len(shape) != 2:
        classes_last = shapes.transpose(input, axes=(*range(axis), *range(axis + 1, len(shape)), axis))
        rows = shapes.reshape(classes_last, shape=(labels.size, classes))
    losses = loss(rows, labels=labels.reshape(-1), weights=weights, reduction=reduction)
    return losses if reduction != "none" or len(shape) == 2 else shapes.reshape(losses, shape=labels.shape)


@operation
def _cross_entropy(logits, *, labels, weights, reduction):
    logs = reference.log_softmax(logits)
    result, upstream = _reduced(reference.cross_entropy(logs, labels), weights, reduction)
    return result, (lambda g: reference.cross_entropy_gradient(logs, labels, upstream(g)),)


@operation
def _nll_loss(logs, *, labels, weights, reduction):
    result, upstream = _reduced(reference.cross_entropy(logs, labels), weights, reduction)

    def gradient(g):
        scattered = np.zeros_like(logs)
        scattered[np.arange(len(labels)), labels] = -1
        return scattered * upstream(g)

    return result, (gradient,)


def _reduced(losses, weights, reduction):
    """Return weighted losses reduced, and from the gradient of that to those of the losses, of shape (N, 1) or ()."""
    counts, total = 1, len(losses)
    if weights is not None:
        weights = weights.astype(losses.dtype)
        # What does not count may be infinite, and must not become 0 * infinity.
        losses = np.multiply(losses, weights, out=np.zeros_like(losses), where=weights != 0)
        counts, total = weights[:, np.newaxis], weights.sum()
    if reduction == "none":
        return losses, lambda g: g[:, np.newaxis] * counts
    if reduction == "sum":
        return losses.sum(), lambda g: g * counts
    return losses.mean() if weights is None else losses.sum() / total, lambda g: g / total * counts


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
