"""A masked fully-connected layer whose inputs and outputs are samples by features, as in networks of other libraries.

Packing a whole batch, and bringing the results back, takes about as long as a layer at 2% density, because all of it goes through
memory twice. Here a tile of samples is packed, multiplied and brought back while it is in the cache.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.gather import gather_blocks
from tinyticket.kernels.cpu.job import Floats, Numbers, kernel, run
from tinyticket.kernels.cpu.lines import LinearPattern
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.sparse_linear import SparseLinear, SparseLinearGradient
from tinyticket.kernels.cpu.sparse_strips import backward_tile, forward_rows
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.streaming import drain, streams
from tinyticket.kernels.cpu.vector.transpose import square_of_lines, store_corner, stream_square, transposed
from tinyticket.kernels.geometry import Shape, tiles_for


class Chunks(NamedTuple):
    """The division of the work, and the memory that each chunk has for itself."""

    bounds: Numbers  # of tiles or of columns: a chunk's, and the next one's
    memory: Floats  # for each chunk its packed tiles ...
    size: int  # ... so many floats
    samples: int
    indices: Numbers  # 0 to samples


@device
def _pack(chunks, data, tile, lanes, features, first, last, packed):
    """Bring a tile's features 16 * first to 16 * last into a chunk's memory."""
    before = tile * lanes
    shape, count = Shape(1, features, features, lanes), min(chunks.samples - before, lanes)
    gather_blocks(data, advance(chunks.indices, before), packed, packed, False, shape, count, first, last)


@device
def _bring_back(chunks, packed, tile, lanes, features, first, last, data):
    """Bring a tile's features 16 * first to 16 * last back to where its samples are."""
    streamed = features % LANES == 0 and streams(data, chunks.samples * features)
    for lane in range(0, lanes, LANES):
        sample = tile * lanes + lane
        count = min(chunks.samples - sample, LANES)
        if count > 0:
            for f in range(first * LANES, last * LANES, LANES):
                width, place = min(features - f, LANES), advance(data, sample * features + f)
                square = transposed(square_of_lines(advance(packed, f * lanes + lane), lanes, width), width)
                if streamed:
                    stream_square(place, features, square, count)
                else:
                    store_corner(place, features, square, count, width)
    if streamed:
        drain()


class SparseLinearSamples(NamedTuple):
    """The job of `sparse_linear_samples`, whose share are chunks of tiles."""

    chunks: Chunks
    layer: SparseLinear  # of samples


@kernel(SparseLinearSamples)
def _sparse_linear_samples(job, first, last):
    chunks, layer = job.chunks, job.layer
    _, inputs, outputs, lanes = layer.shape
    shape = Shape(1, inputs, outputs, lanes)
    for chunk in range(first, last):
        x = advance(chunks.memory, chunk * chunks.size)
        y = advance(x, inputs * lanes)
        for tile in range(at(chunks.bounds, chunk), at(chunks.bounds, chunk + 1)):
            _pack(chunks, layer.x, tile, lanes, inputs, 0, (inputs + LANES - 1) // LANES, x)
            forward_rows(layer.rows, layer.values, layer.bias, x, y, shape, 0, outputs, layer.relu)
            _bring_back(chunks, y, tile, lanes, outputs, 0, (outputs + LANES - 1) // LANES, layer.y)


class SparseLinearSamplesGradient(NamedTuple):
    """The job of `sparse_linear_samples_gradient`, whose share are chunks of columns, a multiple of 16 if others follow."""

    chunks: Chunks
    layer: SparseLinearGradient  # of samples


@kernel(SparseLinearSamplesGradient)
def _sparse_linear_samples_gradient(job, first, last):
    chunks, layer = job.chunks, job.layer
    columns, values, gradient, x_is_relu_output = layer.columns, layer.values, layer.gradient, layer.x_is_relu_output
    tiles, inputs, outputs, lanes = layer.shape
    for chunk in range(first, last):
        left, right = at(chunks.bounds, chunk), at(chunks.bounds, chunk + 1)
        start, end = (left + LANES - 1) // LANES, (right + LANES - 1) // LANES
        dy = advance(chunks.memory, chunk * chunks.size)
        x = advance(dy, outputs * lanes)
        dx = advance(x, inputs * lanes)
        for tile in range(tiles):
            _pack(chunks, layer.dy, tile, lanes, outputs, 0, (outputs + LANES - 1) // LANES, dy)
            _pack(chunks, layer.x, tile, lanes, inputs, start, end, x)
            backward_tile(columns, values, x, dy, dx, gradient, lanes, left, right, x_is_relu_output, tile > 0)
            _bring_back(chunks, dx, tile, lanes, inputs, start, end, layer.dx)


# -- functions of arrays


def sparse_linear_samples(
    pattern: LinearPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: Written[np.ndarray] | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = x W' + bias of samples, perhaps through a ReLU.

    x has shape (samples, inputs), and the result, or `out`, (samples, outputs); the pattern's lanes are how many samples are taken
    together. The other arguments, and errors, are those of `sparse_linear`.
    """
    shape, samples = _shape(pattern, x)
    y = empty(samples, shape.outputs) if out is None else out
    arrays = flat(values, (pattern.count,), "values"), flat(bias, (shape.outputs,), "bias"), flat(x, x.shape, "x")
    after = flat_output(y, (samples, shape.outputs), "out")
    bounds = even_bounds(shape.tiles, thread_count(threads))
    size = (shape.inputs + shape.outputs) * shape.lanes
    chunks = Chunks(bounds, empty((bounds.size - 1) * size), size, samples, np.arange(samples))
    layer = SparseLinear(pattern.rows, *arrays, after, bool(relu), shape)
    run(SparseLinearSamples(chunks, layer), np.arange(bounds.size))
    return y


def sparse_linear_samples_gradient(
    pattern: LinearPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    x_is_relu_output: bool = False,
    out: Written[np.ndarray] | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients of samples.

    x has shape (samples, inputs), as the first result, or `out`, and dy (samples, outputs). The other arguments, and errors, are
    those of `sparse_linear_gradient`.
    """
    shape, samples = _shape(pattern, x)
    dx = empty(samples, shape.inputs) if out is None else out
    gradient = empty(pattern.count)
    arrays = flat(values, (pattern.count,), "values"), flat(x, x.shape, "x"), flat(dy, (samples, shape.outputs), "dy")
    before = flat_output(dx, (samples, shape.inputs), "out")
    # A chunk brings back sixteen columns at once.
    bounds = (pattern.column_bounds(thread_count(threads)) + LANES // 2) // LANES * LANES
    bounds[-1], size = shape.inputs, (2 * shape.inputs + shape.outputs) * shape.lanes
    memory = empty((bounds.size - 1) * size)
    chunks = Chunks(np.minimum(bounds, shape.inputs), memory, size, samples, np.arange(samples))
    layer = SparseLinearGradient(pattern.columns, *arrays, before, gradient, bool(x_is_relu_output), shape)
    run(SparseLinearSamplesGradient(chunks, layer), np.arange(bounds.size))
    return dx, gradient


def _shape(pattern: LinearPattern, x: np.ndarray) -> tuple[Shape, int]:
    outputs, inputs = pattern.shape
    if x.ndim != 2 or not len(x) or x.shape[1] != inputs:
        raise InputError(f"x must be samples of {inputs} features, not {x.shape}")
    return Shape(tiles_for(len(x), pattern.lanes), inputs, outputs, pattern.lanes), len(x)
