"""Fully-connected layers, dense and sparse."""

from tinyticket.compiler.network.routines.arguments import flag_at, lines_at, place_at, shape_at, state_at
from tinyticket.kernels.cpu.dense_passes import (
    dense_forward_rows,
    dense_input_gradient_columns,
    dense_weight_update_rows,
)
from tinyticket.kernels.cpu.gather import sample_blocks
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.sparse_passes import backward_columns, forward_rows, gradient_rows


@device
def linear_forward(c, row, first, last):
    """Arguments: weight, bias, x, y, whether to rectify, shape."""
    w, bias, x, y = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    dense_forward_rows(w, bias, x, y, shape_at(row, 5), first, last, flag_at(row, 4))


@device
def linear_backward(c, row, first, last):
    """Arguments: weight, x, dy, dx, whether x was rectified, shape."""
    w, x, dy, dx = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    dense_input_gradient_columns(w, x, dy, dx, shape_at(row, 5), first, last, flag_at(row, 4))


@device
def linear_transpose(c, row, first, last):
    """Arguments: x, x sample by sample, shape."""
    sample_blocks(place_at(c, row, 0), place_at(c, row, 1), shape_at(row, 2), first, last)


@device
def linear_update(c, row, first, last):
    """Arguments: x sample by sample, dy, state, shape."""
    x, dy = place_at(c, row, 0), place_at(c, row, 1)
    dense_weight_update_rows(x, dy, state_at(c, row, 2), c.rule, c.scalars, shape_at(row, 7), c.samples, first, last)


@device
def sparse_linear_forward(c, row, first, last):
    """Arguments: values, bias, x, y, whether to rectify, rows, shape."""
    values, bias, x, y = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    forward_rows(lines_at(c, row, 5), values, bias, x, y, shape_at(row, 8), first, last, flag_at(row, 4))


@device
def sparse_linear_backward(c, row, first, last):
    """Arguments: values, x, dy, dx, gradient, whether x was rectified, columns, shape."""
    values, x, dy, dx, g = (
        place_at(c, row, 0),
        place_at(c, row, 1),
        place_at(c, row, 2),
        place_at(c, row, 3),
        place_at(c, row, 4),
    )
    backward_columns(lines_at(c, row, 6), values, x, dy, dx, g, shape_at(row, 9), first, last, flag_at(row, 5))


@device
def sparse_linear_gradient(c, row, first, last):
    """Arguments: x, dy, gradient, rows, shape."""
    gradient_rows(
        lines_at(c, row, 3),
        place_at(c, row, 0),
        place_at(c, row, 1),
        place_at(c, row, 2),
        shape_at(row, 6),
        first,
        last,
    )
