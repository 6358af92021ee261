"""Where the survivors of a masked matrix are, in the two orders that training walks through them.

Forward goes row by row, backward column by column. Kernels check no bounds: whatever they may reach is validated here, once. A
pattern is an argument of compiled kernels: a new mask brings another pattern and compiles nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines
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
class Pattern(Orders):
    """Positions of the survivors of a matrix (outputs, inputs), in packed inputs (rows) and packed outputs (columns)."""

    lanes: int  # of those activations

    @classmethod
    def from_mask(
        cls, mask: Any, lanes: int, *, row_blocks: int | None = None, column_blocks: int | None = None
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
        mask = np.ascontiguousarray(mask)
        if mask.ndim != 2 or mask.dtype != np.bool_ or 0 in mask.shape:
            raise InputError(f"a pattern needs a bool mask (outputs, inputs), not {mask.dtype} of shape {mask.shape}")
        if lanes < LANES or lanes % LANES:
            raise InputError(f"lanes must be a positive multiple of {LANES}, not {lanes}")
        if max(mask.shape) * lanes >= 2**32 or mask.size >= 2**32:
            raise InputError(f"a mask of shape {mask.shape} with {lanes} lanes needs offsets beyond 32 bits")
        if column_blocks is None and target()[0] in WHOLE_COLUMNS:
            column_blocks = 1
        positions = np.flatnonzero(mask)
        row, column = np.divmod(positions, mask.shape[1])
        order = order_of(column, mask.shape[1])
        across, down = column[order], row[order]
        rows = _lines(row, column, mask.shape, lanes, row_blocks, WORTHWHILE_ROW)
        columns = _lines(across, down, mask.shape[::-1], lanes, column_blocks, WORTHWHILE_COLUMN)
        pattern = cls(mask.shape, rows, columns, order.astype(np.uint32), positions, lanes)
        pattern.validate()
        return pattern

    def of(self, mask: np.ndarray) -> "Pattern":
        """Return the pattern of another mask for as many lanes."""
        return Pattern.from_mask(mask, self.lanes)

    def validate(self) -> None:
        """Raise an error if a kernel that walks through this pattern would leave its arrays."""
        outputs, inputs = self.shape
        self._check_lines(outputs, inputs)
        for name, (_, offsets, _), reach in (("rows", self.rows, inputs), ("columns", self.columns, outputs)):
            if self.count and (offsets.max() > (reach - 1) * self.lanes or np.any(offsets % np.uint32(self.lanes))):
                raise InputError(f"{name} of a pattern reach beyond {reach} features of {self.lanes} lanes")


def _lines(
    line: np.ndarray, place: np.ndarray, shape: tuple[int, int], lanes: int, blocks: int | None, worthwhile: int
) -> Lines:
    """Cut lines into blocks of places, as many as are worthwhile if not given."""
    count, length = shape
    if blocks is None:
        # Tiles of one vector are done four at a time, so a strip is as wide there.
        strip = length * (STRIP if lanes == LANES else min(lanes, STRIP)) * 4
        per_block = worthwhile if strip <= LARGE_CACHE else WORTHWHILE_LONG
        blocks = min(-(-strip // CACHE), line.size // (count * per_block))
    return lines_of(line, (place * lanes).astype(np.uint32), count, place, length, blocks)
