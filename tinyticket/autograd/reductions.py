"""Sums, products, means, variances and extremes over axes, named and called as in NumPy."""

import math

import numpy as np

from tinyticket.autograd.operation import operation


@operation
def sum(a, *, axis=None, keepdims=False):
    """Sum of a over `axis`."""
    return a.sum(axis=axis, keepdims=keepdims), (lambda g: np.broadcast_to(_with_axes(g, a, axis), a.shape),)


@operation
def mean(a, *, axis=None, keepdims=False):
    """Mean of a over `axis`."""
    result = a.mean(axis=axis, keepdims=keepdims)
    count = _count(a, axis)
    return result, (lambda g: np.broadcast_to(_with_axes(g, a, axis) / count, a.shape),)


@operation
def var(a, *, axis=None, ddof=0, keepdims=False):
    """Variance of a over `axis`: the sum of squared distances from the mean over (count - ddof)."""
    centred = a - a.mean(axis=axis, keepdims=True)
    result = a.var(axis=axis, ddof=ddof, keepdims=keepdims)
    count = _count(a, axis)
    return result, (lambda g: _with_axes(g, a, axis) * centred * (2 / (count - ddof)),)


@operation
def std(a, *, axis=None, ddof=0, keepdims=False):
    """Square root of the variance; the gradient at a standard deviation of 0 is 0."""
    centred = a - a.mean(axis=axis, keepdims=True)
    result = a.std(axis=axis, ddof=ddof, keepdims=keepdims)
    count = _count(a, axis)

    def gradient(g):
        slope = np.divide(g, result, out=np.zeros_like(result), where=result != 0)
        return _with_axes(slope, a, axis) * centred * (1 / (count - ddof))

    return result, (gradient,)


@operation
def prod(a, *, axis=None, keepdims=False):
    """Product of a over `axis`."""
    return a.prod(axis=axis, keepdims=keepdims), (lambda g: _with_axes(g, a, axis) * _products_of_others(a, axis),)


@operation
def cumsum(a, *, axis=None):
    """Sums of a up to each element along `axis`; without one, of all elements in row order."""
    return a.cumsum(axis=axis), (lambda g: np.flip(np.flip(g, axis).cumsum(axis=axis), axis).reshape(a.shape),)


@operation
def max(a, *, axis=None, keepdims=False):
    """Maximum of a over `axis`; equal maxima share the gradient evenly."""
    return a.max(axis=axis, keepdims=keepdims), (lambda g: _to_extremes(g, a, a.max(axis=axis, keepdims=True), axis),)


@operation
def min(a, *, axis=None, keepdims=False):
    """Minimum of a over `axis`; equal minima share the gradient evenly."""
    return a.min(axis=axis, keepdims=keepdims), (lambda g: _to_extremes(g, a, a.min(axis=axis, keepdims=True), axis),)


def _count(a, axis):
    """Return how many elements are reduced into one."""
    return math.prod(a.shape[i] for i in _axes(a, axis))


def _axes(a, axis):
    """Return the reduced axes, counted from the first; an array without axes has none, although NumPy takes 0 for one."""
    return list(range(a.ndim)) if axis is None or a.ndim == 0 else [int(i) % a.ndim for i in np.atleast_1d(axis)]


def _with_axes(g, a, axis):
    """Put the axes that a reduction removed back, with length 1."""
    axes = _axes(a, axis)
    return g.reshape([1 if i in axes else size for i, size in enumerate(a.shape)])


def _products_of_others(a, axis):
    """Return for each element the product of the others, without a division, which zeros would spoil."""
    axes = _axes(a, axis)
    last = range(-len(axes), 0)
    moved = np.moveaxis(a, axes, last)
    rows = moved.reshape(*moved.shape[: a.ndim - len(axes)], -1)
    before, after = np.ones_like(rows), np.ones_like(rows)
    before[..., 1:] = rows[..., :-1].cumprod(axis=-1)
    after[..., :-1] = rows[..., :0:-1].cumprod(axis=-1)[..., ::-1]
    return np.moveaxis((before * after).reshape(moved.shape), last, axes)


def _to_extremes(g, a, extreme, axis):
    chosen = a == extreme
    return _with_axes(g, a, axis) * chosen / chosen.sum(axis=axis, keepdims=True, dtype=a.dtype)
