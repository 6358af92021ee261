"""Where the survivors of a masked matrix are, in the two orders that training walks through them.

Forward goes row by row, backward column by column, so both are kept, with the permutation from one to the other.
Kernels check no bounds: whatever they may reach is validated here, once, when the pattern is built. A pattern is
data, an argument of compiled kernels: a new mask brings another pattern and compiles nothing.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.kernels.cpu.sparse_passes import Lines

CACHE = 32 * 1024
"""Bytes of activations that a block should read: a first-level cache."""

STRIP = 64
"""Lanes that kernels work through at a time."""

WORTHWHILE_ROW, WORTHWHILE_COLUMN = 15, 64
"""Survivors of a line in a block below which cutting lines costs more than the cache saves (measured; columns do more for each)."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Positions of the survivors of a matrix (outputs, inputs), for activations with so many lanes.

    Attributes
    ----------
    shape : (outputs, inputs)
    lanes : int
    rows : Lines
        Survivors row by row: C order of the mask, offsets into packed inputs.
    columns : Lines
        Survivors column by column, offsets into packed outputs.
    to_row : uint32 array of shape (survivors,)
        Place in the order of rows of each survivor in the order of columns: values_by_row[to_row] is values_by_column.
    """

    shape: tuple[int, int]
    lanes: int
    rows: Lines
    columns: Lines
    to_row: np.ndarray
    _bounds: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def from_mask(
        cls, mask: Any, lanes: int, *, row_blocks: int | None = None, column_blocks: int | None = None
    ) -> "Pattern":
        """Build the pattern of a mask.

        Parameters
        ----------
        mask : array of bool, or Mask, of shape (outputs, inputs)
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
        row, column = np.nonzero(mask)
        # A stable sort of 16-bit numbers is a radix sort, several times quicker than looking for survivors down the columns.
        order = np.argsort(column.astype(np.uint16 if mask.shape[1] < 2**16 else np.uint32), kind="stable")
        across, down = column[order], row[order]
        rows = _lines(row, column, mask.shape, lanes, row_blocks, WORTHWHILE_ROW)
        columns = _lines(across, down, mask.shape[::-1], lanes, column_blocks, WORTHWHILE_COLUMN)
        pattern = cls(mask.shape, lanes, rows, columns, order.astype(np.uint32))
        pattern.validate()
        return pattern

    @property
    def count(self) -> int:
        """Number of survivors."""
        return self.to_row.size

    @property
    def density(self) -> float:
        """Share of the weights that survive."""
        return self.count / (self.shape[0] * self.shape[1])

    def row_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of rows with nearly equal numbers of survivors."""
        return self._chunks("rows", self.rows, chunks)

    def column_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of columns with nearly equal numbers of survivors."""
        return self._chunks("columns", self.columns, chunks)

    def values(self, weight: np.ndarray) -> np.ndarray:
        """Take the survivors out of a dense matrix, row by row."""
        return np.asarray(weight)[self.mask()]

    def by_column(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from row by row to column by column."""
        return values[self.to_row]

    def by_row(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from column by column to row by row."""
        ordered = np.empty_like(values)
        ordered[self.to_row] = values
        return ordered

    def dense(self, values: np.ndarray) -> np.ndarray:
        """Put values, row by row, back into a dense matrix; +0.0 wherever a weight was pruned."""
        weight = np.zeros(self.shape, np.asarray(values).dtype)
        weight[self.mask()] = values
        return weight

    def mask(self) -> np.ndarray:
        """Return the bool mask."""
        mask = np.zeros(self.shape, np.bool_)
        starts = self.rows.starts[:: self.rows.blocks].astype(np.int64)
        row = np.repeat(np.arange(self.shape[0]), np.diff(starts))
        mask[row, self.rows.offsets // self.lanes] = True
        return mask

    def validate(self) -> None:
        """Raise an error if a kernel that walks through this pattern would leave its arrays."""
        outputs, inputs = self.shape
        for name, lines, length, reach in (
            ("rows", self.rows, outputs, inputs),
            ("columns", self.columns, inputs, outputs),
        ):
            starts, offsets = lines.starts, lines.offsets
            if starts.dtype != np.uint32 or offsets.dtype != np.uint32 or self.to_row.dtype != np.uint32:
                raise InputError(f"{name} of a pattern must be uint32 throughout")
            if starts.shape != (length * lines.blocks + 1,) or offsets.shape != self.to_row.shape:
                raise InputError(
                    f"{name} of a pattern have {starts.size} starts and {offsets.size} offsets for {length} lines"
                )
            if starts[0] != 0 or starts[-1] != self.count or np.any(starts[1:] < starts[:-1]):
                raise InputError(f"{name} of a pattern do not ascend from 0 to the number of survivors, {self.count}")
            if self.count and (offsets.max() > (reach - 1) * self.lanes or np.any(offsets % np.uint32(self.lanes))):
                raise InputError(f"{name} of a pattern reach beyond {reach} features of {self.lanes} lanes")
        if self.count and self.to_row.max() >= self.count:
            raise InputError("the permutation of a pattern reaches beyond its survivors")

    def _chunks(self, name: str, lines: Lines, chunks: int) -> np.ndarray:
        key = (name, chunks)
        if key not in self._bounds:
            starts = lines.starts[:: lines.blocks].astype(np.int64)
            # Every line costs about four survivors before its first.
            cost = starts + 4 * np.arange(starts.size)
            inner = np.searchsorted(cost, cost[-1] * np.arange(1, chunks) / chunks)
            self._bounds[key] = np.concatenate(([0], inner, [starts.size - 1])).astype(np.int64)
        return self._bounds[key]


def _lines(
    line: np.ndarray, place: np.ndarray, shape: tuple[int, int], lanes: int, blocks: int | None, worthwhile: int
) -> Lines:
    """Cut lines into blocks of places and count where each begins."""
    lines, length = shape
    if blocks is None:
        fitting = -(-length * min(lanes, STRIP) * 4 // CACHE)
        blocks = min(fitting, line.size // (lines * worthwhile))
    blocks = max(1, min(blocks, length))
    per_line = np.bincount(line * blocks + place * blocks // length, minlength=lines * blocks)
    starts = np.concatenate(([0], np.cumsum(per_line))).astype(np.uint32)
    return Lines(starts, (place * lanes).astype(np.uint32), blocks)
