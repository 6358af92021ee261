"""How a parameter lies in memory: whole, or only its survivors, with its optimizer slots and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block, Shares
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.sparse import ConvPattern, Pattern

View = Callable[[Block], np.ndarray]
"""From a block to the array that it is in an arena."""


class Weights:
    """A parameter's blocks.

    Parameters
    ----------
    shape : tuple of int
    mask : array of bool or None
    pattern : Pattern, ConvPattern or None
        Of its survivors, if it runs sparse.
    by_column : bool
        Whether the optimizer works on survivors column by column, as the fused gradient leaves theirs; else row by row, which the
        forward pass reads.
    slots : int
        How many arrays the optimizer remembers.
    parts : int
        In how many parts its gradient comes, one after the other, which the update adds up.

    Attributes
    ----------
    master, first, second, gradient : Block
        What the optimizer updates, and by what; `first` and `second` are the master where the rule has no such slot.
    values : Block
        What the forward pass of a sparse layer reads.
    packed, packed_back : Block
        What the passes of a dense convolution read; the master unless the layout has packed it.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        mask: np.ndarray | None,
        pattern: Pattern | ConvPattern | None,
        by_column: bool,
        slots: int,
        parts: int = 1,
    ):
        self.shape, self.mask, self.pattern, self.by_column, self.slots = shape, mask, pattern, by_column, slots
        self.count = int(np.prod(shape)) if pattern is None else pattern.count
        self.master, self.gradient = Block(self.count), Block(parts * self.count)
        self.first = Block(self.count) if slots > 0 else self.master
        self.second = Block(self.count) if slots > 1 else self.master
        self.values = Block(self.count) if by_column else self.master
        self.masked = mask is not None and pattern is None
        self.mask_bytes = Block(self.count if self.masked else 1, dtype=np.uint8)
        self.packed = self.packed_back = self.master
        if pattern is not None:
            self.rows, self.columns = _blocks_of(pattern.rows), _blocks_of(pattern.columns)
            self.to_row = Block(self.count, dtype=np.uint32)

    @property
    def slot_blocks(self) -> list[Block]:
        """The master and the slots that there are."""
        return [self.master, self.first, self.second][: 1 + self.slots]

    @property
    def pattern_blocks(self) -> list[Block]:
        """What is kept of the survivors' places."""
        if self.pattern is None:
            return []
        columns = [self.columns.starts, self.columns.offsets, self.to_row] if self.by_column else []
        return [self.rows.starts, self.rows.offsets, *columns]

    def row_shares(self) -> Shares:
        """Cut the rows of the survivors that there are at the time into equal shares."""
        return Shares((id(self), "rows"), lambda threads: self._pattern.row_bounds(threads))

    def column_shares(self) -> Shares:
        """Cut their columns into equal shares."""
        return Shares((id(self), "columns"), lambda threads: self._pattern.column_bounds(threads))

    def survivor_shares(self) -> Shares:
        """Cut the survivors as the lines are cut whose gradients a pass leaves."""

        def cut(threads: int) -> np.ndarray:
            bounds, lines = lines_of().cut(threads), self._pattern.columns if self.by_column else self._pattern.rows
            per_line = (lines.starts.size - 1) // self.shape[1 if self.by_column else 0]
            return lines.starts[bounds * per_line].astype(np.int64)

        lines_of = self.column_shares if self.by_column else self.row_shares
        return Shares(lines_of().key, cut)

    @property
    def _pattern(self) -> Pattern | ConvPattern:
        assert self.pattern is not None
        return self.pattern

    # -- values

    def write_pattern(self, view: View) -> None:
        """Write what kernels read of the mask."""
        if self.masked:
            assert self.mask is not None
            view(self.mask_bytes)[:] = self.mask.reshape(-1)
        if self.pattern is not None:
            _write_lines(view, self.rows, self.pattern.rows)
        if self.pattern is not None and self.by_column:
            _write_lines(view, self.columns, self.pattern.columns)
            view(self.to_row)[:] = self.pattern.to_row

    def write(self, view: View, arrays: Sequence[np.ndarray]) -> None:
        """Take over the values and the slots; what is pruned becomes +0.0."""
        for block, array in zip(self.slot_blocks, arrays, strict=False):
            if self.pattern is not None:
                survivors = self.pattern.values(array)
                view(block)[:] = self.pattern.by_column(survivors) if self.by_column else survivors
            elif self.mask is not None:
                view(block)[:] = np.where(self.mask, array, np.float32(0)).reshape(-1)
            else:
                view(block)[:] = np.asarray(array).reshape(-1)

    def change_mask(self, mask: np.ndarray, view: View) -> None:
        """Put a mask of as many survivors in place: what stays moves with its slots to its new place, what is new is +0.0."""
        before, self.mask = self.pattern, mask
        after = self.pattern = before and before.of(mask)
        for block in self.slot_blocks:
            values = view(block)
            if before is None or after is None:
                values[~mask.reshape(-1)] = 0
            else:
                values[:] = after.moved(values, before, self.by_column)
        self.write_pattern(view)

    def read(self, view: View) -> list[np.ndarray]:
        """Return copies of the values and the slots; pruned places are +0.0."""
        return [self._dense(view(block)) for block in self.slot_blocks]

    def value(self, view: View) -> np.ndarray:
        """Return a copy of the values alone."""
        return self._dense(view(self.master))

    def _dense(self, values: np.ndarray) -> np.ndarray:
        if self.pattern is None:
            return values.reshape(self.shape).copy()
        return self.pattern.dense(self.pattern.by_row(values) if self.by_column else values)


def _blocks_of(lines: Lines) -> Any:
    """Return lines with blocks for arrays."""
    starts, offsets = (Block(array.size, dtype=np.uint32) for array in (lines.starts, lines.offsets))
    return Lines(starts, offsets, lines.blocks)


def _write_lines(view: View, blocks: Lines, lines: Lines) -> None:
    view(blocks.starts)[:] = lines.starts
    view(blocks.offsets)[:] = lines.offsets
