"""What the packed kernels compute, in plain NumPy: names and arguments of `kernels.cpu`, float64 inside.

Packed activations are (tiles, features, lanes). Here they are brought back to (samples, features), where every kernel
is a line or two of algebra.
"""

from typing import Any

import numpy as np


def rows_of(packed: np.ndarray) -> np.ndarray:
    """Packed activations as (tiles * lanes, features), in float64."""
    return packed.transpose(0, 2, 1).reshape(-1, packed.shape[1]).astype(np.float64)


def packed_like(rows: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Bring (tiles * lanes, features) into the tiles and lanes of other activations, in float32."""
    tiles, _, lanes = packed.shape
    return rows.reshape(tiles, lanes, -1).transpose(0, 2, 1).astype(np.float32)


def dense_linear(weight: np.ndarray, bias: np.ndarray, x: np.ndarray, *, relu: bool = False) -> np.ndarray:
    """Y = x W' + b, perhaps through a ReLU."""
    y = rows_of(x) @ weight.T + bias
    return packed_like(np.maximum(y, 0) if relu else y, x)


def dense_input_gradient(weight: np.ndarray, x: np.ndarray, dy: np.ndarray, *, relu: bool = False) -> np.ndarray:
    """Compute dx = dy W; where x came out of a ReLU, nothing passes an x of zero."""
    dx = rows_of(dy) @ weight
    return packed_like(np.where(rows_of(x) <= 0, 0, dx) if relu else dx, x)


def dense_weight_gradient(x_samples: np.ndarray, dy: np.ndarray, samples: int, inputs: int) -> np.ndarray:
    """Compute dW = dy' x over the samples; x is sample-major here."""
    return (rows_of(dy)[:samples].T @ x_samples[:samples, :inputs].astype(np.float64)).astype(np.float32)


def bias_gradient(dy: np.ndarray) -> np.ndarray:
    """Compute db, the sum of dy over the samples."""
    return rows_of(dy).sum(axis=0).astype(np.float32)


def sparse_linear(
    pattern: Any, values: np.ndarray, bias: np.ndarray, x: np.ndarray, *, relu: bool = False
) -> np.ndarray:
    """Compute `dense_linear` with the survivors put back among zeros."""
    return dense_linear(pattern.dense(values), bias, x, relu=relu)


def sparse_linear_backward(
    pattern: Any, values: np.ndarray, x: np.ndarray, dy: np.ndarray, *, relu: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients, which stand column by column."""
    dx = dense_input_gradient(pattern.dense(pattern.by_row(values)), x, dy, relu=relu)
    return dx, pattern.by_column(sparse_weight_gradient(pattern, x, dy))


def sparse_weight_gradient(pattern: Any, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Compute the survivors' gradients, row by row: the dense gradient where the mask is true."""
    return (rows_of(dy).T @ rows_of(x)).astype(np.float32)[pattern.mask()]
