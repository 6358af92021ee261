"""The survivors of a matrix in the orders that kernels read, counted and placed one by one.

NumPy would make a dozen arrays of their size on the way, and a layer may have a hundred million survivors. A line (a row or a
column) is cut into pieces by `blocks` of equal length of what it reads (`lines`). Survivors come in parts of whole rows, of which
threads take one each: a row's pieces are in one part, a column's pieces in several, each of which counts by itself.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.job import Numbers, Offsets, kernel
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.transpose import put


class Parts(NamedTuple):
    """Survivors in parts of whole rows, and how the lines of one direction are cut."""

    positions: Numbers  # flat, ascending
    bounds: Numbers  # of the survivors of each part, and where the last ends
    inputs: int
    length: int  # of what a line reads: inputs of a row, outputs of a column
    blocks: int
    step: int  # these two as in `Lines`
    stride: int
    lanes: int


class CountRows(NamedTuple):
    """The job of `count_rows`: how many survivors each piece of a row has; the share are parts."""

    parts: Parts
    starts: Offsets  # outputs * blocks + 1, zeros before: starts[piece + 1] becomes a piece's count
    offsets: (
        Offsets  # column * lanes of each survivor; not written if `stride` is above 1, as they do not stay in order
    )


class PlaceRows(NamedTuple):
    """The job of `place_rows`: survivors that do not stay in order; the share are parts."""

    parts: Parts
    heads: Offsets  # where each piece begins; changed
    offsets: Offsets
    places: Offsets  # where each survivor comes to be


class CountColumns(NamedTuple):
    """The job of `count_columns`: how many survivors of each part each piece of a column has; the share are parts."""

    parts: Parts
    pieces: int  # inputs * blocks
    counts: Offsets  # part by part, zeros before


class PlaceColumns(NamedTuple):
    """The job of `place_columns`: row * lanes of each survivor, and its place among all of them; the share are parts."""

    parts: Parts
    pieces: int
    heads: Offsets  # where those of a part begin in each piece, part by part; changed
    offsets: Offsets
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


class MoveNumbers(NamedTuple):
    """The job of `move_numbers`: numbers of four bytes of survivors before a move to those after it, which are the share."""

    numbers: Offsets
    size: int  # of these
    origins: Offsets  # which survivor before the move each one is; none, which has the number 0, from `size` on
    before: Offsets  # where the number of each survivor before the move is, unless they are in order
    before_in_order: bool
    after: Offsets  # where that of each survivor after it is to be
    after_in_order: bool
    moved: Offsets


@device
def _first_row(parts, part):
    """Return the row of a part's first survivor, if it has one, and where the row begins."""
    first = at(parts.bounds, part)
    row = at(parts.positions, first) // parts.inputs if first < at(parts.bounds, part + 1) else 0
    return row, row * parts.inputs


@device
def _row_at(position, row, begin, inputs):
    """Go on from a row, which begins at a position, to the row of a later position; return that row and where it begins."""
    while position - begin >= inputs:
        row += 1
        begin += inputs
    return row, begin


@device
def _piece(line, place, parts):
    """Return the number of the piece of a line that has what reads a place."""
    if parts.blocks == 1:
        return line
    return line * parts.step + place * parts.blocks // parts.length * parts.stride


@device
def _next(heads, piece):
    """Return the place of the next survivor of a piece, and move the piece's head behind it."""
    place = at(heads, piece)
    put(heads, piece, np.uint32(place + 1))
    return place


@kernel(CountRows)
def _count_rows(job, first, last):
    parts = job.parts
    for part in range(first, last):
        row, begin = _first_row(parts, part)
        for survivor in range(at(parts.bounds, part), at(parts.bounds, part + 1)):
            row, begin = _row_at(at(parts.positions, survivor), row, begin, parts.inputs)
            column = at(parts.positions, survivor) - begin
            _next(job.starts, _piece(row, column, parts) + 1)
            if parts.stride == 1:
                put(job.offsets, survivor, np.uint32(column * parts.lanes))


@kernel(PlaceRows)
def _place_rows(job, first, last):
    parts = job.parts
    for part in range(first, last):
        row, begin = _first_row(parts, part)
        for survivor in range(at(parts.bounds, part), at(parts.bounds, part + 1)):
            row, begin = _row_at(at(parts.positions, survivor), row, begin, parts.inputs)
            column = at(parts.positions, survivor) - begin
            place = _next(job.heads, _piece(row, column, parts))
            put(job.offsets, place, np.uint32(column * parts.lanes))
            put(job.places, survivor, place)


@kernel(CountColumns)
def _count_columns(job, first, last):
    parts = job.parts
    for part in range(first, last):
        counts = advance(job.counts, part * job.pieces)
        row, begin = _first_row(parts, part)
        for survivor in range(at(parts.bounds, part), at(parts.bounds, part + 1)):
            row, begin = _row_at(at(parts.positions, survivor), row, begin, parts.inputs)
            _next(counts, _piece(at(parts.positions, survivor) - begin, row, parts))


@kernel(PlaceColumns)
def _place_columns(job, first, last):
    parts = job.parts
    for part in range(first, last):
        heads = advance(job.heads, part * job.pieces)
        row, begin = _first_row(parts, part)
        for survivor in range(at(parts.bounds, part), at(parts.bounds, part + 1)):
            row, begin = _row_at(at(parts.positions, survivor), row, begin, parts.inputs)
            place = _next(heads, _piece(at(parts.positions, survivor) - begin, row, parts))
            put(job.offsets, place, np.uint32(row * parts.lanes))
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


@kernel(MoveNumbers)
def _move_numbers(job, first, last):
    for i in range(first, last):
        origin, number = at(job.origins, i), np.uint32(0)
        if origin < job.size:
            number = np.uint32(at(job.numbers, origin if job.before_in_order else at(job.before, origin)))
        put(job.moved, i if job.after_in_order else at(job.after, i), number)
