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
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.cpu.lines import BlockedPattern
from tinyticket.kernels.csr import check_rows
from tinyticket.sparse.orders import frozen

CACHE = 1 << 20
"""Bytes of the inputs of a block, and of their gradients, that should be near, or of the outputs of a tile, and of their
gradients: half of a second-level cache."""

LARGEST = 1 << 16
"""Columns of a block, and rows of a tile: so many places are told apart by two bytes."""

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

    @property
    def count(self) -> int:
        return self.row_columns.size

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        """Where each block of columns begins (int64), and where the last one ends: nearly as many survivors in each."""
        return self._cut(np.cumsum(np.bincount(self.row_columns, minlength=self.shape[1])))

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

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where the survivors of each tile in each block begin (int64), block by block; the last number is where all end."""
        edges = self.row_starts[self.tiles]
        counts = [
            np.count_nonzero(chosen[first:last])
            for chosen in self._blocks()
            for first, last in itertools.pairwise(edges)
        ]
        return frozen(np.concatenate(([0], np.cumsum(counts))).astype(np.int64))

    @functools.cached_property
    def columns(self) -> np.ndarray:
        """The column of each survivor (uint16), counted from its block's first."""
        ordered, begun = np.empty(self.count, np.uint16), 0
        for chosen, left in zip(self._blocks(), self.bounds, strict=False):
            found = self.row_columns[chosen]
            ordered[begun : begun + found.size] = found - left
            begun += found.size
        return frozen(ordered)

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """The row of each survivor (uint16), counted from its tile's first."""
        rows = np.arange(self.shape[0])
        local = (rows - self.tiles[np.searchsorted(self.tiles, rows, side="right") - 1]).astype(np.uint16)
        return frozen(self.by_block(np.repeat(local, np.diff(self.row_starts))))

    def by_block(self, by_row: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Bring numbers of the survivors, row by row, into the order of the blocks."""
        ordered, begun = np.empty_like(by_row) if out is None else out, 0
        for chosen in self._blocks():
            ended = begun + int(np.count_nonzero(chosen))
            ordered[begun:ended] = by_row[chosen]
            begun = ended
        return ordered

    def by_row(self, by_block: np.ndarray) -> np.ndarray:
        """Bring them back."""
        ordered, begun = np.empty_like(by_block), 0
        for chosen in self._blocks():
            ended = begun + int(np.count_nonzero(chosen))
            ordered[chosen] = by_block[begun:ended]
            begun = ended
        return ordered

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yield which survivors, row by row, are in each block."""
        for first, last in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            yield (self.row_columns >= first) & (self.row_columns < last)
