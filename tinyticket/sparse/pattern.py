"""Where the survivors of a masked matrix are, in the two orders that training walks through them.

Forward goes row by row, backward column by column. A pattern is an argument of compiled kernels: a new mask brings another pattern
and compiles nothing.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.checked import checked
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.lines import LinearPattern, Lines
from tinyticket.kernels.cpu.ordering import CountColumns, CountRows, Parts, PlaceColumns, PlaceRows
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.machine import LANES, LARGE_CACHE, target
from tinyticket.kernels.read_only import frozen
from tinyticket.sparse.orders import CACHE, MANY, Orders, put_at, taken_at

STRIP = 64
"""Lanes that kernels work through at a time."""

WORTHWHILE_ROW, WORTHWHILE_COLUMN = 15, 64
"""Survivors of a line in a block below which cutting lines costs more than the cache saves (measured; columns do more for each)."""

QUICK = target()[0] in ("sapphirerapids", "emeraldrapids")
"""Whether the second-level cache delivers nearly as fast as a core multiplies (measured on the second of these). Columns are then
better left whole, since the backward pass makes two products of what it reads ..."""

WORTHWHILE_QUICK, WORTHWHILE_TALL = 50, 150
"""... and rows need so many survivors in a block, or so many where what rows write fills half of that cache ..."""

WORTHWHILE_IN_TURN, WORTHWHILE_TALL_IN_TURN = 25, 50
"""... and these where blocks come one after the other, so that a block's survivors are read in their order."""

WORTHWHILE_FAR = 8
"""The same for lines over more activations than the second-level cache holds, which are cut for that one."""


@dataclass(frozen=True, eq=False)
class Pattern(LinearPattern, Orders):
    """Positions of the survivors of a matrix (outputs, inputs), in packed inputs (rows) and packed outputs (columns)."""

    lanes: int  # of those activations
    by_block: bool = field(default=False, kw_only=True)  # whether lines in blocks come block after block

    @classmethod
    @checked
    def from_mask(
        cls: Any,
        mask: np.ndarray,
        lanes: int,
        *,
        row_blocks: int | None = None,
        column_blocks: int | None = None,
        by_block: bool = False,
    ) -> "Pattern":
        """Build the pattern of a mask.

        Parameters
        ----------
        mask : array of bool of shape (outputs, inputs)
            True where a weight survives. Rows and columns may be empty.
        lanes : int
            Lanes of the packed activations, a multiple of 16.
        row_blocks, column_blocks : int, optional
            Pieces that rows and columns are cut into; by a rule of size and density if not given. Sums keep
            their order, so the choice changes the speed and not a bit of any result.
        by_block : bool
            Let all the survivors of a block come before those of the next, in rows as in columns, unless lanes are 16:
            what kernels read then comes in its order, but `values` and `by_row` have another one. It changes no bit either.
        """
        if mask.ndim != 2 or mask.dtype != np.bool_ or 0 in mask.shape:
            raise InputError(f"a pattern needs a bool mask (outputs, inputs), not {mask.dtype} of shape {mask.shape}")
        blocks = {"row_blocks": row_blocks, "column_blocks": column_blocks, "by_block": by_block}
        return cls(mask.shape, frozen(np.flatnonzero(mask)), lanes, **blocks)

    def of(self, mask: np.ndarray) -> "Pattern":
        """Return the pattern of another mask for as many lanes."""
        return Pattern.from_mask(mask, self.lanes, **self.cut)

    @property
    def cut(self) -> dict[str, Any]:
        """How lines were asked to be cut."""
        return {"row_blocks": self.row_blocks, "column_blocks": self.column_blocks, "by_block": self.by_block}

    def from_positions(self, values: np.ndarray) -> np.ndarray:
        _, places = self._by_row
        return values if places is None else put_at(values, places)

    def to_positions(self, values: np.ndarray) -> np.ndarray:
        _, places = self._by_row
        return values if places is None else taken_at(values, places)

    def places(self, by_column: bool) -> np.ndarray | None:
        """Return where the number of each position is (uint32), row by row or column by column; None if they are in order."""
        _, in_rows = self._by_row
        if not by_column:
            return in_rows
        return self.to_column if in_rows is None else taken_at(self.to_column, in_rows)

    def _check(self) -> None:
        if len(self.shape) != 2:
            raise InputError(f"a pattern is one of a matrix (outputs, inputs), not of shape {self.shape}")
        if self.lanes < LANES or self.lanes % LANES:
            raise InputError(f"lanes must be a positive multiple of {LANES}, not {self.lanes}")
        if max(self.shape) * self.lanes >= 2**32:
            raise InputError(f"a mask of shape {self.shape} with {self.lanes} lanes needs offsets beyond 32 bits")

    def _row_lines(self) -> Lines:
        return self._by_row[0]

    @functools.cached_property
    def _by_row(self) -> tuple[Lines, np.ndarray | None]:
        """The rows, and where in them each survivor is, unless that is the order of the positions."""
        (outputs, inputs), worthwhile = self.shape, WORTHWHILE_ROW
        if QUICK:
            quick, tall = WORTHWHILE_QUICK, WORTHWHILE_TALL
            if self.by_block:
                quick, tall = WORTHWHILE_IN_TURN, WORTHWHILE_TALL_IN_TURN
            worthwhile = tall if 2 * self._strip(outputs) > LARGE_CACHE else quick
        cut = blocks, _, stride = self._cut(outputs, inputs, self.row_blocks, worthwhile)
        parts, each = self._parts(inputs, cut)
        starts, offsets, places = np.zeros(outputs * blocks + 1, np.uint32), np.empty(self.count, np.uint32), None
        run(CountRows(parts, starts, offsets), each)
        np.cumsum(starts, dtype=np.uint32, out=starts)
        if stride > 1:
            places = np.empty(self.count, np.uint32)
            run(PlaceRows(parts, starts[:-1].copy(), offsets, places), each)
        return Lines(frozen(starts), frozen(offsets), *cut), None if places is None else frozen(places)

    def _column_lines(self) -> tuple[Lines, np.ndarray]:
        outputs, inputs = self.shape
        worthwhile = self.count + 1 if QUICK else WORTHWHILE_COLUMN
        cut = blocks, *_ = self._cut(inputs, outputs, self.column_blocks, worthwhile)
        pieces, (_, places) = inputs * blocks, self._by_row
        parts, each = self._parts(outputs, cut, self.count // pieces)
        counts = np.zeros((each.size - 1, pieces), np.uint32)
        run(CountColumns(parts, pieces, counts), each)
        starts = np.concatenate(([0], np.cumsum(counts.sum(axis=0)))).astype(np.uint32)
        heads = np.empty_like(counts)
        heads[0] = starts[:-1]
        for part in each[1:-1]:
            np.add(heads[part - 1], counts[part - 1], out=heads[part])
        offsets, to_column = (np.empty(self.count, np.uint32) for _ in range(2))
        in_rows, in_order = (to_column, True) if places is None else (places, False)
        run(PlaceColumns(parts, pieces, heads, offsets, to_column, in_rows, in_order), each)
        return Lines(frozen(starts), frozen(offsets), *cut), to_column

    def _parts(self, length: int, cut: tuple[int, int, int], most: int | None = None) -> tuple[Parts, np.ndarray]:
        """Return the survivors in parts, up to so many, and a share for each; lines read `length` and are cut."""
        threads = thread_count(None) if self.count >= MANY else 1
        shares = even_bounds(self.count, threads if most is None else max(1, min(threads, most)))
        rows = self.positions[shares[1:-1]] // self.shape[1]
        bounds = np.concatenate(([0], np.searchsorted(self.positions, rows * self.shape[1]), [self.count]))
        return Parts(self.positions, bounds, self.shape[1], length, *cut, self.lanes), np.arange(shares.size)

    def _cut(self, lines: int, length: int, asked: int | None, worthwhile: int) -> tuple[int, int, int]:
        """Return into how many blocks of places lines are cut, as many as are worthwhile if not asked for, and their steps."""
        far = self._strip(length) > LARGE_CACHE
        if asked is None:
            cache, worthwhile = (LARGE_CACHE, WORTHWHILE_FAR) if far else (CACHE, worthwhile)
            asked = min(-(-self._strip(length) // cache), self.count // (lines * worthwhile))
        blocks = max(1, min(asked, length))
        return (blocks, 1, lines) if self.by_block and blocks > 1 and self.lanes > LANES else (blocks, blocks, 1)

    def _strip(self, length: int) -> int:
        """Return the bytes of what kernels work through at a time of so many inputs or outputs."""
        # Tiles of one vector are done four at a time, so a strip is as wide there.
        return length * (STRIP if self.lanes == LANES else min(self.lanes, STRIP)) * 4
