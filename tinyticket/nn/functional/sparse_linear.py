"""The linear layer that has some connections alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.kernels import reference
from tinyticket.nn.connections import Connections


def sparse_linear(input: Any, weight: Any, connections: Connections, bias: Any = None) -> Tensor:
    """Return input W^T + bias, where W has the weights of some connections and zeros elsewhere.

    Parameters
    ----------
    input : (..., in)
    weight : (connections,)
        A number for each connection, in the order of `connections`.
    connections : Connections
    bias : (out,), optional
    """
    x, w, (_, inputs) = np.shape(input), np.shape(weight), connections.shape
    if w != (connections.count,) or x[-1:] != (inputs,):
        raise ValueError(
            f"sparse_linear wants an input (..., {inputs}) and {connections.count} weights; got shapes {x} and {w}"
        )
    given = (input, weight) if bias is None else (input, weight, bias)
    return _sparse_linear(*given, connections=connections)


@operation
def _sparse_linear(x, weight, bias=None, *, connections):
    starts, columns = connections.starts, connections.columns
    gradients = (
        lambda g: reference.sparse_linear_input_gradient(g, starts, columns, weight, x.shape[-1]),
        lambda g: reference.sparse_linear_weight_gradient(g, x, starts, columns),
        lambda g: reference.linear_bias_gradient(g),
    )
    return reference.sparse_linear(x, starts, columns, weight, bias), gradients[: 2 if bias is None else 3]
