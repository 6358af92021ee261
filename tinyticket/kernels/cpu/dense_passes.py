"""The three passes of a dense fully-connected layer on packed activations, blocked for registers.

Forward and input gradient are one loop: a panel of outputs by a strip of samples stays in registers while the depth
streams by, and only the strides of the weights differ. The weight gradient needs sums over samples, which lie beside
each other in the packed layout; taking the inputs sample by sample instead (a copy that packing leaves behind) makes
it a sum of outer products with no sum across lanes, and a finished tile can go straight through the optimizer, so
that a dense gradient need never be stored.

Weights are (outputs, inputs) in C order, as everybody else sees them.
"""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.vector.jit import device, kernel, variant
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import (
    advance,
    at,
    broadcast,
    load,
    pointer,
    relu,
    select,
    stack_floats,
    store,
    store_part,
    zero,
)
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_outer_apart, tile_store
from tinyticket.kernels.cpu.update import addresses, update_vector

ROWS, WIDTH = TILES.dense_rows, TILES.dense_width
_SIZE = ROWS * WIDTH
_STRIP, _PANEL = WIDTH * LANES, ROWS * WIDTH * LANES
OUTER_ROWS, _OUTER_WIDTH = TILES.outer_rows, TILES.outer_width
_OUTER_SIZE = OUTER_ROWS * _OUTER_WIDTH
_OUTER_STRIP, _OUTER_PANEL = _OUTER_WIDTH * LANES, _OUTER_SIZE * LANES


def _product(width):
    """Make the product of a panel of weights with a strip of `width` vectors, which is written to `panel`."""
    size = ROWS * width

    @variant(f"dense_product_{width}")
    def product(weights, row_stride, depth_stride, depth, rows_left, x, lanes, panel):
        tile = tile_fill(np.float32(0), size)
        for k in range(depth):
            w = advance(weights, k * depth_stride)
            tile = tile_outer(w, row_stride, rows_left, advance(x, k * lanes), width, ROWS, tile)
        tile_store(panel, 0, tile)

    return product


_product_wide, _product_single = _product(WIDTH), _product(1)


@device
def _product_apart(weights, row_stride, depth_stride, depth, rows_left, x, between, vectors_left, panel):
    """Take the product with a strip whose vectors come from tiles beside each other, `between` floats apart."""
    tile = tile_fill(np.float32(0), _SIZE)
    for k in range(depth):
        w, inputs = advance(weights, k * depth_stride), advance(x, k * LANES)
        tile = tile_outer_apart(w, row_stride, rows_left, inputs, between, vectors_left, ROWS, tile)
    tile_store(panel, 0, tile)


@device
def _strip_product(weights, row_stride, depth_stride, depth, rows_left, x, lanes, lanes_left, panel):
    """Choose the wide product while there are lanes for it; return how many lanes were done."""
    if lanes_left >= _STRIP:
        _product_wide(weights, row_stride, depth_stride, depth, rows_left, x, lanes, panel)
        return _STRIP
    _product_single(weights, row_stride, depth_stride, depth, rows_left, x, lanes, panel)
    return LANES


@device
def _forward_over_tiles(weights, bias, x, y, shape, first, last, rectify):
    """Take the forward pass on tiles of one vector, WIDTH of them for each time that the weights are read."""
    panel = stack_floats(_PANEL)
    depth, above = shape.inputs * LANES, shape.outputs * LANES
    for row in range(first, last, ROWS):
        left, w = min(ROWS, last - row), advance(weights, row * shape.inputs)
        for tile in range(0, shape.tiles, WIDTH):
            wide, inputs = min(WIDTH, shape.tiles - tile), advance(x, tile * depth)
            _product_apart(w, shape.inputs, 1, shape.inputs, left, inputs, depth, wide, panel)
            for i in range(left):
                shift = broadcast(at(bias, row + i))
                for j in range(wide):
                    value = load(panel, i * _STRIP + j * LANES) + shift
                    store(y, (tile + j) * above + (row + i) * LANES, relu(value) if rectify else value)


@device
def _input_gradient_over_tiles(weights, x, dy, dx, shape, first, last, rectified):
    """Take the input gradient on tiles of one vector, WIDTH of them for each time that the weights are read."""
    panel = stack_floats(_PANEL)
    depth, below = shape.outputs * LANES, shape.inputs * LANES
    for column in range(first, last, ROWS):
        left, w = min(ROWS, last - column), advance(weights, column)
        for tile in range(0, shape.tiles, WIDTH):
            wide, above = min(WIDTH, shape.tiles - tile), advance(dy, tile * depth)
            _product_apart(w, 1, shape.inputs, shape.outputs, left, above, depth, wide, panel)
            for i in range(left):
                for j in range(wide):
                    place = (tile + j) * below + (column + i) * LANES
                    value = load(panel, i * _STRIP + j * LANES)
                    store(dx, place, select(load(x, place) <= zero(), zero(), value) if rectified else value)


@device
def dense_forward_rows(weights, bias, x, y, shape, first, last, rectify):
    """y[first:last] = W x + bias of every tile, perhaps through a ReLU; all arguments are addresses."""
    if shape.lanes == LANES and shape.tiles > 1:
        _forward_over_tiles(weights, bias, x, y, shape, first, last, rectify)
        return
    panel = stack_floats(_PANEL)
    depth, lanes = shape.inputs, shape.lanes
    for tile in range(shape.tiles):
        lane = 0
        while lane < lanes:
            strip = LANES
            inputs = advance(x, tile * depth * lanes + lane)
            outputs = advance(y, tile * shape.outputs * lanes + lane)
            for row in range(first, last, ROWS):
                left = min(ROWS, last - row)
                w = advance(weights, row * depth)
                strip = _strip_product(w, depth, 1, depth, left, inputs, lanes, lanes - lane, panel)
                for i in range(left):
                    shift = broadcast(at(bias, row + i))
                    for j in range(0, strip, LANES):
                        value = load(panel, i * strip + j) + shift
                        store(outputs, (row + i) * lanes + j, relu(value) if rectify else value)
            lane += strip


@device
def dense_input_gradient_columns(weights, x, dy, dx, shape, first, last, rectified):
    """dx[first:last] = W' dy of every tile; where x came out of a ReLU, nothing passes an x of zero."""
    if shape.lanes == LANES and shape.tiles > 1:
        _input_gradient_over_tiles(weights, x, dy, dx, shape, first, last, rectified)
        return
    panel = stack_floats(_PANEL)
    depth, lanes = shape.outputs, shape.lanes
    for tile in range(shape.tiles):
        lane = 0
        while lane < lanes:
            strip, start = LANES, tile * shape.inputs * lanes + lane
            above = advance(dy, tile * depth * lanes + lane)
            for column in range(first, last, ROWS):
                left = min(ROWS, last - column)
                w = advance(weights, column)
                strip = _strip_product(w, 1, shape.inputs, depth, left, above, lanes, lanes - lane, panel)
                for i in range(left):
                    for j in range(0, strip, LANES):
                        place = start + (column + i) * lanes + j
                        value = load(panel, i * strip + j)
                        passed = select(load(x, place) <= zero(), zero(), value) if rectified else value
                        store(dx, place, passed)
            lane += strip


@device
def _outer_panel(x_samples, width, dy, shape, samples, rows_left, vectors_left, panel):
    """Write the gradient of a panel of weights, summed over the samples one after the other, to `panel`."""
    lanes = shape.lanes
    tile = tile_fill(np.float32(0), _OUTER_SIZE)
    for t in range(shape.tiles):
        start = t * lanes
        for s in range(min(lanes, samples - start)):
            g, x = advance(dy, start * shape.outputs + s), advance(x_samples, (start + s) * width)
            tile = tile_outer(g, lanes, rows_left, x, vectors_left, OUTER_ROWS, tile)
    tile_store(panel, 0, tile)


@device
def dense_weight_gradient_rows(x_samples, dy, gradient, shape, samples, first, last):
    """gradient[first:last] = dy x' summed over the samples."""
    panel = stack_floats(_OUTER_PANEL)
    inputs = shape.inputs
    vectors = (inputs + LANES - 1) // LANES
    for row in range(first, last, OUTER_ROWS):
        rows_left = min(OUTER_ROWS, last - row)
        above = advance(dy, row * shape.lanes)
        for v in range(0, vectors, _OUTER_WIDTH):
            left = min(_OUTER_WIDTH, vectors - v)
            x = advance(x_samples, v * LANES)
            _outer_panel(x, vectors * LANES, above, shape, samples, rows_left, left, panel)
            for i in range(rows_left):
                for j in range(left):
                    column = (v + j) * LANES
                    value = load(panel, i * _OUTER_STRIP + j * LANES)
                    store_part(gradient, (row + i) * inputs + column, value, min(LANES, inputs - column))


@device
def dense_weight_update_rows(x_samples, dy, state, rule, scalars, shape, samples, first, last):
    """Update rows first to last of the weights with their gradient, a panel at a time while that is in the cache."""
    panel = stack_floats(_OUTER_PANEL)
    inputs = shape.inputs
    vectors = (inputs + LANES - 1) // LANES
    for row in range(first, last, OUTER_ROWS):
        rows_left = min(OUTER_ROWS, last - row)
        above = advance(dy, row * shape.lanes)
        for v in range(0, vectors, _OUTER_WIDTH):
            left = min(_OUTER_WIDTH, vectors - v)
            x = advance(x_samples, v * LANES)
            _outer_panel(x, vectors * LANES, above, shape, samples, rows_left, left, panel)
            for i in range(rows_left):
                for j in range(left):
                    column = (v + j) * LANES
                    value = load(panel, i * _OUTER_STRIP + j * LANES)
                    place, count = (row + i) * inputs + column, min(LANES, inputs - column)
                    update_vector(rule, scalars, state, place, count, value)


@device
def _forward_chunk(weights, bias, x, y, shape, rectify, first, last):
    w, b, inputs, outputs = pointer(weights, 0), pointer(bias, 0), pointer(x, 0), pointer(y, 0)
    dense_forward_rows(w, b, inputs, outputs, shape, first, last, rectify)


@device
def _input_gradient_chunk(weights, x, dy, dx, shape, rectified, first, last):
    w, before, above, after = pointer(weights, 0), pointer(x, 0), pointer(dy, 0), pointer(dx, 0)
    dense_input_gradient_columns(w, before, above, after, shape, first, last, rectified)


@device
def _weight_gradient_chunk(x_samples, dy, gradient, shape, samples, first, last):
    x, above, g = pointer(x_samples, 0), pointer(dy, 0), pointer(gradient, 0)
    dense_weight_gradient_rows(x, above, g, shape, samples, first, last)


@device
def _weight_update_chunk(x_samples, dy, state, rule, scalars, shape, samples, first, last):
    x, above, held, s = pointer(x_samples, 0), pointer(dy, 0), addresses(state), pointer(scalars, 0)
    dense_weight_update_rows(x, above, held, rule, s, shape, samples, first, last)


@kernel
def dense_forward(bounds, weights, bias, x, y, shape, rectify):
    """`dense_forward_rows` over chunks of rows."""
    if bounds.size == 2:
        _forward_chunk(weights, bias, x, y, shape, rectify, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _forward_chunk(weights, bias, x, y, shape, rectify, bounds[chunk], bounds[chunk + 1])


@kernel
def dense_backward(bounds, weights, x, dy, dx, shape, rectified):
    """`dense_input_gradient_columns` over chunks of columns."""
    if bounds.size == 2:
        _input_gradient_chunk(weights, x, dy, dx, shape, rectified, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _input_gradient_chunk(weights, x, dy, dx, shape, rectified, bounds[chunk], bounds[chunk + 1])


@kernel
def dense_gradient(bounds, x_samples, dy, gradient, shape, samples):
    """`dense_weight_gradient_rows` over chunks of rows."""
    if bounds.size == 2:
        _weight_gradient_chunk(x_samples, dy, gradient, shape, samples, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _weight_gradient_chunk(x_samples, dy, gradient, shape, samples, bounds[chunk], bounds[chunk + 1])


@kernel
def dense_update(bounds, x_samples, dy, state, rule, scalars, shape, samples):
    """`dense_weight_update_rows` over chunks of rows."""
    if bounds.size == 2:
        _weight_update_chunk(x_samples, dy, state, rule, scalars, shape, samples, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _weight_update_chunk(x_samples, dy, state, rule, scalars, shape, samples, first, last)
