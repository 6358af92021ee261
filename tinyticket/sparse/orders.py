"""What the patterns of matrices and of convolutions share: survivors in two orders, and chunks of lines with equal work."""

from dataclasses import dataclass, field

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines

CACHE = 32 * 1024
"""Bytes of activations that a block of lines should read: a first-level cache."""


@dataclass(frozen=True, eq=False)
class Orders:
    """Survivors of a weight in the order of its outputs ("rows") and of its inputs ("columns")."""

    shape: tuple[int, ...]  # of the weight, outputs and inputs first
    rows: Lines  # survivors row by row, which is C order of the mask, with the offsets that kernels read
    columns: Lines  # the same column by column
    to_row: np.ndarray  # uint32, where each survivor of the columns is in the rows: by_row[to_row] is by_column
    positions: np.ndarray  # integers, flat index in the weight of each survivor in the order of rows
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
        """Return the bounds of chunks of rows with nearly equal numbers of survivors."""
        return self._chunks("rows", self.rows, self.shape[0], chunks)

    def column_bounds(self, chunks: int) -> np.ndarray:
        """Return the bounds of such chunks of columns."""
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

    def moved(self, values: np.ndarray, before: "Orders", by_column: bool) -> np.ndarray:
        """Return another pattern's values, in either order, for this one's survivors: those that were not there have +0.0."""
        places = np.full(int(np.prod(self.shape)), before.count, np.int32)
        places[before.positions] = np.arange(before.count, dtype=np.int32)
        known = np.append(before.by_row(values) if by_column else values, values.dtype.type(0))
        by_row = known[places[self.positions]]
        return self.by_column(by_row) if by_column else by_row

    def of(self, mask: np.ndarray) -> "Orders":
        """Return the pattern of another mask for the same place in a network."""
        raise NotImplementedError

    def mask(self) -> np.ndarray:
        """Return the bool mask."""
        return self.dense(np.ones(self.count, np.bool_))

    def _check_lines(self, rows: int, columns: int) -> None:
        """Raise an error unless there are so many rows and columns, of the right type, that hold every survivor once."""
        for name, (starts, offsets, blocks), length in (("rows", self.rows, rows), ("columns", self.columns, columns)):
            if starts.dtype != np.uint32 or offsets.dtype != np.uint32 or self.to_row.dtype != np.uint32:
                raise InputError(f"{name} of a pattern must be uint32 throughout")
            if starts.shape != (length * blocks + 1,) or offsets.shape != self.to_row.shape:
                raise InputError(
                    f"{name} of a pattern have {starts.size} starts and {offsets.size} offsets for {length} lines"
                )
            if starts[0] != 0 or starts[-1] != self.count or np.any(starts[1:] < starts[:-1]):
                raise InputError(f"{name} of a pattern do not ascend from 0 to the number of survivors, {self.count}")
        if self.count and self.to_row.max() >= self.count:
            raise InputError("the permutation of a pattern reaches beyond its survivors")

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


def order_of(lines: np.ndarray, count: int) -> np.ndarray:
    """Return the order that sorts survivors by their lines, of which there are `count`, and leaves those of a line as they are."""
    # A stable sort of 16-bit numbers is a radix sort, several times quicker than others.
    return np.argsort(lines.astype(np.uint16 if count < 2**16 else np.uint32), kind="stable")


def lines_of(line: np.ndarray, offsets: np.ndarray, count: int, place: np.ndarray, length: int, blocks: int) -> Lines:
    """Cut `count` lines into so many blocks of the places that they read, of `length`, and count where each begins."""
    blocks = max(1, min(blocks, length))
    piece = line if blocks == 1 else line * blocks + place * blocks // length
    per_piece = np.bincount(piece, minlength=count * blocks)
    return Lines(np.concatenate(([0], np.cumsum(per_piece))).astype(np.uint32), offsets, blocks)
