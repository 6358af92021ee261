"""Matrix products."""

import numpy as np

from tinyticket.autograd.elementwise import multiply
from tinyticket.autograd.operation import operation
from tinyticket.autograd.tensor import Tensor
from tinyticket.errors import InputError


@operation
def matmul(a, b):
    """a @ b as in NumPy: vectors, matrices and stacks of matrices."""
    try:
        result = a @ b
    except ValueError:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit") from None
    rows = a if a.ndim > 1 else a[np.newaxis, :]
    columns = b if b.ndim > 1 else b[:, np.newaxis]

    def as_matrices(g):
        if b.ndim == 1:
            g = g[..., np.newaxis]
        return g if a.ndim > 1 else g[..., np.newaxis, :]

    def to_a(g):
        gradient = as_matrices(g) @ columns.swapaxes(-1, -2)
        return gradient if a.ndim > 1 else gradient[..., 0, :]

    def to_b(g):
        gradient = rows.swapaxes(-1, -2) @ as_matrices(g)
        return gradient if b.ndim > 1 else gradient[..., 0]

    return result, (to_a, to_b)


def dot(a, b) -> Tensor:
    """Sum of products over the last axis of a and the last but one of b, as `np.dot`; b has two axes at most."""
    if np.ndim(b) > 2:
        raise InputError(f"dot wants at most two axes on the right, not shape {np.shape(b)}: write a @ b, or einsum")
    return matmul(a, b) if np.ndim(a) and np.ndim(b) else multiply(a, b)
