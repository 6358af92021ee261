"""The survivors of a matrix brought into the order of kernels for few samples, and back: block after block of its columns.

In a block they stay row by row, and tiles of rows come one after the other. So once it is known how many of a tile are in each
block, a thread deals those of its tiles out to as many heads as there are blocks.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.job import Halves, Numbers, Offsets, kernel
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.transpose import put


class InRows(NamedTuple):
    """Survivors of a matrix, row by row."""

    starts: Numbers  # of each row, and where all end
    columns: Offsets  # of each survivor
    block_of: Offsets  # each column
    tiles: Numbers  # the first row of each tile, and the last one's end
    blocks: int


class CountBlocks(NamedTuple):
    """The job of `count_blocks`: how many survivors of each tile each block has; the share are tiles."""

    survivors: InRows
    counts: Numbers  # tile by tile, zeros before


class OrderBlocks(NamedTuple):
    """The job of `order_blocks`: where the survivors are in their blocks and tiles; the share are tiles."""

    survivors: InRows
    heads: Numbers  # where in the order those of a tile begin in each block, tile by tile; changed
    bounds: Numbers  # the first column of each block
    columns: Halves  # written: of each survivor, counted from its block's first
    rows: Halves  # written: from its tile's first


class ToBlocks(NamedTuple):
    """The job of `to_blocks`: numbers of four bytes from row by row to block by block; the share are tiles."""

    survivors: InRows
    heads: Numbers  # as in `OrderBlocks`
    by_row: Offsets
    by_block: Offsets
    origins: Offsets  # which number in `by_row` is a survivor's ...
    size: int  # ... of so many, and 0 if it is none of them; if this is 0, they are in order


class ToRows(NamedTuple):
    """The job of `to_rows`, which does the reverse of `to_blocks` for numbers in order."""

    survivors: InRows
    heads: Numbers
    by_block: Offsets
    by_row: Offsets


@device
def _next(heads, block):
    """Return the place of the next survivor of a block, and move the block's head behind it."""
    place = at(heads, block)
    put(heads, block, place + 1)
    return place


@device
def _begin(survivors, tile):
    """Return the first survivor of a tile."""
    return at(survivors.starts, at(survivors.tiles, tile))


@device
def _place(survivors, heads, survivor):
    """Return where a survivor comes to be, and move its block's head behind that."""
    return _next(heads, at(survivors.block_of, at(survivors.columns, survivor)))


@kernel(CountBlocks)
def _count_blocks(job, first, last):
    survivors = job.survivors
    for tile in range(first, last):
        counts = advance(job.counts, tile * survivors.blocks)
        for survivor in range(_begin(survivors, tile), _begin(survivors, tile + 1)):
            _place(survivors, counts, survivor)


@kernel(OrderBlocks)
def _order_blocks(job, first, last):
    survivors = job.survivors
    for tile in range(first, last):
        heads, top = advance(job.heads, tile * survivors.blocks), at(survivors.tiles, tile)
        for row in range(top, at(survivors.tiles, tile + 1)):
            for survivor in range(at(survivors.starts, row), at(survivors.starts, row + 1)):
                column = at(survivors.columns, survivor)
                block = at(survivors.block_of, column)
                place = _next(heads, block)
                put(job.columns, place, np.uint16(column - at(job.bounds, block)))
                put(job.rows, place, np.uint16(row - top))


@kernel(ToBlocks)
def _to_blocks(job, first, last):
    survivors = job.survivors
    for tile in range(first, last):
        heads = advance(job.heads, tile * survivors.blocks)
        for survivor in range(_begin(survivors, tile), _begin(survivors, tile + 1)):
            origin = at(job.origins, survivor) if job.size else survivor
            number = np.uint32(at(job.by_row, origin)) if not job.size or origin < job.size else np.uint32(0)
            put(job.by_block, _place(survivors, heads, survivor), number)


@kernel(ToRows)
def _to_rows(job, first, last):
    survivors = job.survivors
    for tile in range(first, last):
        heads = advance(job.heads, tile * survivors.blocks)
        for survivor in range(_begin(survivors, tile), _begin(survivors, tile + 1)):
            place = _place(survivors, heads, survivor)
            put(job.by_row, survivor, np.uint32(at(job.by_block, place)))
