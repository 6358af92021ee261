"""A masked fully-connected layer whose inputs and outputs are samples by features, as in networks of other libraries.

The layer itself wants its activations packed. Packing a whole batch, and bringing the results back, takes about as long as a
layer at 2% density, because all of it goes through memory twice. Here a tile of samples is packed, multiplied and brought back
while it is in the cache.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.cpu.gather import gather_blocks
from tinyticket.kernels.cpu.job import Floats, Numbers, kernel, run
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.sparse_linear import LinearPattern
from tinyticket.kernels.cpu.sparse_linear.strips import backward_tile, forward_rows
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
    rows: Lines
    values: Floats
    bias: Floats
    x: Floats
    y: Floats
    relu: bool
    shape: Shape


@kernel(SparseLinearSamples)
def _sparse_linear_samples(job, first, last):
    chunks, lanes, inputs, outputs = job.chunks, job.shape.lanes, job.shape.inputs, job.shape.outputs
    rows, values, bias, before, after, relu = job.rows, job.values, job.bias, job.x, job.y, job.relu
    shape = Shape(1, inputs, outputs, lanes)
    for chunk in range(first, last):
        x = advance(chunks.memory, chunk * chunks.size)
        y = advance(x, inputs * lanes)
        for tile in range(at(chunks.bounds, chunk), at(chunks.bounds, chunk + 1)):
            _pack(chunks, before, tile, lanes, inputs, 0, (inputs + LANES - 1) // LANES, x)
            forward_rows(rows, values, bias, x, y, shape, 0, outputs, relu)
            _bring_back(chunks, y, tile, lanes, outputs, 0, (outputs + LANES - 1) // LANES, after)


class SparseLinearSamplesGradient(NamedTuple):
    """The job of `sparse_linear_samples_gradient`, whose share are chunks of columns, a multiple of 16 if others follow."""

    chunks: Chunks
    columns: Lines
    values: Floats
    x: Floats
    dy: Floats
    dx: Floats
    gradient: Floats
    x_is_relu_output: bool
    shape: Shape


@kernel(SparseLinearSamplesGradient)
def _sparse_linear_samples_gradient(job, first, last):
    chunks, lanes, inputs, outputs = job.chunks, job.shape.lanes, job.shape.inputs, job.shape.outputs
    columns, values, gradient, x_is_relu_output = job.columns, job.values, job.gradient, job.x_is_relu_output
    before, above, below = job.x, job.dy, job.dx
    for chunk in range(first, last):
        left, right = at(chunks.bounds, chunk), at(chunks.bounds, chunk + 1)
        start, end = (left + LANES - 1) // LANES, (right + LANES - 1) // LANES
        dy = advance(chunks.memory, chunk * chunks.size)
        x = advance(dy, outputs * lanes)
        dx = advance(x, inputs * lanes)
        for tile in range(job.shape.tiles):
            _pack(chunks, above, tile, lanes, outputs, 0, (outputs + LANES - 1) // LANES, dy)
            _pack(chunks, before, tile, lanes, inputs, start, end, x)
            backward_tile(columns, values, x, dy, dx, gradient, lanes, left, right, x_is_relu_output, tile > 0)
            _bring_back(chunks, dx, tile, lanes, inputs, start, end, below)


# -- functions of arrays


def sparse_linear_samples(
    pattern: LinearPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = x W' + bias of samples, perhaps through a ReLU.

    Parameters
    ----------
    pattern : Pattern
        Where the survivors of W are; its lanes are how many samples are taken together.
    values : array of shape (survivors,)
        The survivors, row by row.
    bias : array of shape (outputs,)
    x : array of shape (samples, inputs)
    relu : bool
        Set what is negative to zero.
    out : float32 array of shape (samples, outputs), optional
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    array of shape (samples, outputs)

    Raises
    ------
    InputError
        If an array does not have the shape given above.
    """
    shape, samples = _shape(pattern, x)
    y = empty(samples, shape.outputs) if out is None else out
    arrays = (
        flat(values, (pattern.count,), "values"),
        flat(bias, (shape.outputs,), "bias"),
        flat(x, x.shape, "x"),
        flat_output(y, (samples, shape.outputs), "out"),
    )
    bounds = even_bounds(shape.tiles, thread_count(threads))
    chunks = _chunks(bounds, (shape.inputs + shape.outputs) * shape.lanes, samples)
    run(SparseLinearSamples(chunks, pattern.rows, *arrays, bool(relu), shape), np.arange(bounds.size))
    return y


def sparse_linear_samples_gradient(
    pattern: LinearPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    x_is_relu_output: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients of samples.

    Parameters
    ----------
    pattern : Pattern
    values : array of shape (survivors,)
        The survivors, column by column.
    x : array of shape (samples, inputs)
        What the layer was given.
    dy : array of shape (samples, outputs)
        The loss's gradient by what the layer gave.
    x_is_relu_output : bool
        Make the first result the gradient by what went into the ReLU that made x.
    out : float32 array of shape (samples, inputs), optional
        For the first result.
    threads : int, optional

    Returns
    -------
    dx : array of shape (samples, inputs)
    gradient : array of shape (survivors,)
        Column by column, as the values; summed over the samples.

    Raises
    ------
    InputError
        If an array does not have the shape given above.
    """
    shape, samples = _shape(pattern, x)
    dx = empty(samples, shape.inputs) if out is None else out
    gradient = empty(pattern.count)
    arrays = (
        flat(values, (pattern.count,), "values"),
        flat(x, x.shape, "x"),
        flat(dy, (samples, shape.outputs), "dy"),
        flat_output(dx, (samples, shape.inputs), "out"),
        gradient,
    )
    # A chunk brings back sixteen columns at once.
    bounds = (pattern.column_bounds(thread_count(threads)) + LANES // 2) // LANES * LANES
    bounds[-1] = shape.inputs
    chunks = _chunks(np.minimum(bounds, shape.inputs), (2 * shape.inputs + shape.outputs) * shape.lanes, samples)
    job = SparseLinearSamplesGradient(chunks, pattern.columns, *arrays, bool(x_is_relu_output), shape)
    run(job, np.arange(bounds.size))
    return dx, gradient


def _shape(pattern: LinearPattern, x: np.ndarray) -> tuple[Shape, int]:
    outputs, inputs = pattern.shape
    if x.ndim != 2 or not len(x) or x.shape[1] != inputs:
        raise InputError(f"x must be samples of {inputs} features, not {x.shape}")
    return Shape(tiles_for(len(x), pattern.lanes), inputs, outputs, pattern.lanes), len(x)


def _chunks(bounds: np.ndarray, size: int, samples: int) -> Chunks:
    return Chunks(bounds, empty((bounds.size - 1) * size), size, samples, np.arange(samples))
