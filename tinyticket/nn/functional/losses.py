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
    input: Any,
    target: Any,
    reduction: str = "mean",
    *,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Any = None,
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
    label_smoothing : float
        The share of each label that is spread evenly over all classes, from 0 to 1 (Szegedy et al. 2016).
    sample_weight : ndarray, of the target's shape, optional
        What the loss of each example counts, besides what its class does.

    Returns
    -------
    Tensor
        Of shape (), or of the target's for "none".

    Raises
    ------
    ValueError
        If shapes do not fit, or a label is out of range.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is from 0 to 1, not {label_smoothing}")
    given = input, target, reduction, weight, ignore_index, sample_weight, label_smoothing
    return _of_labels("cross_entropy", _cross_entropy, *given)


def nll_loss(
    input: Any, target: Any, reduction: str = "mean", *, weight: Any = None, ignore_index: int | None = None
) -> Tensor:
    """Return minus the log-probability of each label, reduced; all but `input`, which `log_softmax` made, as `cross_entropy`."""
    return _of_labels("nll_loss", _nll_loss, input, target, reduction, weight, ignore_index)


def _of_labels(
    name: str,
    loss: Any,
    input: Any,
    target: Any,
    reduction: str,
    weight: Any,
    ignore_index: Any,
    sample_weight: Any = None,
    smoothing: float = 0.0,
) -> Tensor:
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
    _check_reduction(name, reduction)
    if weight is not None and np.shape(weight) != (classes,):
        raise ValueError(f"{name}: weight has shape {np.shape(weight)}, but there are {classes} classes")
    if isinstance(weight, Tensor) and weight.requires_grad:
        raise InputError(f"{name}: class weights get no gradient; give weight.data")
    weights = spread = None
    if smoothing or weight is not None or sample_weight is not None or not counted.all():
        counts = counted * (1.0 if sample_weight is None else _sample_weights(name, sample_weight, labels.shape))
        labels, of_classes = np.where(counted, labels, 0), np.ones(classes) if weight is None else np.asarray(weight)
        weights = (counts * of_classes[labels]).reshape(-1)
        spread = counts.reshape(-1, 1) * of_classes if smoothing else None
    rows = input
    if len(shape) != 2:
        classes_last = shapes.transpose(input, axes=(*range(axis), *range(axis + 1, len(shape)), axis))
        rows = shapes.reshape(classes_last, shape=(labels.size, classes))
    if spread is None:
        losses = loss(rows, labels=labels.reshape(-1), weights=weights, reduction=reduction)
    else:
        losses = _smoothed(rows, labels=labels.reshape(-1), spread=spread, share=smoothing, reduction=reduction)
    return losses if reduction != "none" or len(shape) == 2 else shapes.reshape(losses, shape=labels.shape)


def _check_reduction(name: str, reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")


def _sample_weights(name: str, weights: Any, shape: tuple[int, ...]) -> np.ndarray:
    if np.shape(weights) != shape:
        raise ValueError(f"{name}: sample_weight has shape {np.shape(weights)}, but there are targets of shape {shape}")
    return np.asarray(weights)


@operation
def _cross_entropy(logits, *, labels, weights, reduction):
    logs = reference.log_softmax(logits)
    result, upstream = _reduced(reference.cross_entropy(logs, labels), weights, reduction)
    return result, (lambda g: reference.cross_entropy_gradient(logs, labels, upstream(g)),)


@operation
def _smoothed(logits, *, labels, spread, share, reduction):
    """Cross-entropy with labels of which a share lies on all classes; `spread` (N, classes) is what each example counts there."""
    logs, chosen = reference.log_softmax(logits), np.arange(len(labels))
    target = (share / spread.shape[1]) * spread
    target[chosen, labels] += (1 - share) * spread[chosen, labels]
    target, total = target.astype(logits.dtype), logits.dtype.type(spread[chosen, labels].sum())
    losses = -(target * logs).sum(axis=1)
    slopes = np.exp(logs) * target.sum(axis=1, keepdims=True) - target
    if reduction == "none":
        return losses, (lambda g: slopes * g[:, np.newaxis],)
    total = total if reduction == "mean" else 1
    return losses.sum() / total, (lambda g: slopes * (g / total),)


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


def mse_loss(input: Any, target: Any, reduction: str = "mean", *, sample_weight: Any = None) -> Tensor:
    """Squared difference between input and target, of one shape: its mean, its sum, or each element's own ("none").

    `sample_weight`, of shape (N,), says what each example's squares count; the mean is over as much as all count.
    """
    if np.shape(input) != np.shape(target):
        raise ValueError(f"mse_loss: input has shape {np.shape(input)}, target {np.shape(target)}")
    _check_reduction("mse_loss", reduction)
    if sample_weight is not None:
        weights = _sample_weights("mse_loss", sample_weight, np.shape(target)[:1])
        sample_weight = np.reshape(weights, (-1, *[1] * (np.ndim(target) - 1)))
    return _mse_loss(input, target, weights=sample_weight, reduction=reduction)


mse = mse_loss


@operation
def _mse_loss(input, target, *, weights, reduction):
    difference = input - target
    scale = 2 / difference.size if reduction == "mean" else 2
    squares = difference * difference
    if weights is not None:
        counts = np.broadcast_to(weights, difference.shape).astype(difference.dtype)
        scale = 2 / counts.sum() if reduction == "mean" else 2
        squares, difference = counts * squares, counts * difference
    if reduction == "none":
        result = squares
    elif reduction == "mean" and weights is None:
        result = squares.mean()
    else:
        result = squares.sum() * (scale / 2)
    return result, (lambda g: g * difference * scale, lambda g: -g * difference * scale)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, reduction: str = "mean", *, weight: Any = None, pos_weight: Any = None
) -> Tensor:
    """Cross-entropy between logits of yes against no and targets from 0 to 1, of one shape.

    Parameters
    ----------
    input : Tensor
        Logits.
    target : ndarray
        The share of yes: 0 or 1, or between.
    reduction : {"mean", "sum", "none"}
        Over all elements, or each one's own loss.
    weight : ndarray, optional
        What each element counts; broadcasts. The mean divides by the number of elements, as PyTorch's does.
    pos_weight : ndarray, optional
        What yes counts; broadcasts.
    """
    if np.shape(input) != np.shape(target):
        shapes_given = f"input has shape {np.shape(input)}, target {np.shape(target)}"
        raise ValueError(f"binary_cross_entropy_with_logits: {shapes_given}")
    _check_reduction("binary_cross_entropy_with_logits", reduction)
    yes = np.asarray(target, float) * (1.0 if pos_weight is None else np.asarray(pos_weight))
    no = 1.0 - np.asarray(target, float)
    counts = 1.0 if weight is None else np.asarray(weight)
    return _binary_cross_entropy(input, yes=counts * yes, no=counts * no, reduction=reduction)


@operation
def _binary_cross_entropy(logits, *, yes, no, reduction):
    yes, no = yes.astype(logits.dtype), no.astype(logits.dtype)
    rest = np.log1p(np.exp(-np.abs(logits)))  # log(1 + exp(-|z|)): nothing overflows
    losses = yes * (rest + np.maximum(-logits, 0)) + no * (rest + np.maximum(logits, 0))
    slopes = (yes + no) * reference.sigmoid(logits) - yes
    if reduction == "none":
        return losses, (lambda g: slopes * g,)
    scale = slopes.dtype.type(1 / losses.size if reduction == "mean" else 1)
    return losses.sum() * scale, (lambda g: slopes * (g * scale),)
