"""The passes of a masked fully-connected layer as calls: rows or columns in chunks, told of everything in one array."""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.handover import numbers, received, types
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.vector.simd import at, floats, pointer
from tinyticket.kernels.cpu.sparse_passes import Lines, backward_columns, forward_rows, gradient_rows


class Forward(NamedTuple):
    """What `sparse_forward` is told."""

    chunks: int
    bounds: np.ndarray  # int64, of the chunks of rows
    rows: Lines
    values: np.ndarray
    bias: np.ndarray
    x: np.ndarray
    y: np.ndarray
    shape: Shape
    rectify: bool


class Backward(NamedTuple):
    """What `sparse_backward` is told."""

    chunks: int
    bounds: np.ndarray  # int64, of the chunks of columns
    columns: Lines
    values: np.ndarray
    x: np.ndarray
    dy: np.ndarray
    dx: np.ndarray
    gradient: np.ndarray
    shape: Shape
    rectified: bool


class Gradient(NamedTuple):
    """What `sparse_gradient` is told."""

    chunks: int
    bounds: np.ndarray  # int64, of the chunks of rows
    rows: Lines
    x: np.ndarray
    dy: np.ndarray
    gradient: np.ndarray
    shape: Shape


_CHUNKS = types.int64, numbers
LINES = types.NamedTuple((*[types.CPointer(types.uint32)] * 2, types.int64), Lines)
SHAPE = types.NamedUniTuple(types.int64, len(Shape._fields), Shape)
_forward = received(types.NamedTuple((*_CHUNKS, LINES, *[floats] * 4, SHAPE, types.boolean), Forward))
_backward = received(types.NamedTuple((*_CHUNKS, LINES, *[floats] * 5, SHAPE, types.boolean), Backward))
_gradient = received(types.NamedTuple((*_CHUNKS, LINES, *[floats] * 3, SHAPE), Gradient))


@device
def _forward_chunk(told, chunk):
    job = _forward(pointer(told, 0))
    first, last = at(job.bounds, chunk), at(job.bounds, chunk + 1)
    forward_rows(job.rows, job.values, job.bias, job.x, job.y, job.shape, first, last, job.rectify)


@device
def _backward_chunk(told, chunk):
    job = _backward(pointer(told, 0))
    first, last = at(job.bounds, chunk), at(job.bounds, chunk + 1)
    arrays = job.values, job.x, job.dy, job.dx, job.gradient
    backward_columns(job.columns, *arrays, job.shape, first, last, job.rectified)


@device
def _gradient_chunk(told, chunk):
    job = _gradient(pointer(told, 0))
    gradient_rows(job.rows, job.x, job.dy, job.gradient, job.shape, at(job.bounds, chunk), at(job.bounds, chunk + 1))


@kernel
def sparse_forward(told, serial):
    """`forward_rows` over chunks of rows, one after the other if `serial`."""
    chunks = told[0]
    if serial or chunks == 1:
        for chunk in range(chunks):
            _forward_chunk(told, chunk)
    else:
        for chunk in prange(chunks):
            _forward_chunk(told, chunk)


@kernel
def sparse_backward(told, serial):
    """`backward_columns` over chunks of columns, one after the other if `serial`."""
    chunks = told[0]
    if serial or chunks == 1:
        for chunk in range(chunks):
            _backward_chunk(told, chunk)
    else:
        for chunk in prange(chunks):
            _backward_chunk(told, chunk)


@kernel
def sparse_gradient(told, serial):
    """`gradient_rows` over chunks of rows, one after the other if `serial`."""
    chunks = told[0]
    if serial or chunks == 1:
        for chunk in range(chunks):
            _gradient_chunk(told, chunk)
    else:
        for chunk in prange(chunks):
            _gradient_chunk(told, chunk)
