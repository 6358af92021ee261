"""What the patterns of matrices and of convolutions share: survivors in two orders, and chunks of lines with equal work."""

from dataclasses import dataclass, field

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines


@dataclass(frozen=True, eq=False)
class Orders:
    """Survivors of a weight in the order of its outputs ("rows") and of its inputs ("columns").

    Attributes
    ----------
    shape : tuple of int
        Of the weight, outputs and inputs first.
    rows, columns : Lines
        Survivors row by row, which is C order of the mask, and column by column, with the offsets that kernels read.
    to_row : uint32 array of shape (survivors,)
        Place in the order of rows of each survivor in the order of columns: values_by_row[to_row] is values_by_column.
    positions : integer array of shape (survivors,)
        Flat index in the weight of each survivor in the order of rows.
    """

    shape: tuple[int, ...]
    rows: Lines
    columns: Lines
    to_row: np.ndarray
    positions: np.ndarray
    _bounds: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False, kw_only=True)

    @property
    def count(self) -> int:
        """Number of survivors."""
        return self.to_row.size

    @property
    def density(self) -> float:
        """Share of the weights that survive."""
        return self.count / int(np.prod(self.shape))

    def row_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of rows with nearly equal numbers of survivors."""
        return self._chunks("rows", self.rows, self.shape[0], chunks)

    def column_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of columns with nearly equal numbers of survivors."""
        return self._chunks("columns", self.columns, self.shape[1], chunks)

    def values(self, weight: np.ndarray) -> np.ndarray:
        """Take the survivors out of a dense weight, row by row."""
        return np.asarray(weight).reshape(-1)[self.positions]

    def by_column(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from row by row to column by column."""
        return values[self.to_row]

    def by_row(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from column by column to row by row."""
        ordered = np.empty_like(values)
        ordered[self.to_row] = values
        return ordered

    def dense(self, values: np.ndarray) -> np.ndarray:
        """Put values, row by row, back into a dense weight; +0.0 wherever a weight was pruned."""
        weight = np.zeros(int(np.prod(self.shape)), np.asarray(values).dtype)
        weight[self.positions] = values
        return weight.reshape(self.shape)

    def places_in(self, other: "Orders") -> np.ndarray:
        """Return for each survivor, row by row, which one it is of another pattern of this shape; `other.count` if of none."""
        places = np.full(int(np.prod(self.shape)), other.count, np.int32)
        places[other.positions] = np.arange(other.count, dtype=np.int32)
        return places[self.positions]

    def moved(self, values: np.ndarray, before: "Orders", by_column: bool) -> np.ndarray:
        """Return what survivors of another pattern of this shape have, for this one's: those that were not there have +0.0.

        Both row by row, or both column by column.
        """
        by_row = np.append(before.by_row(values) if by_column else values, values.dtype.type(0))[self.places_in(before)]
        return self.by_column(by_row) if by_column else by_row

    def of(self, mask: np.ndarray) -> "Orders":
        """Return the pattern of another mask for the same place in a network."""
        raise NotImplementedError

    def mask(self) -> np.ndarray:
        """Return the bool mask."""
        raise NotImplementedError

    def _check_lines(self, name: str, lines: Lines, length: int) -> None:
        """Raise an error unless there are so many lines, of the right type, that hold every survivor once."""
        starts, offsets = lines.starts, lines.offsets
        if starts.dtype != np.uint32 or offsets.dtype != np.uint32 or self.to_row.dtype != np.uint32:
            raise InputError(f"{name} of a pattern must be uint32 throughout")
        if starts.shape != (length * lines.blocks + 1,) or offsets.shape != self.to_row.shape:
            raise InputError(
                f"{name} of a pattern have {starts.size} starts and {offsets.size} offsets for {length} lines"
            )
        if starts[0] != 0 or starts[-1] != self.count or np.any(starts[1:] < starts[:-1]):
            raise InputError(f"{name} of a pattern do not ascend from 0 to the number of survivors, {self.count}")

    def _chunks(self, name: str, lines: Lines, count: int, chunks: int) -> np.ndarray:
        """Cut `count` outputs or inputs, each of one or several lines, into chunks."""
        key = (name, chunks)
        if key not in self._bounds:
            starts = lines.starts[:: (lines.starts.size - 1) // count].astype(np.int64)
            # Every line costs about four survivors before its first.
            cost = starts + 4 * np.arange(starts.size)
            inner = np.searchsorted(cost, cost[-1] * np.arange(1, chunks) / chunks)
            self._bounds[key] = np.concatenate(([0], inner, [starts.size - 1])).astype(np.int64)
        return self._bounds[key]
