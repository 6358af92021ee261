"""The survivors of a matrix in the orders that kernels read, counted and placed one by one.

NumPy would make a dozen arrays of their size on the way, and a layer may have a hundred million survivors. A line (a row or a
column) is cut into pieces by `blocks` of equal length of what it reads (`lines`); starts[piece + 1] becomes the end of a piece.
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
    step: int  # these two as in `Lines`
    stride: int
    lanes: int
    starts: Offsets  # outputs * blocks + 1, zeros before
    pieces: int  # outputs * blocks
    offsets: Offsets
    places: Offsets  # where each survivor comes to be: not written if `stride` is 1, as they stay in order
    heads: Offsets  # room for a number a piece, if it is not


class OrderColumns(NamedTuple):
    """The job of `order_columns`: the pieces of columns, and row * lanes of each survivor, and its place among all of them."""

    positions: Numbers
    survivors: int
    outputs: int
    inputs: int
    blocks: int
    step: int
    stride: int
    lanes: int
    starts: Offsets  # inputs * blocks + 1, zeros before
    pieces: int  # inputs * blocks
    offsets: Offsets
    heads: Offsets  # room for a number a piece
    to_column: Offsets
    places: Offsets  # those of the rows ...
    in_order: bool  # ... unless they are as in the positions


class TakeNumbers(NamedTuple):
    """The job of `take_numbers`: numbers of four bytes at some places, 0 where there is none; the share are those taken."""

    numbers: Offsets
    size: int  # of these
    places: Offsets
    taken: Offsets


class PutNumbers(NamedTuple):
    """The job of `put_numbers`, which does the reverse where no place is missing; the share are those that are put."""

    numbers: Offsets
    places: Offsets
    put: Offsets


@device
def _row_at(position, row, begin, inputs):
    """Go on from a row, which begins at a position, to the row of a later position; return that row and where it begins."""
    while position - begin >= inputs:
        row += 1
        begin += inputs
    return row, begin


@device
def _piece(line, place, length, job):
    """Return the number of the piece of a line that has what reads a place, of `length`."""
    if job.blocks == 1:
        return line
    return line * job.step + place * job.blocks // length * job.stride


@device
def _count(starts, piece):
    put(starts, piece + 1, np.uint32(at(starts, piece + 1) + 1))


@device
def _cumulate(starts, pieces):
    for piece in range(1, pieces + 1):
        put(starts, piece, np.uint32(at(starts, piece) + at(starts, piece - 1)))


@device
def _begin(job):
    """Let each piece's head be where it starts."""
    for piece in range(job.pieces):
        put(job.heads, piece, at(job.starts, piece))


@device
def _next(heads, piece):
    """Return the place of the next survivor of a piece, and move the piece's head behind it."""
    place = at(heads, piece)
    put(heads, piece, np.uint32(place + 1))
    return place


@kernel(OrderRows)
def _order_rows(job, first, last):
    positions, inputs, starts = job.positions, job.inputs, job.starts
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        column = at(positions, survivor) - begin
        _count(starts, _piece(row, column, inputs, job))
        put(job.offsets, survivor, np.uint32(column * job.lanes))
    _cumulate(starts, job.pieces)
    if job.stride == 1:
        return
    _begin(job)
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        column = at(positions, survivor) - begin
        place = _next(job.heads, _piece(row, column, inputs, job))
        put(job.offsets, place, np.uint32(column * job.lanes))
        put(job.places, survivor, place)


@kernel(OrderColumns)
def _order_columns(job, first, last):
    positions, inputs = job.positions, job.inputs
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        _count(job.starts, _piece(at(positions, survivor) - begin, row, job.outputs, job))
    _cumulate(job.starts, job.pieces)
    _begin(job)
    row, begin = 0, 0
    for survivor in range(job.survivors):
        row, begin = _row_at(at(positions, survivor), row, begin, inputs)
        place = _next(job.heads, _piece(at(positions, survivor) - begin, row, job.outputs, job))
        put(job.offsets, place, np.uint32(row * job.lanes))
        put(job.to_column, survivor if job.in_order else at(job.places, survivor), place)


@kernel(TakeNumbers)
def _take_numbers(job, first, last):
    for i in range(first, last):
        place = at(job.places, i)
        put(job.taken, i, np.uint32(at(job.numbers, place)) if place < job.size else np.uint32(0))


@kernel(PutNumbers)
def _put_numbers(job, first, last):
    for i in range(first, last):
        put(job.put, at(job.places, i), np.uint32(at(job.numbers, i)))
