"""The survivors of a matrix in the orders that kernels read, counted and placed one by one.

NumPy would make a dozen arrays of their size on the way, and a layer may have a hundred million survivors. A line (a row or a
column) is cut into pieces by `blocks` of equal length of what it reads; starts[piece + 1] becomes the end of a piece.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.job import Numbers, Offsets, kernel
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import at
from tinyticket.kernels.cpu.vector.transpose import put


class OrderRows(NamedTuple):
    """The job of `order_rows`: the pieces of rows, and column * lanes of each survivor. It has one share."""

    positions: Numbers  # flat, ascending
    survivors: int
    inputs: int
    blocks: int
    lanes: int
    starts: Offsets  # outputs * blocks + 1, zeros before
    pieces: int  # outputs * blocks
    offsets: Offsets


class OrderColumns(NamedTuple):
    """The job of `order_columns`: the pieces of columns, and row * lanes of each survivor with its place row by row."""

    positions: Numbers
    survivors: int
    outputs: int
    inputs: int
    blocks: int
    lanes: int
    starts: Offsets  # inputs * blocks + 1, zeros before
    pieces: int  # inputs * blocks
    offsets: Offsets
    heads: Offsets  # room for a number a column
    to_row: Offsets


@device
def _row_at(position, row, begin, inputs):
    """Go on from a row, which begins at a position, to the row of a later position; return that row and where it begins."""
    while position - begin >= inputs:
        row += 1
        begin += inputs
    return row, begin


@device
def _count(starts, piece):
    put(starts, piece + 1, np.uint32(at(starts, piece + 1) + 1))


@device
def _cumulate(starts, pieces):
    for piece in range(1, pieces + 1):
        put(starts, piece, np.uint32(at(starts, piece) + at(starts, piece - 1)))


@kernel(OrderRows)
def _order_rows(job, first, last):
    positions, inputs, blocks, starts = job.positions, job.inputs, job.blocks, job.starts
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        column = at(positions, survivor) - begin
        _count(starts, row * blocks + (column * blocks // inputs if blocks > 1 else 0))
        put(job.offsets, survivor, np.uint32(column * job.lanes))
    _cumulate(starts, job.pieces)


@kernel(OrderColumns)
def _order_columns(job, first, last):
    positions, inputs, blocks, starts = job.positions, job.inputs, job.blocks, job.starts
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        column = at(positions, survivor) - begin
        _count(starts, column * blocks + (row * blocks // job.outputs if blocks > 1 else 0))
    _cumulate(starts, job.pieces)
    for column in range(inputs):
        put(job.heads, column, np.uint32(at(starts, column * blocks)))
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        column = at(positions, survivor) - begin
        place = at(job.heads, column)
        put(job.heads, column, np.uint32(place + 1))
        put(job.offsets, place, np.uint32(row * job.lanes))
        put(job.to_row, place, np.uint32(survivor))
