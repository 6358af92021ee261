"""What the patterns of matrices and of convolutions share: survivors in two orders, and chunks of lines with equal work."""

import functools
import math
from dataclasses import dataclass, field, fields

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.cpu.lines import Lines, Survivors

CACHE = 32 * 1024
"""Bytes of activations that a block of lines should read: a first-level cache."""


@dataclass(frozen=True, eq=False)
class Orders(Survivors):
    """Survivors of a weight in the order of its outputs ("rows") and of its inputs ("columns").

    Kernels check no bounds. What they read is therefore made here, of the positions alone, and is read-only.
    """

    shape: tuple[int, ...]
    positions: np.ndarray  # int64, ascending: flat index in the weight of each survivor in the order of rows
    row_blocks: int | None = field(default=None, kw_only=True)  # as asked for; `rows.blocks` is what came of it
    column_blocks: int | None = field(default=None, kw_only=True)
    rows: Lines = field(init=False, repr=False)
    columns: Lines = field(init=False, repr=False)
    to_row: np.ndarray = field(init=False, repr=False)
    _bounds: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        check_fields(self)
        positions, size = self.positions.astype(np.int64), math.prod(self.shape)
        steps = np.diff(positions, prepend=-1, append=size) if positions.ndim == 1 else np.zeros(1)
        if not size or self.positions.dtype.kind not in "iu" or steps.min() < 1:
            raise InputError(f"positions of a pattern are whole numbers that ascend, from 0 to {size - 1}")
        vars(self)["positions"] = frozen(positions)
        rows, columns, order = self._lines()
        vars(self).update(rows=rows, columns=columns, to_row=frozen(order.astype(np.uint32)))

    def _lines(self) -> tuple[Lines, Lines, np.ndarray]:
        """Return rows, columns, and the order that makes rows columns."""
        raise NotImplementedError

    def __reduce__(self):  # copies are made anew, since copies of arrays can be written
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        return functools.partial(type(self), **given), ()

    @property
    def density(self) -> float:
        """Share of the weights that survive."""
        return self.count / int(np.prod(self.shape))

    def row_bounds(self, chunks: int) -> np.ndarray:
        return self._chunks("rows", self.rows, self.shape[0], chunks)

    def column_bounds(self, chunks: int) -> np.ndarray:
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

    def _chunks(self, name: str, lines: Lines, count: int, chunks: int) -> np.ndarray:
        """Cut `count` outputs or inputs, each of one or several lines, into chunks."""
        key = (name, chunks)
        if key not in self._bounds:
            if chunks < 1:
                raise InputError(f"there are no {chunks} chunks of {name}")
            starts = lines.starts[:: (lines.starts.size - 1) // count].astype(np.int64)
            # Every line costs about four survivors before its first.
            cost = starts + 4 * np.arange(starts.size)
            inner = np.searchsorted(cost, cost[-1] * np.arange(1, chunks) / chunks)
            self._bounds[key] = frozen(np.concatenate(([0], inner, [starts.size - 1])).astype(np.int64))
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
    return Lines(frozen(np.concatenate(([0], np.cumsum(per_piece))).astype(np.uint32)), frozen(offsets), blocks)


def frozen(array: np.ndarray) -> np.ndarray:
    """Return an array that can no longer be written."""
    array.flags.writeable = False
    return array
