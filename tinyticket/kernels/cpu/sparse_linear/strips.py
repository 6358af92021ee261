"""The loops of a masked fully-connected layer over strips of samples.

Forward, a row of survivors at a time: a tile of samples of one output stays in registers while each survivor adds
weight times input to it. Backward, a column of survivors at a time: the input's tile and its gradient's stay in
registers, each survivor loads the gradient of its output once and serves both products, so that threads that own
columns never write to the same place. A first layer needs no input gradient; its weight gradient is a dot product for
each survivor, four at a time, row by row. That order is also the forward pass's, so a first layer needs no columns at
all.

Batches wider than a register tile are done strip by strip, backward two strips at a time; gradients of weights then add
up over the strips, always in the same order.
"""

import numpy as np

from tinyticket.kernels.cpu.patch_grid import Grid
from tinyticket.kernels.cpu.sparse_patches import backward, forward, gradient
from tinyticket.kernels.cpu.vector.jit import device, variant
from tinyticket.kernels.cpu.vector.machine import LANES, LARGE_CACHE, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.tiles import (
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


def _forward(width):
    """Make the forward pass over a strip of `width` vectors of samples."""

    @variant(f"sparse_forward_strip_{width}")
    def strip(rows, values, bias, x, y, lanes, first, last, relu):
        for block in range(rows.blocks):
            for row in range(first, last):
                k = row * rows.blocks + block
                tile = tile_fill(at(bias, row), width) if block == 0 else tile_load(y, row * lanes, width)
                for i in range(at(rows.starts, k), at(rows.starts, k + 1)):
                    tile = tile_axpy(values, rows.offsets, i, x, tile)
                if relu and block == rows.blocks - 1:
                    tile = tile_relu(tile)
                tile_store(y, row * lanes, tile)

    return strip


def _backward(width):
    """Make the fused backward pass over a strip; `add` to the gradients of earlier strips."""

    @variant(f"sparse_backward_strip_{width}")
    def strip(columns, values, x, dy, dx, gradient, lanes, first, last, x_is_relu_output, add):
        for block in range(columns.blocks):
            for column in range(first, last):
                k = column * columns.blocks + block
                inputs = tile_load(x, column * lanes, width)
                tile = tile_fill(np.float32(0), width) if block == 0 else tile_load(dx, column * lanes, width)
                i, stop = at(columns.starts, k), at(columns.starts, k + 1)
                while i + 4 <= stop:
                    tile, a = tile_pair(values, columns.offsets, i, dy, inputs, tile)
                    tile, b = tile_pair(values, columns.offsets, i + 1, dy, inputs, tile)
                    tile, c = tile_pair(values, columns.offsets, i + 2, dy, inputs, tile)
                    tile, d = tile_pair(values, columns.offsets, i + 3, dy, inputs, tile)
                    store_sums(gradient, i, a, b, c, d, 4, add)
                    i += 4
                left = stop - i
                if left:
                    tile, a = tile_pair(values, columns.offsets, i, dy, inputs, tile)
                    b, c = a, a
                    if left > 1:
                        tile, b = tile_pair(values, columns.offsets, i + 1, dy, inputs, tile)
                    if left > 2:
                        tile, c = tile_pair(values, columns.offsets, i + 2, dy, inputs, tile)
                    store_sums(gradient, i, a, b, c, a, left, add)
                if x_is_relu_output and block == columns.blocks - 1:
                    tile = tile_where_positive(inputs, tile)
                tile_store(dx, column * lanes, tile)

    return strip


def _gradient(width):
    """Make the weight gradient over a strip; `add` to the gradients of earlier strips."""

    @variant(f"sparse_gradient_strip_{width}")
    def strip(rows, x, dy, gradient, lanes, first, last, add):
        for block in range(rows.blocks):
            for row in range(first, last):
                k = row * rows.blocks + block
                tile = tile_load(dy, row * lanes, width)
                i, stop = at(rows.starts, k), at(rows.starts, k + 1)
                while i + 4 <= stop:
                    a = tile_dot(rows.offsets, i, x, tile)
                    b = tile_dot(rows.offsets, i + 1, x, tile)
                    c = tile_dot(rows.offsets, i + 2, x, tile)
                    d = tile_dot(rows.offsets, i + 3, x, tile)
                    store_sums(gradient, i, a, b, c, d, 4, add)
                    i += 4
                left = stop - i
                if left:
                    # Beyond the last survivor there is nothing to load: its product stands in and is not stored.
                    a = tile_dot(rows.offsets, i, x, tile)
                    b = tile_dot(rows.offsets, i + 1, x, tile) if left > 1 else a
                    c = tile_dot(rows.offsets, i + 2, x, tile) if left > 2 else a
                    store_sums(gradient, i, a, b, c, a, left, add)

    return strip


# Numba folds names of a module into constants, but not attributes of a tuple.
_WIDE, _FUSED = TILES.sparse_width * LANES, TILES.fused_width * LANES
_forward_wide, _forward_single = _forward(TILES.sparse_width), _forward(1)
_backward_wide, _backward_single = _backward(TILES.fused_width), _backward(1)
_gradient_wide, _gradient_single = _gradient(TILES.sparse_width), _gradient(1)

# The backward pass takes two tiles as wide as a strip together where registers hold them: each survivor's value and place are
# then read once for both, and its gradient is one sum instead of two.
PAIRS = TILES.fused_patch >= 2 * TILES.fused_width
_backward_two = backward(2, TILES.fused_width, 1)

# Where tiles are one vector wide, as behind an image, a strip takes its vectors from tiles beside each other.
_forward_tiles, _gradient_tiles = forward(TILES.sparse_width, 1, 1), gradient(TILES.sparse_width, 1, 1)
_backward_tiles = backward(TILES.fused_width, 1, 1)


@device
def _tiles_grid(shape):
    return Grid(1, shape.tiles, 1, 0, shape.inputs * LANES, LANES, 0, shape.outputs * LANES)


@device
def forward_rows(rows, values, bias, x, y, shape, first, last, relu):
    """y[first:last] = W x + bias of every tile, perhaps through a ReLU; all arguments are addresses."""
    lanes = shape.lanes
    if lanes == LANES and shape.tiles >= _WIDE // LANES:
        _forward_tiles(rows, values, bias, x, y, LANES, _tiles_grid(shape), first, last, relu, False)
        return
    for tile in range(shape.tiles):
        lane = 0
        while lane < lanes:
            inputs = advance(x, tile * shape.inputs * lanes + lane)
            outputs = advance(y, tile * shape.outputs * lanes + lane)
            if lane + _WIDE <= lanes:
                _forward_wide(rows, values, bias, inputs, outputs, lanes, first, last, relu)
                lane += _WIDE
            else:
                _forward_single(rows, values, bias, inputs, outputs, lanes, first, last, relu)
                lane += LANES


@device
def backward_tile(columns, values, x, dy, dx, gradient, lanes, first, last, x_is_relu_output, add):
    """dx[first:last] = W' dy of one tile; the gradients of the survivors in these columns `add` to earlier tiles'."""
    lane = 0
    while lane < lanes:
        before, above, after = advance(x, lane), advance(dy, lane), advance(dx, lane)
        more = add or lane > 0
        if lane + _FUSED <= lanes:
            _backward_wide(columns, values, before, above, after, gradient, lanes, first, last, x_is_relu_output, more)
            lane += _FUSED
        else:
            _backward_single(
                columns, values, before, above, after, gradient, lanes, first, last, x_is_relu_output, more
            )
            lane += LANES


@device
def backward_columns(columns, values, x, dy, dx, gradient, shape, first, last, x_is_relu_output):
    """dx[first:last] = W' dy of every tile, and the gradients of the survivors in these columns."""
    lanes = shape.lanes
    if lanes == LANES and shape.tiles >= _FUSED // LANES:
        grid = _tiles_grid(shape)
        _backward_tiles(
            columns, 0, 1, values, x, dy, dx, gradient, LANES, grid, first, last, False, x_is_relu_output, False
        )
        return
    paired = 0
    # What two tiles' survivors read at random is to stay in the second-level cache.
    if PAIRS and shape.tiles > 1 and lanes == _FUSED and 2 * shape.outputs * lanes * 4 <= LARGE_CACHE:
        paired = shape.tiles // 2 * 2
        grid = Grid(1, paired, lanes // LANES, 0, shape.inputs * lanes, LANES, 0, shape.outputs * lanes)
        _backward_two(
            columns, 0, 1, values, x, dy, dx, gradient, lanes, grid, first, last, False, x_is_relu_output, False
        )
    for tile in range(paired, shape.tiles):
        start, above = tile * shape.inputs * lanes, advance(dy, tile * shape.outputs * lanes)
        before, after = advance(x, start), advance(dx, start)
        backward_tile(columns, values, before, above, after, gradient, lanes, first, last, x_is_relu_output, tile > 0)


@device
def gradient_rows(rows, x, dy, gradient, shape, first, last):
    """Gradients of the survivors in rows first to last, summed over every tile."""
    lanes = shape.lanes
    if lanes == LANES and shape.tiles >= _WIDE // LANES:
        _gradient_tiles(rows, x, dy, gradient, LANES, _tiles_grid(shape), first, last)
        return
    for tile in range(shape.tiles):
        lane = 0
        while lane < lanes:
            inputs = advance(x, tile * shape.inputs * lanes + lane)
            above = advance(dy, tile * shape.outputs * lanes + lane)
            if lane + _WIDE <= lanes:
                _gradient_wide(rows, inputs, above, gradient, lanes, first, last, tile + lane > 0)
                lane += _WIDE
            else:
                _gradient_single(rows, inputs, above, gradient, lanes, first, last, tile + lane > 0)
                lane += LANES
