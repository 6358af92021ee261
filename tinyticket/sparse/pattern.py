"""Where the survivors of a masked matrix are, in the two orders that training walks through them.

Forward goes row by row, backward column by column. A pattern is an argument of compiled kernels: a new mask brings another pattern
and compiles nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.checked import checked
from tinyticket.kernels.cpu.lines import LinearPattern, Lines
from tinyticket.kernels.cpu.vector.machine import LANES, LARGE_CACHE, target
from tinyticket.sparse.orders import CACHE, Orders, lines_of, order_of

STRIP = 64
"""Lanes that kernels work through at a time."""

WORTHWHILE_ROW, WORTHWHILE_COLUMN = 15, 64
"""Survivors of a line in a block below which cutting lines costs more than the cache saves (measured; columns do more for each)."""

WORTHWHILE_LONG = 100
"""The same for lines over more activations than the large cache holds: their pieces lie pages apart, so each begins with a wait."""

WHOLE_COLUMNS = ("sapphirerapids", "emeraldrapids")
"""CPUs on which columns are better left whole (measured on the second): the backward pass makes two products of what it reads,
and from their second-level cache it gets that fast enough."""


@dataclass(frozen=True, eq=False)
class Pattern(LinearPattern, Orders):
    """Positions of the survivors of a matrix (outputs, inputs), in packed inputs (rows) and packed outputs (columns)."""

    lanes: int  # of those activations

    @classmethod
    @checked
    def from_mask(
        cls: Any, mask: np.ndarray, lanes: int, *, row_blocks: int | None = None, column_blocks: int | None = None
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
        """
        if mask.ndim != 2 or mask.dtype != np.bool_ or 0 in mask.shape:
            raise InputError(f"a pattern needs a bool mask (outputs, inputs), not {mask.dtype} of shape {mask.shape}")
        return cls(mask.shape, np.flatnonzero(mask), lanes, row_blocks=row_blocks, column_blocks=column_blocks)

    def of(self, mask: np.ndarray) -> "Pattern":
        """Return the pattern of another mask for as many lanes."""
        blocks = {"row_blocks": self.row_blocks, "column_blocks": self.column_blocks}
        return Pattern.from_mask(mask, self.lanes, **blocks)

    def _lines(self) -> tuple[Lines, Lines, np.ndarray]:
        if len(self.shape) != 2:
            raise InputError(f"a pattern is one of a matrix (outputs, inputs), not of shape {self.shape}")
        (outputs, inputs), lanes, column_blocks = self.shape, self.lanes, self.column_blocks
        if lanes < LANES or lanes % LANES:
            raise InputError(f"lanes must be a positive multiple of {LANES}, not {lanes}")
        if max(self.shape) * lanes >= 2**32 or outputs * inputs >= 2**32:
            raise InputError(f"a mask of shape {self.shape} with {lanes} lanes needs offsets beyond 32 bits")
        if column_blocks is None and target()[0] in WHOLE_COLUMNS:
            column_blocks = 1
        row, column = np.divmod(self.positions, inputs)
        order = order_of(column, inputs)
        rows = _cut(row, column, self.shape, lanes, self.row_blocks, WORTHWHILE_ROW)
        columns = _cut(column[order], row[order], self.shape[::-1], lanes, column_blocks, WORTHWHILE_COLUMN)
        return rows, columns, order


def _cut(
    line: np.ndarray, place: np.ndarray, shape: tuple[int, ...], lanes: int, blocks: int | None, worthwhile: int
) -> Lines:
    """Cut lines into blocks of places, as many as are worthwhile if not given."""
    count, length = shape
    if blocks is None:
        # Tiles of one vector are done four at a time, so a strip is as wide there.
        strip = length * (STRIP if lanes == LANES else min(lanes, STRIP)) * 4
        per_block = worthwhile if strip <= LARGE_CACHE else WORTHWHILE_LONG
        blocks = min(-(-strip // CACHE), line.size // (count * per_block))
    return lines_of(line, (place * lanes).astype(np.uint32), count, place, length, blocks)
