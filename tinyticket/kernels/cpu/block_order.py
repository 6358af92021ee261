"""The survivors of a matrix brought into the order of kernels for few samples, and back: block after block of its columns.

In a block they stay row by row, so a pass over them deals them out to as many heads as there are blocks.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.job import Halves, Numbers, Offsets, kernel
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import at
from tinyticket.kernels.cpu.vector.transpose import put


class OrderBlocks(NamedTuple):
    """The job of `order_blocks`: where the survivors are in their blocks and tiles. It has one share."""

    row_starts: Numbers
    row_columns: Offsets  # survivors, row by row
    blocks: Offsets  # of each column
    bounds: Numbers  # the first column of each block
    tiles: Numbers  # the first row of each tile of rows, and the last one's end
    height: int  # tiles
    heads: Numbers  # where each block begins; changed
    starts: Numbers  # blocks * height + 1, zeros before: starts[i + 1] becomes the count of a tile in a block, block by block
    columns: Halves  # written: of each survivor, counted from its block's first
    rows: Halves  # written: from its tile's first


class ToBlocks(NamedTuple):
    """The job of `to_blocks`: numbers of four bytes from row by row to block by block, or `back`. It has one share."""

    row_columns: Offsets
    blocks: Offsets
    heads: Numbers  # where each block begins; changed
    by_row: Offsets
    by_block: Offsets
    survivors: int
    back: bool


@device
def _next(heads, block):
    """Return the place of the next survivor of a block, and move the block's head behind it."""
    place = at(heads, block)
    put(heads, block, place + 1)
    return place


@kernel(OrderBlocks)
def _order_blocks(job, first, last):
    for tile in range(job.height):
        top = at(job.tiles, tile)
        for row in range(top, at(job.tiles, tile + 1)):
            for survivor in range(at(job.row_starts, row), at(job.row_starts, row + 1)):
                column = at(job.row_columns, survivor)
                block = at(job.blocks, column)
                place, count = _next(job.heads, block), block * job.height + tile + 1
                put(job.columns, place, np.uint16(column - at(job.bounds, block)))
                put(job.rows, place, np.uint16(row - top))
                put(job.starts, count, at(job.starts, count) + 1)


@kernel(ToBlocks)
def _to_blocks(job, first, last):
    for survivor in range(job.survivors):
        place = _next(job.heads, at(job.blocks, at(job.row_columns, survivor)))
        if job.back:
            put(job.by_row, survivor, np.uint32(at(job.by_block, place)))
        else:
            put(job.by_block, place, np.uint32(at(job.by_row, survivor)))
