"""The compiled function that works through a program, in one parallel region.

Every thread goes through all rows and does its share of each; where a row needs what others do, they meet. What a row does
is a call by address, so this function is compiled once for all networks.
"""

import numpy as np
from numba import prange

from tinyticket.compiler.call import call
from tinyticket.compiler.network.program import ARGUMENTS, FIELDS, MEET, ROUTINE, Context
from tinyticket.kernels.cpu.vector.barrier import ALONE, DECISION, SIZE, meet, together
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.simd import advance, at, pointer

assert ROUTINE == 0
assert ARGUMENTS < FIELDS


@device
def _addresses(context):
    """Return the context with addresses in place of arrays."""
    c = context
    return Context(
        pointer(c.floats, 0),
        pointer(c.offsets, 0),
        pointer(c.bytes, 0),
        pointer(c.examples, 0),
        pointer(c.pixels, 0),
        c.as_pixels,
        pointer(c.mean, 0),
        pointer(c.std, 0),
        pointer(c.labels, 0),
        pointer(c.indices, 0),
        pointer(c.crops, 0),
        c.cropped,
        c.samples,
        c.rule,
        pointer(c.scalars, 0),
        pointer(c.results, 0),
    )


@device
def _walk(context, table, bounds, meeting, threads, thread):
    """Do one thread's share of a program."""
    place, rows, shares = _addresses(context), pointer(table, 0), pointer(bounds, 0)
    where, round_ = pointer(meeting, 0), np.int64(1)
    for i in range(table.size // FIELDS):
        row = advance(rows, i * FIELDS)
        if at(row, MEET):
            round_ = meet(where, threads, round_)
        first, last = at(shares, i * (threads + 1) + thread), at(shares, i * (threads + 1) + thread + 1)
        if first < last:
            call(row, ROUTINE, (place, row, first, last))


@kernel
def walk(context, table, bounds, alone, meeting, threads):
    """Work through a program.

    Parameters
    ----------
    context : Context
    table : int64 array of rows * FIELDS
    bounds, alone : int64 arrays
        The shares of so many threads, and of a single one in case the others are not to be had.
    meeting : int64 array of barrier.SIZE
    threads : int
    """
    # Helpers are compiled anew for constants and for unsigned numbers, such as prange gives; these are neither.
    one, first = np.int64(1), np.int64(0)
    if threads == 1:
        _walk(context, table, bounds, meeting, threads, first)
        return
    for i in range(SIZE):
        meeting[i] = 0
    for thread in prange(threads):
        if together(pointer(meeting, 0), threads):
            me = np.int64(thread)
            _walk(context, table, bounds, meeting, threads, me)
    if meeting[DECISION] == ALONE:
        _walk(context, table, alone, meeting, one, first)
