"""The fully-connected layer, and the flattening before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.kernels import reference


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
