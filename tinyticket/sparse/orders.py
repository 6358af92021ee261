"""What the patterns of matrices and of convolutions share: survivors in two orders, and chunks of lines with equal work."""

import functools
import math
from dataclasses import dataclass, field, fields

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares
from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.lines import Lines, Survivors
from tinyticket.kernels.cpu.ordering import MoveNumbers, PutNumbers, TakeNumbers
from tinyticket.kernels.read_only import frozen, kept

MANY = 1 << 20
"""Numbers, of four bytes each, that kernels bring into another order on several threads, sooner than NumPy does."""

CACHE = 32 * 1024
"""Bytes of activations that a block of lines should read: a first-level cache."""


@dataclass(frozen=True, eq=False)
class MadeAnew:
    """A dataclass of which copies are made anew, since the arrays of other copies could be written."""

    def __reduce__(self):
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        return functools.partial(type(self), **given), ()


@dataclass(frozen=True, eq=False)
class Orders(MadeAnew, Survivors):
    """Survivors of a weight in the order of its outputs ("rows") and of its inputs ("columns").

    Kernels check no bounds. What they read is therefore made here, of the positions alone, and is read-only.
    """

    shape: tuple[int, ...]
    positions: np.ndarray  # int64, ascending: flat index in the weight of each survivor in the order of rows
    row_blocks: int | None = field(default=None, kw_only=True)  # as asked for; `rows.blocks` is what came of it
    column_blocks: int | None = field(default=None, kw_only=True)
    _bounds: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        check_fields(self)
        positions, size = kept(self.positions, np.int64), math.prod(self.shape)
        ascending = positions.ndim == 1 and (positions[:-1] < positions[1:]).all()
        ends = positions[[0, -1]] if positions.size else np.zeros(0)
        if not size or self.positions.dtype.kind not in "iu" or not ascending or ((ends < 0) | (ends >= size)).any():
            raise InputError(f"positions of a pattern are whole numbers that ascend, from 0 to {size - 1}")
        if positions.size >= 2**32:
            raise InputError(f"a pattern of {positions.size} survivors needs places beyond 32 bits")
        vars(self)["positions"] = positions
        self._check()

    def _check(self) -> None:
        """Raise InputError for a weight of which there is no such pattern."""
        raise NotImplementedError

    def _row_lines(self) -> Lines:
        """Return the survivors row by row."""
        raise NotImplementedError

    def _column_lines(self) -> tuple[Lines, np.ndarray]:
        """Return the survivors column by column, and where each of the rows is among them, uint32."""
        raise NotImplementedError

    # Ordering a hundred million survivors takes seconds, so each order is made when it is first asked for.

    @functools.cached_property
    def rows(self) -> Lines:  # type: ignore[override]  # kernels know an attribute
        return self._row_lines()

    @functools.cached_property
    def _by_column(self) -> tuple[Lines, np.ndarray]:
        columns, to_column = self._column_lines()
        return columns, frozen(to_column)

    @property
    def columns(self) -> Lines:  # type: ignore[override]
        return self._by_column[0]

    @property
    def to_column(self) -> np.ndarray:  # type: ignore[override]  # as for `rows`
        return self._by_column[1]

    @property
    def count(self) -> int:
        return self.positions.size

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
        return self.from_positions(np.asarray(weight).reshape(-1)[self.positions])

    def from_positions(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from the order of the positions to that of `rows`, which may be the same."""
        return values

    def to_positions(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from the order of `rows` to that of the positions."""
        return values

    def by_column(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from row by row to column by column."""
        return put_at(values, self.to_column)

    def by_row(self, values: np.ndarray) -> np.ndarray:
        """Reorder values from column by column to row by row."""
        return taken_at(values, self.to_column)

    def dense(self, values: np.ndarray) -> np.ndarray:
        """Put values, row by row, back into a dense weight; +0.0 wherever a weight was pruned."""
        weight = np.zeros(int(np.prod(self.shape)), np.asarray(values).dtype)
        weight[self.positions] = self.to_positions(values)
        return weight.reshape(self.shape)

    def moved(self, values: np.ndarray, before: "Orders", by_column: bool) -> np.ndarray:
        """Return another pattern's values, in either order, for this one's survivors: those that were not there have +0.0."""
        known = before.to_positions(before.by_row(values) if by_column else values)
        found = np.zeros(self.count, values.dtype)
        if before.count:
            places = np.searchsorted(before.positions, self.positions).clip(max=before.count - 1)
            there = before.positions[places] == self.positions
            found[there] = known[places[there]]
        by_row = self.from_positions(found)
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
            pieces = np.diff(lines.starts.astype(np.int64))
            pieces = pieces.reshape(-1, count).T if lines.stride > 1 else pieces.reshape(count, -1)
            # Every line costs about four survivors before its first.
            cost = np.cumsum(np.concatenate(([0], pieces.sum(axis=1) + 4)))
            inner = np.searchsorted(cost, cost[-1] * np.arange(1, chunks) / chunks)
            self._bounds[key] = frozen(np.concatenate(([0], inner, [count])).astype(np.int64))
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
    starts = np.concatenate(([0], np.cumsum(per_piece))).astype(np.uint32)
    return Lines(frozen(starts), frozen(offsets), blocks, step=blocks, stride=1)


def taken_at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the values at some places (uint32), 0 where there are not so many."""
    if _are_many(values, places):
        words, taken = np.ascontiguousarray(values).view(np.uint32), np.empty(places.size, values.dtype)
        run(TakeNumbers(words, values.size, places, taken.view(np.uint32)), even_shares(places.size, None))
        return taken
    there, taken = places < values.size, np.zeros(places.size, values.dtype)
    taken[there] = values[places[there]]
    return taken


def put_at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return an array that has the values at these places (uint32), each of which is there once."""
    put = np.empty_like(values, order="C")
    if _are_many(values, places):
        words = np.ascontiguousarray(values).view(np.uint32)
        run(PutNumbers(words, places, put.view(np.uint32)), even_shares(places.size, None))
    else:
        put[places] = values
    return put


def move_numbers(
    values: np.ndarray, before: np.ndarray | None, origins: np.ndarray, after: np.ndarray | None, out: np.ndarray
) -> None:
    """Bring numbers of four bytes from survivors' places before a move to those after it, None where these are in order.

    `origins` say for each survivor after the move which one before it is, or -1 for one that begins at +0.0.
    """
    numbers, moved = (np.ascontiguousarray(array).view(np.uint32) for array in (values, out))
    which = np.ascontiguousarray(origins, np.int32).view(np.uint32)
    there, then = (which if places is None else places for places in (before, after))
    job = MoveNumbers(numbers, numbers.size, which, there, before is None, then, after is None, moved)
    run(job, even_shares(which.size, None if which.size >= MANY else 1))


def _are_many(values: np.ndarray, places: np.ndarray) -> bool:
    return values.itemsize == 4 and values.shape == places.shape and places.size >= MANY
