"""The three passes of a masked fully-connected layer: what each thread does with its rows or columns.

Forward, a row of survivors at a time: a tile of samples of one output stays in registers while each survivor adds weight times input to it. Backward,
a column of survivors at a time: the input's tile and its gradient's stay in registers, each survivor loads the gradient of its output once and
serves both products, so that threads that own columns never write to the same place. A first layer needs no input gradient; its weight gradient is
a dot product for each survivor, four at a time, row by row. That order is also the forward pass's, so a first layer needs no columns at all.

Batches wider than a register tile are done strip by strip; gradients of weights then add up over the strips, always in the same order.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.jit import device, kernel, parallel_kernel
from tinyticket.kernels.cpu.machine import LANES, TILES
from tinyticket.kernels.cpu.simd import at
from tinyticket.kernels.cpu.tiles import (
    store_sum,
    store_sums,
    tile_axpy,
    tile_dot,
    tile_fill,
    tile_load,
    tile_pair,
    tile_relu,
    tile_store,
    tile_where_positive,
)


class Shape(NamedTuple):
    """The sizes of a layer's work."""

    tiles: int
    inputs: int
    outputs: int
    lanes: int


class Lines(NamedTuple):
    """Survivors line by line, a line being a row or a column.

    Lines are cut into blocks so that what they read stays in the first-level cache: starts[line * blocks + block] is where a line's survivors in a
    block begin, and the next element is where they end. Offsets are positions in the other direction times the lanes.
    """

    starts: np.ndarray  # uint32, lines * blocks + 1
    offsets: np.ndarray  # uint32, survivors
    blocks: int


def _forward(width):
    """Make the forward pass over a strip of `width` vectors of samples."""

    @device
    def strip(rows, values, bias, x, x_base, y, y_base, lanes, first, last, relu):
        for block in range(rows.blocks):
            for row in range(first, last):
                k = row * rows.blocks + block
                place = y_base + row * lanes
                tile = tile_fill(at(bias, row), width) if block == 0 else tile_load(y, place, width)
                for survivor in range(at(rows.starts, k), at(rows.starts, k + 1)):
                    tile = tile_axpy(values, rows.offsets, survivor, x, x_base, tile)
                if relu and block == rows.blocks - 1:
                    tile = tile_relu(tile)
                tile_store(y, place, tile)

    return strip


def _backward(width):
    """Make the fused backward pass over a strip; `add` to the gradients of earlier strips."""

    @device
    def strip(columns, values, x, x_base, dy, dy_base, dx, gradient, lanes, first, last, relu, add):
        for block in range(columns.blocks):
            for column in range(first, last):
                k = column * columns.blocks + block
                place = x_base + column * lanes
                inputs = tile_load(x, place, width)
                tile = tile_fill(np.float32(0), width) if block == 0 else tile_load(dx, place, width)
                i, stop = at(columns.starts, k), at(columns.starts, k + 1)
                while i + 4 <= stop:
                    tile, a = tile_pair(values, columns.offsets, i, dy, dy_base, inputs, tile)
                    tile, b = tile_pair(values, columns.offsets, i + 1, dy, dy_base, inputs, tile)
                    tile, c = tile_pair(values, columns.offsets, i + 2, dy, dy_base, inputs, tile)
                    tile, d = tile_pair(values, columns.offsets, i + 3, dy, dy_base, inputs, tile)
                    store_sums(gradient, i, a, b, c, d, add)
                    i += 4
                while i < stop:
                    tile, a = tile_pair(values, columns.offsets, i, dy, dy_base, inputs, tile)
                    store_sum(gradient, i, a, add)
                    i += 1
                if relu and block == columns.blocks - 1:
                    tile = tile_where_positive(inputs, tile)
                tile_store(dx, place, tile)

    return strip


def _gradient(width):
    """Make the weight gradient over a strip; `add` to the gradients of earlier strips."""

    @device
    def strip(rows, x, x_base, dy, dy_base, gradient, lanes, first, last, add):
        for block in range(rows.blocks):
            for row in range(first, last):
                k = row * rows.blocks + block
                tile = tile_load(dy, dy_base + row * lanes, width)
                i, stop = at(rows.starts, k), at(rows.starts, k + 1)
                while i + 4 <= stop:
                    a = tile_dot(rows.offsets, i, x, x_base, tile)
                    b = tile_dot(rows.offsets, i + 1, x, x_base, tile)
                    c = tile_dot(rows.offsets, i + 2, x, x_base, tile)
                    d = tile_dot(rows.offsets, i + 3, x, x_base, tile)
                    store_sums(gradient, i, a, b, c, d, add)
                    i += 4
                while i < stop:
                    store_sum(gradient, i, tile_dot(rows.offsets, i, x, x_base, tile), add)
                    i += 1

    return strip


# Numba folds names of a module into constants, but not attributes of a tuple.
_WIDE, _FUSED = TILES.sparse_width * LANES, TILES.fused_width * LANES
_forward_wide, _forward_single = _forward(TILES.sparse_width), _forward(1)
_backward_wide, _backward_single = _backward(TILES.fused_width), _backward(1)
_gradient_wide, _gradient_single = _gradient(TILES.sparse_width), _gradient(1)


@kernel
def forward_rows(rows, values, bias, x, y, shape, first, last, relu):
    """y[first:last] = W x + bias of every tile, perhaps through a ReLU."""
    lanes = shape.lanes
    for tile in range(shape.tiles):
        x_base, y_base = tile * shape.inputs * lanes, tile * shape.outputs * lanes
        end = x_base + lanes
        while x_base + _WIDE <= end:
            _forward_wide(rows, values, bias, x, x_base, y, y_base, lanes, first, last, relu)
            x_base += _WIDE
            y_base += _WIDE
        while x_base < end:
            _forward_single(rows, values, bias, x, x_base, y, y_base, lanes, first, last, relu)
            x_base += LANES
            y_base += LANES


@kernel
def backward_columns(columns, values, x, dy, dx, gradient, shape, first, last, relu):
    """dx[first:last] = W' dy of every tile, and the gradients of the survivors in these columns."""
    lanes = shape.lanes
    for tile in range(shape.tiles):
        x_base, dy_base = tile * shape.inputs * lanes, tile * shape.outputs * lanes
        end = x_base + lanes
        while x_base + _FUSED <= end:
            add = tile > 0 or x_base + lanes > end
            _backward_wide(columns, values, x, x_base, dy, dy_base, dx, gradient, lanes, first, last, relu, add)
            x_base += _FUSED
            dy_base += _FUSED
        while x_base < end:
            add = tile > 0 or x_base + lanes > end
            _backward_single(columns, values, x, x_base, dy, dy_base, dx, gradient, lanes, first, last, relu, add)
            x_base += LANES
            dy_base += LANES


@kernel
def gradient_rows(rows, x, dy, gradient, shape, first, last):
    """Gradients of the survivors in rows first to last, summed over every tile."""
    lanes = shape.lanes
    for tile in range(shape.tiles):
        x_base, dy_base = tile * shape.inputs * lanes, tile * shape.outputs * lanes
        end = x_base + lanes
        while x_base + _WIDE <= end:
            add = tile > 0 or x_base + lanes > end
            _gradient_wide(rows, x, x_base, dy, dy_base, gradient, lanes, first, last, add)
            x_base += _WIDE
            dy_base += _WIDE
        while x_base < end:
            add = tile > 0 or x_base + lanes > end
            _gradient_single(rows, x, x_base, dy, dy_base, gradient, lanes, first, last, add)
            x_base += LANES
            dy_base += LANES


@parallel_kernel
def forward_parallel(bounds, rows, values, bias, x, y, shape, relu):
    """`forward_rows` over chunks of rows."""
    for chunk in prange(bounds.size - 1):
        forward_rows(rows, values, bias, x, y, shape, bounds[chunk], bounds[chunk + 1], relu)


@parallel_kernel
def backward_parallel(bounds, columns, values, x, dy, dx, gradient, shape, relu):
    """`backward_columns` over chunks of columns."""
    for chunk in prange(bounds.size - 1):
        backward_columns(columns, values, x, dy, dx, gradient, shape, bounds[chunk], bounds[chunk + 1], relu)


@parallel_kernel
def gradient_parallel(bounds, rows, x, dy, gradient, shape):
    """`gradient_rows` over chunks of rows."""
    for chunk in prange(bounds.size - 1):
        gradient_rows(rows, x, dy, gradient, shape, bounds[chunk], bounds[chunk + 1])
