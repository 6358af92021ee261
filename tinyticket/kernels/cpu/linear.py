"""A dense fully-connected layer on packed activations, blocked for registers: forward pass and input gradient.

Both are one loop: a panel of outputs by a strip of samples stays in registers while the depth streams by, and only the strides
of the weights and the end of a panel differ. Weights are (outputs, inputs) in C order, as in the rest of the library.

What is zero in all samples of a strip, as pixels near the edge of images mostly are, adds nothing to any sum and is left out: its
places are looked up once for all panels.

>>> y = unpack(linear(weight, bias, pack(x), relu=True), len(x))        # doctest: +SKIP
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, flat, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.image_common import passing
from tinyticket.kernels.cpu.job import Floats, kernel, run, specialised
from tinyticket.kernels.cpu.packing import empty, packed_shape
from tinyticket.kernels.cpu.vector.jit import device, variant
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import (
    advance,
    any_of,
    at,
    broadcast,
    load,
    relu,
    stack_floats,
    stack_numbers,
    store,
)
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_outer_apart, tile_store
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Shape

ROWS = TILES.dense_rows
"""Outputs, or inputs, in a panel; a share had better begin at a multiple."""

_WIDTH = TILES.dense_width
_SIZE = ROWS * _WIDTH
_STRIP, _PANEL = _WIDTH * LANES, _SIZE * LANES


class Linear(NamedTuple):
    """The job of `linear`, whose share are rows of the weight, that is outputs."""

    weight: Floats
    bias: Floats
    x: Floats
    y: Floats
    relu: bool
    shape: Shape


class LinearInputGradient(NamedTuple):
    """The job of `linear_input_gradient`, whose share are columns of the weight, that is inputs."""

    weight: Floats
    x: Floats  # read only if it is a ReLU's output
    dy: Floats
    dx: Floats
    x_is_relu_output: bool  # leave zero where x is zero
    shape: Shape


MOST = 4096
"""Places in the depth that are looked up; those beyond all count."""


def _lookup(width):
    """Make what writes the places in the depth where a strip of `width` vectors is not zero, and returns how many there are."""

    @variant(f"linear_lookup_{width}")
    def lookup(x, lanes, depth, found):
        count = np.int64(0)
        for k in range(min(depth, MOST)):
            put(found, count, np.uint32(k))
            count += any_of(x, k * lanes, width)
        return count

    return lookup


def _product(width):
    """Make the product of a panel of weights with a strip of `width` vectors, which is written to `panel`."""
    size = ROWS * width

    @variant(f"linear_product_{width}")
    def product(weights, row_stride, depth_stride, depth, found, count, rows_left, x, lanes, panel):
        tile = tile_fill(np.float32(0), size)
        for n in range(count):
            k = at(found, n)
            w = advance(weights, k * depth_stride)
            tile = tile_outer(w, row_stride, rows_left, advance(x, k * lanes), width, ROWS, tile)
        for k in range(MOST, depth):
            w = advance(weights, k * depth_stride)
            tile = tile_outer(w, row_stride, rows_left, advance(x, k * lanes), width, ROWS, tile)
        tile_store(panel, 0, tile)

    return product


_product_wide, _product_single = _product(_WIDTH), _product(1)
_lookup_wide, _lookup_single = _lookup(_WIDTH), _lookup(1)


@device
def _product_apart(weights, row_stride, depth_stride, depth, rows_left, x, between, vectors_left, panel):
    """Take the product with a strip whose vectors come from tiles beside each other, `between` floats apart."""
    tile = tile_fill(np.float32(0), _SIZE)
    for k in range(depth):
        w, inputs = advance(weights, k * depth_stride), advance(x, k * LANES)
        tile = tile_outer_apart(w, row_stride, rows_left, inputs, between, vectors_left, ROWS, tile)
    tile_store(panel, 0, tile)


@device
def _finish_outputs(job, found, count, place, step, row):
    shift = broadcast(at(job.bias, row))
    for j in range(count):
        value = load(found, j * LANES) + shift
        store(job.y, place + j * step, relu(value) if job.relu else value)


@device
def _finish_inputs(job, found, count, place, step, row):
    for j in range(count):
        value, to = load(found, j * LANES), place + j * step
        store(job.dx, to, passing(load(job.x, to), value) if job.x_is_relu_output else value)


_back: Any = None  # stands for whether a pass is the input gradient,
_finish: Any = None  # and this for what writes a row of its panels


def _pass(job, first, last):
    """Take the products of the weight with x, or of its transpose with dy, panel by panel."""
    shape, lanes, panel, found = job.shape, job.shape.lanes, stack_floats(_PANEL), stack_numbers(MOST)
    if _back:
        x, depth, height, row_stride, depth_stride = job.dy, shape.outputs, shape.inputs, 1, shape.inputs
    else:
        x, depth, height, row_stride, depth_stride = job.x, shape.inputs, shape.outputs, shape.inputs, 1
    if lanes == LANES and shape.tiles > 1:  # several tiles for each time that the weights are read
        for row in range(first, last, ROWS):
            left, w = min(ROWS, last - row), advance(job.weight, row * row_stride)
            for tile in range(0, shape.tiles, _WIDTH):
                beside, strip = min(_WIDTH, shape.tiles - tile), advance(x, tile * depth * LANES)
                _product_apart(w, row_stride, depth_stride, depth, left, strip, depth * LANES, beside, panel)
                for i in range(left):
                    place = (tile * height + row + i) * LANES
                    _finish(job, advance(panel, i * _STRIP), beside, place, height * LANES, row + i)
    else:
        for tile in range(shape.tiles):
            lane = 0
            while lane < lanes:
                size, strip = _STRIP if lanes - lane >= _STRIP else LANES, advance(x, tile * depth * lanes + lane)
                wide = size == _STRIP
                count = _lookup_wide(strip, lanes, depth, found) if wide else _lookup_single(strip, lanes, depth, found)
                for row in range(first, last, ROWS):
                    left, w = min(ROWS, last - row), advance(job.weight, row * row_stride)
                    if wide:
                        _product_wide(w, row_stride, depth_stride, depth, found, count, left, strip, lanes, panel)
                    else:
                        _product_single(w, row_stride, depth_stride, depth, found, count, left, strip, lanes, panel)
                    for i in range(left):
                        place = (tile * height + row + i) * lanes + lane
                        _finish(job, advance(panel, i * size), size // LANES, place, LANES, row + i)
                lane += size


kernel(Linear)(specialised(_pass, "_linear", _back=False, _finish=_finish_outputs))
kernel(LinearInputGradient)(specialised(_pass, "_linear_input_gradient", _back=True, _finish=_finish_inputs))


# -- functions of arrays


def linear(
    weight: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: Written[np.ndarray] | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = W x + bias of packed activations, perhaps through a ReLU.

    Parameters
    ----------
    weight : array of shape (outputs, inputs)
    bias : array of shape (outputs,)
    x : array of shape (tiles, inputs, lanes)
    out : float32 array of shape (tiles, outputs, lanes), optional
        Written and returned.
    relu, threads
        As in `kernels.cpu`.
    """
    shape = packed_shape(x, "x", weight.shape)
    above = shape.tiles, shape.outputs, shape.lanes
    y = empty(*above) if out is None else out
    parameters = flat(weight, weight.shape, "weight"), flat(bias, (shape.outputs,), "bias")
    job = Linear(*parameters, flat(x, x.shape, "x"), flat_output(y, above, "out"), bool(relu), shape)
    run(job, even_shares(shape.outputs, threads, ROWS))
    return y


def linear_input_gradient(
    weight: np.ndarray, x: np.ndarray, dy: np.ndarray, *, x_is_relu_output: bool = False, threads: int | None = None
) -> np.ndarray:
    """Compute dx = W' dy, where dy is like the result of `linear`; arguments as there, options as in `kernels.cpu`."""
    shape, dx = packed_shape(x, "x", weight.shape), empty(*x.shape)
    above = flat(dy, (shape.tiles, shape.outputs, shape.lanes), "dy")
    arrays = flat(weight, weight.shape, "weight"), flat(x, x.shape, "x"), above, dx
    run(LinearInputGradient(*arrays, bool(x_is_relu_output), shape), even_shares(shape.inputs, threads, ROWS))
    return dx
