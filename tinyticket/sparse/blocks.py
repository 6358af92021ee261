"""Where the survivors of a matrix are, block after block of its columns, row by row in each: one order for all passes.

For few samples a pass takes little longer than reading its survivors from memory. An order for rows and another for columns, as
`Pattern` has, are two copies of what is read; and to bring numbers from one into the other a cache line would be fetched for each.
Here a thread that takes a block of columns has what it reads and writes of the inputs in its second-level cache, and nobody else
writes there. Places in it take two bytes, and a loop over survivors has no loop over rows around it, whose ends a CPU would not
foresee.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.block_order import OrderBlocks, ToBlocks
from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.lines import BlockedPattern
from tinyticket.kernels.csr import check_rows
from tinyticket.sparse.orders import ONE, frozen

CACHE = 1 << 20
"""Bytes of the inputs of a block, and of their gradients, that should be near, or of the outputs of a tile, and of their
gradients: half of a second-level cache."""

LARGEST = 1 << 16
"""Columns of a block, and rows of a tile: so many places are told apart by two bytes."""

ITEM = 4
"""Bytes of the numbers that a kernel brings from one order into the other."""

PARTS, FEW = 16, 1 << 16
"""Blocks, and tiles, that there are at least, for threads to share, but for fewer survivors."""


@dataclass(frozen=True, eq=False)
class Blocks(BlockedPattern):
    """Positions of the survivors of a matrix, in the order of kernels for few samples.

    Parameters
    ----------
    shape : (int, int)
        Outputs and inputs.
    row_starts : int64 array of shape (outputs + 1,)
        Of the survivors row by row, where each row begins.
    row_columns : int32 array of shape (survivors,)
        Their columns, ascending in each row.
    lanes : int
        Samples that the blocks are cut for; others are computed with the same bits.
    """

    shape: tuple[int, int]
    row_starts: np.ndarray
    row_columns: np.ndarray
    lanes: int

    def __post_init__(self):
        check_fields(self)
        outputs, inputs = self.shape
        starts, columns = self.row_starts, self.row_columns
        if columns.size >= 2**32:
            raise InputError(f"blocks have fewer than 2^32 survivors, not {columns.size}")
        check_rows(starts, columns, (outputs, inputs), "the matrix of blocks", ordered=False)
        # Kernels check no bounds, so nobody may write what they read.
        vars(self)["row_starts"], vars(self)["row_columns"] = _kept(starts, np.int64), _kept(columns, np.int32)

    @property
    def count(self) -> int:
        return self.row_columns.size

    @functools.cached_property
    def _until(self) -> np.ndarray:
        """How many survivors there are up to each column."""
        return np.cumsum(np.bincount(self.row_columns, minlength=self.shape[1]))

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        """Where each block of columns begins (int64), and where the last one ends: nearly as many survivors in each."""
        return self._cut(self._until)

    @functools.cached_property
    def tiles(self) -> np.ndarray:
        """The same of tiles of rows."""
        return self._cut(self.row_starts[1:])

    def _cut(self, until: np.ndarray) -> np.ndarray:
        """Cut lines, each of which ends `until` a survivor, into parts of nearly as many survivors."""
        count = max(-(-8 * self.lanes * until.size // CACHE), PARTS if self.count >= FEW else 1)
        inner = np.searchsorted(until, self.count * np.arange(1, count) / count) + 1
        coarse = np.unique(np.clip(np.concatenate(([0], inner, [until.size])), 0, until.size))
        parts = [np.arange(a, b, LARGEST) for a, b in itertools.pairwise(coarse)]
        return frozen(np.concatenate([*parts, coarse[-1:]]).astype(np.int64))

    @property
    def starts(self) -> np.ndarray:
        """Where the survivors of each tile in each block begin (int64), block by block; the last number is where all end."""
        return self._places[0]

    @property
    def columns(self) -> np.ndarray:
        """The column of each survivor (uint16), counted from its block's first."""
        return self._places[1]

    @property
    def rows(self) -> np.ndarray:
        """The row of each survivor (uint16), counted from its tile's first."""
        return self._places[2]

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        blocks, height = self.bounds.size - 1, self.tiles.size - 1
        starts, columns, rows = np.zeros(blocks * height + 1, np.int64), *np.empty((2, self.count), np.uint16)
        given = self.row_starts, self.row_columns, self._block_of, self.bounds, self.tiles, height, self._heads()
        run(OrderBlocks(*given, starts, columns, rows), ONE)
        return frozen(np.cumsum(starts)), frozen(columns), frozen(rows)

    def by_block(self, by_row: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Bring numbers of the survivors, row by row, into the order of the blocks."""
        ordered = np.empty_like(by_row, order="C") if out is None else out
        if by_row.itemsize == ITEM:
            self._bring(by_row, ordered, back=False)
        else:
            ordered[:] = by_row[self._order()]
        return ordered

    def by_row(self, by_block: np.ndarray) -> np.ndarray:
        """Bring them back."""
        ordered = np.empty_like(by_block, order="C")
        if by_block.itemsize == ITEM:
            self._bring(ordered, by_block, back=True)
        else:
            ordered[self._order()] = by_block
        return ordered

    def forget(self) -> None:
        """Let go of each survivor's place, which is found again if it is asked for."""
        vars(self).pop("_places", None)

    def _order(self) -> np.ndarray:
        """Return which survivor, row by row, comes first, second and so on."""
        return self.by_block(np.arange(self.count, dtype=np.uint32))

    def _bring(self, by_row: np.ndarray, by_block: np.ndarray, back: bool) -> None:
        for array in (by_row, by_block):
            if array.shape != (self.count,):
                raise InputError(f"there are {self.count} survivors, and numbers of shape {array.shape}")
        one, other = (np.ascontiguousarray(array).view(np.uint32) for array in (by_row, by_block))
        run(ToBlocks(self.row_columns, self._block_of, self._heads(), one, other, self.count, back), ONE)

    def _heads(self) -> np.ndarray:
        """Return where the survivors of each block begin, and where all end."""
        return np.concatenate(([0], self._until))[self.bounds]

    @functools.cached_property
    def _block_of(self) -> np.ndarray:
        """The block of each column."""
        return np.repeat(np.arange(self.bounds.size - 1, dtype=np.uint32), np.diff(self.bounds))


def _kept(array: np.ndarray, dtype: type) -> np.ndarray:
    """Return an array of a type that nobody can write: itself, if it is one already."""
    if array.dtype == dtype and array.flags.c_contiguous and not array.flags.writeable:
        return array
    return frozen(np.array(array, dtype, order="C"))
