"""The gradient of a bias: each output's sum over the samples."""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.arguments import even_bounds, flat, packed_shape
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import load, pointer, zero
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.tiles import store_sums


@device
def _row_sum(dy, shape, row):
    """Sum the vectors of one output over all tiles; the sixteen lanes are left to the caller."""
    total = zero()
    for tile in range(shape.tiles):
        start = (tile * shape.outputs + row) * shape.lanes
        for place in range(start, start + shape.lanes, LANES):
            total = total + load(dy, place)
    return total


@device
def bias_gradient_rows(dy, gradient, shape, first, last):
    """gradient[first:last] = sums of dy over the samples; padded lanes of dy hold zeros. Arguments are addresses."""
    row = first
    while row < last:
        end = last - 1
        a, b = _row_sum(dy, shape, row), _row_sum(dy, shape, min(row + 1, end))
        c, d = _row_sum(dy, shape, min(row + 2, end)), _row_sum(dy, shape, min(row + 3, end))
        store_sums(gradient, row, a, b, c, d, last - row, False)
        row += 4


@kernel
def bias_sums(bounds, dy, gradient, shape):
    """`bias_gradient_rows` over chunks of rows."""
    if bounds.size == 2:
        bias_gradient_rows(pointer(dy, 0), pointer(gradient, 0), shape, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            bias_gradient_rows(pointer(dy, 0), pointer(gradient, 0), shape, bounds[chunk], bounds[chunk + 1])


def bias_gradient(dy: np.ndarray, *, threads: int | None = None) -> np.ndarray:
    """Sum the gradient of a layer's output over the samples.

    Parameters
    ----------
    dy : array of shape (tiles, outputs, lanes)
        Zero in padded lanes.
    threads : int, optional

    Returns
    -------
    array of shape (outputs,)
    """
    shape = packed_shape(dy, "dy")
    gradient = empty(shape.outputs)
    bounds = even_bounds(shape.outputs, thread_count(threads))
    bias_sums(bounds, flat(dy, dy.shape, "dy"), gradient, shape)
    return gradient
