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
from tinyticket.kernels.cpu.arguments import even_shares
from tinyticket.kernels.cpu.block_order import CountBlocks, InRows, OrderBlocks, ToBlocks, ToRows
from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.lines import BlockedPattern
from tinyticket.kernels.csr import check_rows
from tinyticket.kernels.read_only import frozen, kept
from tinyticket.sparse.orders import MadeAnew

CACHE = 1 << 20
"""Bytes of the inputs of a block, and of their gradients, that should be near, or of the outputs of a tile, and of their
gradients: half of a second-level cache."""

LARGEST = 1 << 16
"""Columns of a block, and rows of a tile: so many places are told apart by two bytes."""

ITEM = 4
"""Bytes of the numbers that a kernel brings from one order into the other."""

PARTS, FEW = 16, 1 << 16
"""Blocks, and tiles, that there are at least, for threads to share, but for fewer survivors."""

WORTHWHILE = 16
"""Survivors of a column in the mean from which on threads count columns, which takes memory for all columns from each."""


@dataclass(frozen=True, eq=False)
class Blocks(MadeAnew, BlockedPattern):
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
        vars(self)["row_starts"], vars(self)["row_columns"] = kept(starts, np.int64), kept(columns, np.int32)

    @property
    def count(self) -> int:
        return self.row_columns.size

    @functools.cached_property
    def _until(self) -> np.ndarray:
        """How many survivors there are up to each column."""
        inputs = self.shape[1]
        shares = even_shares(self.tiles.size - 1, None if self.count >= WORTHWHILE * inputs else 1)
        counts, each = np.zeros((shares.size - 1, inputs), np.int64), np.arange(inputs, dtype=np.uint32)
        columns = InRows(self.row_starts, self.row_columns, each, self.tiles[shares], inputs)
        run(CountBlocks(columns, counts), np.arange(shares.size))
        return np.cumsum(counts.sum(axis=0))

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

    def fit(self, other: Blocks) -> None:
        """Take over the blocks and tiles of another matrix of this shape, unless there are as many here; no bit depends on them."""
        if other.shape != self.shape:
            raise InputError(f"blocks of a matrix of shape {other.shape} do not fit one of shape {self.shape}")
        if (self.bounds.size, self.tiles.size) != (other.bounds.size, other.tiles.size):
            for name in ("starts", "_block_of", "_places"):  # which follow from those that there were
                vars(self).pop(name, None)
            vars(self).update(bounds=other.bounds, tiles=other.tiles)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where the survivors of each tile in each block begin (int64), block by block; the last number is where all end."""
        counts = np.zeros((self.tiles.size - 1, self.bounds.size - 1), np.int64)
        run(CountBlocks(self._in_rows, counts), self._shares)
        return frozen(np.concatenate(([0], np.cumsum(counts.T))))

    @property
    def columns(self) -> np.ndarray:
        """The column of each survivor (uint16), counted from its block's first."""
        return self._places[0]

    @property
    def rows(self) -> np.ndarray:
        """The row of each survivor (uint16), counted from its tile's first."""
        return self._places[1]

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        columns, rows = np.empty((2, self.count), np.uint16)
        self.put_places(columns, rows)
        return frozen(columns), frozen(rows)

    def put_places(self, columns: np.ndarray, rows: np.ndarray) -> None:
        """Write each survivor's column and row, as the properties have them, into arrays that nothing else is kept in."""
        run(OrderBlocks(self._in_rows, self._heads(), self.bounds, columns, rows), self._shares)

    def by_block(self, by_row: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Bring numbers of the survivors, row by row, into the order of the blocks."""
        ordered = np.empty_like(by_row, order="C") if out is None else out
        self._check(by_row, ordered)
        if by_row.itemsize == ITEM:
            words = _words(by_row)
            run(ToBlocks(self._in_rows, self._heads(), words, _words(ordered), words, 0), self._shares)
        else:
            ordered[:] = by_row[self._order()]
        return ordered

    def by_row(self, by_block: np.ndarray) -> np.ndarray:
        """Bring them back."""
        self._check(by_block)
        ordered = np.empty_like(by_block, order="C")
        if by_block.itemsize == ITEM:
            run(ToRows(self._in_rows, self._heads(), _words(by_block), _words(ordered)), self._shares)
        else:
            ordered[self._order()] = by_block
        return ordered

    def move(self, by_row: np.ndarray, origins: np.ndarray, out: np.ndarray) -> None:
        """Write, block by block, what each survivor's origin has in `by_row`, and +0.0 where the origin is -1.

        `by_row` has a number of four bytes for each of as many survivors before the move.
        """
        self._check(by_row, origins, out)
        given = _words(by_row), _words(out), _words(origins.astype(np.int32, copy=False))
        run(ToBlocks(self._in_rows, self._heads(), *given, by_row.size), self._shares)

    def _order(self) -> np.ndarray:
        """Return which survivor, row by row, comes first, second and so on."""
        return self.by_block(np.arange(self.count, dtype=np.uint32))

    def _check(self, *arrays: np.ndarray) -> None:
        for array in arrays:
            if array.shape != (self.count,):
                raise InputError(f"there are {self.count} survivors, and numbers of shape {array.shape}")

    def _heads(self) -> np.ndarray:
        """Return where the survivors of each tile begin in each block, tile by tile."""
        return self.starts[:-1].reshape(-1, self.tiles.size - 1).T.copy()  # for kernels move them

    @property
    def _in_rows(self) -> InRows:
        return InRows(self.row_starts, self.row_columns, self._block_of, self.tiles, self.bounds.size - 1)

    @property
    def _shares(self) -> np.ndarray:
        return even_shares(self.tiles.size - 1, None if self.count >= FEW else 1)

    @functools.cached_property
    def _block_of(self) -> np.ndarray:
        """The block of each column."""
        return np.repeat(np.arange(self.bounds.size - 1, dtype=np.uint32), np.diff(self.bounds))


def _words(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint32)
