"""A linear layer that has some of the connections between its inputs and outputs, and no numbers for the others.

Its weight is given as in a compressed sparse row matrix: `values`, row by row, of the connections to output i from the inputs
`columns[starts[i] : starts[i + 1]]`. SciPy multiplies.
"""

import numpy as np

__all__ = ["sparse_linear", "sparse_linear_input_gradient", "sparse_linear_weight_gradient"]

PRODUCTS = 1 << 22
"""Products of a weight gradient that are held at a time."""


def sparse_linear(x, starts, columns, values, bias=None):
    """Return y = x W^T + b, shape (..., out), from x of shape (..., in)."""
    samples = x.reshape(-1, x.shape[-1])
    y = np.ascontiguousarray((_matrix(starts, columns, values, x.shape[-1]) @ np.ascontiguousarray(samples.T)).T)
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], starts.size - 1)


def sparse_linear_input_gradient(dy, starts, columns, values, inputs):
    """Return dx = dy W, shape (..., in), from dy of shape (..., out)."""
    samples = dy.reshape(-1, dy.shape[-1])
    dx = (_matrix(starts, columns, values, inputs).T @ np.ascontiguousarray(samples.T)).T
    return np.ascontiguousarray(dx).reshape(*dy.shape[:-1], inputs)


def sparse_linear_weight_gradient(dy, x, starts, columns):
    """Return the gradient of `values`, summed over all leading axes."""
    above, below = (np.ascontiguousarray(a.reshape(-1, a.shape[-1]).T) for a in (dy, x))
    gradient, step = np.empty(columns.size, np.result_type(dy, x)), max(1, PRODUCTS // max(1, above.shape[1]))
    for first in range(0, columns.size, step):
        last = min(first + step, columns.size)
        rows = np.searchsorted(starts, np.arange(first, last), side="right") - 1
        gradient[first:last] = np.einsum("in,in->i", above[rows], below[columns[first:last]])
    return gradient


def _matrix(starts, columns, values, inputs):
    from scipy.sparse import csr_array  # a tenth of a second, which dense networks need not wait for

    return csr_array((values, columns, starts), shape=(starts.size - 1, inputs))
