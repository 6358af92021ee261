"""PyTorch's own sample inputs of its operations, and how each operation is spelled in tinyticket.

PyTorch tests itself with these samples (`torch.testing._internal`). A spelling takes a sample's arguments as tensors of ours and PyTorch's
further arguments as they are: what it does not take, tinyticket does not know, and the sample counts as refused.
"""

import sys
import types
import unittest
import warnings
from collections import Counter

import numpy as np

import tinyticket as tt
from tinyticket.nn import functional as F


def over(method, default=None):
    """A reduction over `dim`."""

    def spelled(a, dim=default, keepdim=False):
        return getattr(tt.Tensor, method)(a, axis=dim, keepdims=keepdim)

    return spelled


def extremes_over(method):
    def spelled(a, dim=None, keepdim=False):
        return getattr(tt.Tensor, method)(a, axis=None if dim == () else dim, keepdims=keepdim)

    return spelled


def spread(method):
    def spelled(a, dim=None, unbiased=True, keepdim=False, *, correction=1):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = (1 if correction is None else correction) if unbiased else 0
        return getattr(tt.Tensor, method)(a, axis=dim, ddof=ddof, keepdims=keepdim)

    return spelled


def scaled(f):
    return lambda a, b, *, alpha=1: f(a, b if alpha == 1 else alpha * b)


def transpose(a, dim0, dim1):
    axes = list(range(a.ndim))
    if axes:
        axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return a.transpose(*axes)


def squeeze(a, dim=None):
    dims = range(a.ndim) if dim is None else np.atleast_1d(np.asarray(dim, int))
    return a.squeeze(tuple(int(i) for i in dims if a.ndim and a.shape[i] == 1))


def pad(mode=None):
    return lambda x, counts, mode=mode or "constant", value=None: F.pad(x, counts, mode, value or 0)


def softmax_like(f):
    return lambda a, dim: f(a, dim=dim)


def pooled(x, *arguments, **keywords):
    pooled = F.max_pool2d(x, *arguments, **keywords)
    return pooled[0] if isinstance(pooled, tuple) else pooled
