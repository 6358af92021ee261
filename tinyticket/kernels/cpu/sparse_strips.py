"""The loops of a masked fully-connected layer over strips of samples, as wide as registers hold.

Forward, a row of survivors at a time: a tile of samples of one output stays in registers. Backward, a column at a time: the input's
tile and its gradient's stay in registers, and each survivor loads the gradient of its output once and serves both products,
so that threads that own columns never write to the same place. A first layer's weight gradient is a dot product for each survivor,
row by row, so that a first layer needs no columns at all. Gradients of weights add up over the strips, always in the same order.
"""

import numpy as np

from tinyticket.kernels.cpu.sparse_patches import Grid, backward, forward, gradient
from tinyticket.kernels.cpu.vector import patches
from tinyticket.kernels.cpu.vector.jit import device, variant
from tinyticket.kernels.cpu.vector.machine import LANES, LARGE_CACHE, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.tiles import store_sums, tile_fill, tile_relu, tile_store, tile_where_positive


def _forward(width):
    """Make the forward pass over a strip of `width` vectors of samples."""
    shape = (1, width, 1)

    @variant(f"sparse_forward_strip_{width}")
    def strip(rows, values, bias, x, y, lanes, first, last, relu):
        for block in range(rows.blocks):
            for row in range(first, last):
                k, place = row * rows.step + block * rows.stride, advance(y, row * lanes)
                tile = tile_fill(at(bias, row), width) if block == 0 else patches.load(place, 0, shape)
                for i in range(at(rows.starts, k), at(rows.starts, k + 1)):
                    tile = patches.axpy(values, rows.offsets, i, x, 0, shape, tile)
                if relu and block == rows.blocks - 1:
                    tile = tile_relu(tile)
                tile_store(place, 0, tile)

    return strip


_ONE = (1, 1, 1)


@device
def _begun(bias, y, lanes, block, row):
    """Return what a row's sum over one vector of samples begins with."""
    return tile_fill(at(bias, row), 1) if block == 0 else patches.load(advance(y, row * lanes), 0, _ONE)


@device
def _finish(rows, values, x, y, lanes, block, row, i, tile, relu):
    """Add the survivors of a row from the i-th on, and store its sum."""
    for n in range(i, at(rows.starts, row * rows.step + block * rows.stride + 1)):
        tile = patches.axpy(values, rows.offsets, n, x, 0, _ONE, tile)
    if relu and block == rows.blocks - 1:
        tile = tile_relu(tile)
    tile_store(advance(y, row * lanes), 0, tile)


@device
def _forward_single(rows, values, bias, x, y, lanes, first, last, relu):
    """Take the forward pass over a strip of one vector, four rows at a time: a sum alone would wait for its last addition."""
    offsets, step = rows.offsets, rows.step
    for block in range(rows.blocks):
        row, before = first, block * rows.stride
        while row + 4 <= last:
            k, q = before + row * step, before + (row + 1) * step
            m, n = before + (row + 2) * step, before + (row + 3) * step
            e, f, g, h = at(rows.starts, k), at(rows.starts, q), at(rows.starts, m), at(rows.starts, n)
            both = min(at(rows.starts, k + 1) - e, at(rows.starts, q + 1) - f)
            shared = min(both, at(rows.starts, m + 1) - g, at(rows.starts, n + 1) - h)
            a, b = _begun(bias, y, lanes, block, row), _begun(bias, y, lanes, block, row + 1)
            c, d = _begun(bias, y, lanes, block, row + 2), _begun(bias, y, lanes, block, row + 3)
            for i in range(shared):
                a = patches.axpy(values, offsets, e + i, x, 0, _ONE, a)
                b = patches.axpy(values, offsets, f + i, x, 0, _ONE, b)
                c = patches.axpy(values, offsets, g + i, x, 0, _ONE, c)
                d = patches.axpy(values, offsets, h + i, x, 0, _ONE, d)
            _finish(rows, values, x, y, lanes, block, row, e + shared, a, relu)
            _finish(rows, values, x, y, lanes, block, row + 1, f + shared, b, relu)
            _finish(rows, values, x, y, lanes, block, row + 2, g + shared, c, relu)
            _finish(rows, values, x, y, lanes, block, row + 3, h + shared, d, relu)
            row += 4
        for left in range(row, last):
            start = at(rows.starts, before + left * step)
            begun = _begun(bias, y, lanes, block, left)
            _finish(rows, values, x, y, lanes, block, left, start, begun, relu)


def _backward(width):
    """Make the fused backward pass over a strip; `add` to the gradients of earlier strips."""
    shape = (1, width, 1)

    @variant(f"sparse_backward_strip_{width}")
    def strip(columns, values, x, dy, dx, gradient, lanes, first, last, x_is_relu_output, add):
        offsets = columns.offsets
        for block in range(columns.blocks):
            for column in range(first, last):
                k, place = column * columns.step + block * columns.stride, advance(dx, column * lanes)
                inputs = patches.load(advance(x, column * lanes), 0, shape)
                tile = tile_fill(np.float32(0), width) if block == 0 else patches.load(place, 0, shape)
                i, stop = at(columns.starts, k), at(columns.starts, k + 1)
                while i + 4 <= stop:
                    tile, a = patches.held_pair(values, offsets, i, dy, inputs, tile)
                    tile, b = patches.held_pair(values, offsets, i + 1, dy, inputs, tile)
                    tile, c = patches.held_pair(values, offsets, i + 2, dy, inputs, tile)
                    tile, d = patches.held_pair(values, offsets, i + 3, dy, inputs, tile)
                    store_sums(gradient, i, a, b, c, d, 4, add)
                    i += 4
                left = stop - i
                if left:
                    tile, a = patches.held_pair(values, offsets, i, dy, inputs, tile)
                    b, c = a, a
                    if left > 1:
                        tile, b = patches.held_pair(values, offsets, i + 1, dy, inputs, tile)
                    if left > 2:
                        tile, c = patches.held_pair(values, offsets, i + 2, dy, inputs, tile)
                    store_sums(gradient, i, a, b, c, a, left, add)
                if x_is_relu_output and block == columns.blocks - 1:
                    tile = tile_where_positive(inputs, tile)
                tile_store(place, 0, tile)

    return strip


def _gradient(width):
    """Make the weight gradient over a strip; `add` to the gradients of earlier strips."""
    shape = (1, width, 1)

    @variant(f"sparse_gradient_strip_{width}")
    def strip(rows, x, dy, gradient, lanes, first, last, add):
        offsets = rows.offsets
        for block in range(rows.blocks):
            for row in range(first, last):
                k, tile = row * rows.step + block * rows.stride, patches.load(advance(dy, row * lanes), 0, shape)
                i, stop = at(rows.starts, k), at(rows.starts, k + 1)
                while i + 4 <= stop:
                    a, b, c, d = patches.dot_four(offsets, i, x, 0, shape, tile)
                    store_sums(gradient, i, a, b, c, d, 4, add)
                    i += 4
                left = stop - i
                if left:
                    # Beyond the last survivor there is nothing to load: its product stands in and is not stored.
                    (a,) = patches.dot(offsets, i, x, 0, shape, tile)
                    (b,) = patches.dot(offsets, i + 1, x, 0, shape, tile) if left > 1 else (a,)
                    (c,) = patches.dot(offsets, i + 2, x, 0, shape, tile) if left > 2 else (a,)
                    store_sums(gradient, i, a, b, c, a, left, add)

    return strip


# Numba folds names of a module into constants, but not attributes of a tuple.
_WIDE, _FUSED = TILES.sparse_width * LANES, TILES.fused_width * LANES
_forward_wide = _forward(TILES.sparse_width)
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
def _grid(shape, tiles, lanes):
    """Take so many lanes of so many tiles for the pixels of an image."""
    return Grid(1, tiles, lanes // LANES, 0, shape.inputs * shape.lanes, LANES, 0, shape.outputs * shape.lanes)


@device
def forward_rows(rows, values, bias, x, y, shape, first, last, relu):
    """y[first:last] = W x + bias of every tile, perhaps through a ReLU; all arguments are addresses."""
    lanes = shape.lanes
    if lanes == LANES and shape.tiles >= _WIDE // LANES:
        _forward_tiles(_grid(shape, shape.tiles, lanes), rows, values, bias, x, y, LANES, first, last, relu, False)
        return
    wide = lanes // _WIDE * _WIDE
    for tile in range(shape.tiles):
        before, after = advance(x, tile * shape.inputs * lanes), advance(y, tile * shape.outputs * lanes)
        for lane in range(0, wide, _WIDE):
            inputs, outputs = advance(before, lane), advance(after, lane)
            _forward_wide(rows, values, bias, inputs, outputs, lanes, first, last, relu)
        for lane in range(wide, lanes, LANES):
            inputs, outputs = advance(before, lane), advance(after, lane)
            _forward_single(rows, values, bias, inputs, outputs, lanes, first, last, relu)


@device
def backward_tile(columns, values, x, dy, dx, gradient, lanes, first, last, x_is_relu_output, add):
    """dx[first:last] = W' dy of one tile; the gradients of the survivors in these columns `add` to earlier tiles'."""
    rest, wide = (gradient, lanes, first, last, x_is_relu_output), lanes // _FUSED * _FUSED
    for lane in range(0, wide, _FUSED):
        places, more = (advance(x, lane), advance(dy, lane), advance(dx, lane)), add or lane > 0
        _backward_wide(columns, values, *places, *rest, more)
    for lane in range(wide, lanes, LANES):
        places, more = (advance(x, lane), advance(dy, lane), advance(dx, lane)), add or lane > 0
        _backward_single(columns, values, *places, *rest, more)


@device
def backward_columns(columns, values, x, dy, dx, gradient, shape, first, last, x_is_relu_output):
    """dx[first:last] = W' dy of every tile, and the gradients of the survivors in these columns."""
    lanes, flag = shape.lanes, x_is_relu_output
    if lanes == LANES and shape.tiles >= _FUSED // LANES:
        grid = _grid(shape, shape.tiles, lanes)
        _backward_tiles(grid, columns, 0, 1, values, x, dy, dx, gradient, LANES, first, last, False, flag, False)
        return
    paired = 0
    # What two tiles' survivors read at random is to stay in the second-level cache.
    if PAIRS and shape.tiles > 1 and lanes == _FUSED and 2 * shape.outputs * lanes * 4 <= LARGE_CACHE:
        paired = shape.tiles // 2 * 2
        grid = _grid(shape, paired, lanes)
        _backward_two(grid, columns, 0, 1, values, x, dy, dx, gradient, lanes, first, last, False, flag, False)
    for tile in range(paired, shape.tiles):
        start, above = tile * shape.inputs * lanes, advance(dy, tile * shape.outputs * lanes)
        before, after = advance(x, start), advance(dx, start)
        backward_tile(columns, values, before, above, after, gradient, lanes, first, last, flag, tile > 0)


@device
def gradient_rows(rows, x, dy, gradient, shape, first, last):
    """Gradients of the survivors in rows first to last, summed over every tile."""
    lanes = shape.lanes
    if lanes == LANES and shape.tiles >= _WIDE // LANES:
        _gradient_tiles(_grid(shape, shape.tiles, lanes), rows, x, dy, gradient, LANES, first, last)
        return
    rest, wide = (gradient, lanes, first, last), lanes // _WIDE * _WIDE
    for tile in range(shape.tiles):
        before, above = advance(x, tile * shape.inputs * lanes), advance(dy, tile * shape.outputs * lanes)
        for lane in range(0, wide, _WIDE):
            _gradient_wide(rows, advance(before, lane), advance(above, lane), *rest, tile + lane > 0)
        for lane in range(wide, lanes, LANES):
            _gradient_single(rows, advance(before, lane), advance(above, lane), *rest, tile + lane > 0)
