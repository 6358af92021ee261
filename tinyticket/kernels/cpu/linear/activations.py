"""The forward pass and the input gradient of a dense fully-connected layer."""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, flat, flat_output, packed_shape
from tinyticket.kernels.cpu.image_common import passing
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.jit import device, variant
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, broadcast, load, relu, stack_floats, store
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_outer_apart, tile_store
from tinyticket.kernels.geometry import Shape

ROWS = TILES.dense_rows
"""Outputs, or inputs, in a panel; a share had better begin at a multiple."""

_WIDTH = TILES.dense_width
_SIZE = ROWS * _WIDTH
_STRIP, _PANEL = _WIDTH * LANES, _SIZE * LANES


def _product(width):
    """Make the product of a panel of weights with a strip of `width` vectors, which is written to `panel`."""
    size = ROWS * width

    @variant(f"linear_product_{width}")
    def product(weights, row_stride, depth_stride, depth, rows_left, x, lanes, panel):
        tile = tile_fill(np.float32(0), size)
        for k in range(depth):
            w = advance(weights, k * depth_stride)
            tile = tile_outer(w, row_stride, rows_left, advance(x, k * lanes), width, ROWS, tile)
        tile_store(panel, 0, tile)

    return product


_product_wide, _product_single = _product(_WIDTH), _product(1)


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
def _linear_over_tiles(weight, bias, x, y, shape, through_relu, first, last):
    """Take the forward pass on tiles of one vector, several of them for each time that the weights are read."""
    panel = stack_floats(_PANEL)
    depth, above = shape.inputs * LANES, shape.outputs * LANES
    for row in range(first, last, ROWS):
        left, w = min(ROWS, last - row), advance(weight, row * shape.inputs)
        for tile in range(0, shape.tiles, _WIDTH):
            wide, inputs = min(_WIDTH, shape.tiles - tile), advance(x, tile * depth)
            _product_apart(w, shape.inputs, 1, shape.inputs, left, inputs, depth, wide, panel)
            for i in range(left):
                shift = broadcast(at(bias, row + i))
                for j in range(wide):
                    value = load(panel, i * _STRIP + j * LANES) + shift
                    store(y, (tile + j) * above + (row + i) * LANES, relu(value) if through_relu else value)


@device
def _linear_by_strips(weight, bias, x, y, shape, through_relu, first, last):
    """Take the forward pass strip by strip of each tile."""
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
                w = advance(weight, row * depth)
                strip = _strip_product(w, depth, 1, depth, left, inputs, lanes, lanes - lane, panel)
                for i in range(left):
                    shift = broadcast(at(bias, row + i))
                    for j in range(0, strip, LANES):
                        value = load(panel, i * strip + j) + shift
                        store(outputs, (row + i) * lanes + j, relu(value) if through_relu else value)
            lane += strip


class Linear(NamedTuple):
    """The job of `linear`, whose share are rows of the weight, that is outputs."""

    weight: Floats
    bias: Floats
    x: Floats
    y: Floats
    relu: bool
    shape: Shape


@kernel(Linear)
def _linear(job, first, last):
    weight, bias, x, y, through_relu, shape = job.weight, job.bias, job.x, job.y, job.relu, job.shape
    if shape.lanes == LANES and shape.tiles > 1:
        _linear_over_tiles(weight, bias, x, y, shape, through_relu, first, last)
    else:
        _linear_by_strips(weight, bias, x, y, shape, through_relu, first, last)


@device
def _input_gradient_over_tiles(weight, x, dy, dx, shape, x_is_relu_output, first, last):
    """Take the input gradient on tiles of one vector, several of them for each time that the weights are read."""
    panel = stack_floats(_PANEL)
    depth, below = shape.outputs * LANES, shape.inputs * LANES
    for column in range(first, last, ROWS):
        left, w = min(ROWS, last - column), advance(weight, column)
        for tile in range(0, shape.tiles, _WIDTH):
            wide, above = min(_WIDTH, shape.tiles - tile), advance(dy, tile * depth)
            _product_apart(w, 1, shape.inputs, shape.outputs, left, above, depth, wide, panel)
            for i in range(left):
                for j in range(wide):
                    place = (tile + j) * below + (column + i) * LANES
                    value = load(panel, i * _STRIP + j * LANES)
                    store(dx, place, passing(load(x, place), value) if x_is_relu_output else value)


@device
def _input_gradient_by_strips(weight, x, dy, dx, shape, x_is_relu_output, first, last):
    """Take the input gradient strip by strip of each tile."""
    panel = stack_floats(_PANEL)
    depth, lanes = shape.outputs, shape.lanes
    for tile in range(shape.tiles):
        lane = 0
        while lane < lanes:
            strip, start = LANES, tile * shape.inputs * lanes + lane
            above = advance(dy, tile * depth * lanes + lane)
            for column in range(first, last, ROWS):
                left = min(ROWS, last - column)
                w = advance(weight, column)
                strip = _strip_product(w, 1, shape.inputs, depth, left, above, lanes, lanes - lane, panel)
                for i in range(left):
                    for j in range(0, strip, LANES):
                        place = start + (column + i) * lanes + j
                        value = load(panel, i * strip + j)
                        store(dx, place, passing(load(x, place), value) if x_is_relu_output else value)
            lane += strip


class LinearInputGradient(NamedTuple):
    """The job of `linear_input_gradient`, whose share are columns of the weight, that is inputs."""

    weight: Floats
    x: Floats  # read only if it is a ReLU's output
    dy: Floats
    dx: Floats
    x_is_relu_output: bool  # leave zero where x is zero
    shape: Shape


@kernel(LinearInputGradient)
def _linear_input_gradient(job, first, last):
    weight, x, dy, dx, x_is_relu_output, shape = job.weight, job.x, job.dy, job.dx, job.x_is_relu_output, job.shape
    if shape.lanes == LANES and shape.tiles > 1:
        _input_gradient_over_tiles(weight, x, dy, dx, shape, x_is_relu_output, first, last)
    else:
        _input_gradient_by_strips(weight, x, dy, dx, shape, x_is_relu_output, first, last)


# -- functions of arrays


def linear(
    weight: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = W x + bias of packed activations, perhaps through a ReLU.

    Parameters
    ----------
    weight : array of shape (outputs, inputs)
    bias : array of shape (outputs,)
    x : array of shape (tiles, inputs, lanes)
    relu : bool
        Set what is negative to zero.
    out : float32 array of shape (tiles, outputs, lanes), optional
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    array of shape (tiles, outputs, lanes)

    Raises
    ------
    InputError
        If x is not packed, or an array does not have the shape given above.
    """
    shape = packed_shape(x, "x", weight.shape)
    y = empty(shape.tiles, shape.outputs, shape.lanes) if out is None else out
    arrays = (
        flat(weight, weight.shape, "weight"),
        flat(bias, (shape.outputs,), "bias"),
        flat(x, x.shape, "x"),
        flat_output(y, (shape.tiles, shape.outputs, shape.lanes), "out"),
    )
    run(Linear(*arrays, bool(relu), shape), even_shares(shape.outputs, threads, ROWS))
    return y


def linear_input_gradient(
    weight: np.ndarray, x: np.ndarray, dy: np.ndarray, *, x_is_relu_output: bool = False, threads: int | None = None
) -> np.ndarray:
    """Compute dx = W' dy.

    Parameters
    ----------
    weight : array of shape (outputs, inputs)
    x : array of shape (tiles, inputs, lanes)
        What the layer was given.
    dy : array of shape (tiles, outputs, lanes)
    x_is_relu_output : bool
        Make the result the gradient by what went into the ReLU that made x.
    threads : int, optional

    Returns
    -------
    array of shape (tiles, inputs, lanes)

    Raises
    ------
    InputError
        If x is not packed, or an array does not have the shape given above.
    """
    shape = packed_shape(x, "x", weight.shape)
    dx = empty(*x.shape)
    arrays = (
        flat(weight, weight.shape, "weight"),
        flat(x, x.shape, "x"),
        flat(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"),
        dx,
    )
    run(LinearInputGradient(*arrays, bool(x_is_relu_output), shape), even_shares(shape.inputs, threads, ROWS))
    return dx
