"""The passes of a masked layer between samples, tile by tile: packed, multiplied and brought back while in the cache."""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.gather import gather_blocks
from tinyticket.kernels.cpu.handover import numbers, received, types
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, floats, pointer
from tinyticket.kernels.cpu.sparse_calls import LINES, SHAPE
from tinyticket.kernels.cpu.sparse_passes import Lines, backward_tile, forward_rows
from tinyticket.kernels.cpu.vector.streaming import drain, streams
from tinyticket.kernels.cpu.vector.transpose import square_of_lines, store_corner, stream_square, transposed


class Chunks(NamedTuple):
    """How work is divided, and the memory that each part has for itself."""

    parts: int
    bounds: np.ndarray  # int64, of chunks of tiles or of columns
    memory: np.ndarray  # for each part its packed tiles ...
    size: int  # ... so many floats
    samples: int
    indices: np.ndarray  # int64, 0 to samples


class Forward(NamedTuple):
    """What `samples_forward` is told."""

    chunks: Chunks
    rows: Lines
    values: np.ndarray
    bias: np.ndarray
    x: np.ndarray
    y: np.ndarray
    shape: Shape
    rectify: bool


class Backward(NamedTuple):
    """What `samples_backward` is told."""

    chunks: Chunks
    columns: Lines
    values: np.ndarray
    x: np.ndarray
    dy: np.ndarray
    dx: np.ndarray
    gradient: np.ndarray
    shape: Shape
    rectified: bool


_CHUNKS = types.NamedTuple((types.int64, numbers, floats, types.int64, types.int64, numbers), Chunks)
_forward = received(types.NamedTuple((_CHUNKS, LINES, *[floats] * 4, SHAPE, types.boolean), Forward))
_backward = received(types.NamedTuple((_CHUNKS, LINES, *[floats] * 5, SHAPE, types.boolean), Backward))


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


@device
def _forward_chunk(told, chunk):
    """Take some tiles through the layer."""
    job = _forward(pointer(told, 0))
    chunks, lanes, inputs, outputs = job.chunks, job.shape.lanes, job.shape.inputs, job.shape.outputs
    x = advance(chunks.memory, chunk * chunks.size)
    y = advance(x, inputs * lanes)
    shape = Shape(1, inputs, outputs, lanes)
    for tile in range(at(chunks.bounds, chunk), at(chunks.bounds, chunk + 1)):
        _pack(chunks, job.x, tile, lanes, inputs, 0, (inputs + LANES - 1) // LANES, x)
        forward_rows(job.rows, job.values, job.bias, x, y, shape, 0, outputs, job.rectify)
        _bring_back(chunks, y, tile, lanes, outputs, 0, (outputs + LANES - 1) // LANES, job.y)


@device
def _backward_chunk(told, chunk):
    """Take every tile back through some columns, a multiple of 16 if others follow."""
    job = _backward(pointer(told, 0))
    chunks, lanes, inputs, outputs = job.chunks, job.shape.lanes, job.shape.inputs, job.shape.outputs
    left, right = at(chunks.bounds, chunk), at(chunks.bounds, chunk + 1)
    first, last = (left + LANES - 1) // LANES, (right + LANES - 1) // LANES
    dy = advance(chunks.memory, chunk * chunks.size)
    x = advance(dy, outputs * lanes)
    dx = advance(x, inputs * lanes)
    for tile in range(job.shape.tiles):
        _pack(chunks, job.dy, tile, lanes, outputs, 0, (outputs + LANES - 1) // LANES, dy)
        _pack(chunks, job.x, tile, lanes, inputs, first, last, x)
        backward_tile(job.columns, job.values, x, dy, dx, job.gradient, lanes, left, right, job.rectified, tile > 0)
        _bring_back(chunks, dx, tile, lanes, inputs, first, last, job.dx)


@kernel
def samples_forward(told, serial):
    """The forward pass over chunks of tiles, one after the other if `serial`."""
    chunks = told[0]
    if serial or chunks == 1:
        for chunk in range(chunks):
            _forward_chunk(told, chunk)
    else:
        for chunk in prange(chunks):
            _forward_chunk(told, chunk)


@kernel
def samples_backward(told, serial):
    """The backward pass over chunks of columns, one after the other if `serial`."""
    chunks = told[0]
    if serial or chunks == 1:
        for chunk in range(chunks):
            _backward_chunk(told, chunk)
    else:
        for chunk in prange(chunks):
            _backward_chunk(told, chunk)
