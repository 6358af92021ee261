"""How a parameter lies in the arenas: whole, or only its survivors, with its slots and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyticket.compiler.network.program import Block
from tinyticket.compiler.places import Places, write
from tinyticket.sparse import ConvPattern, Pattern


class Weights:
    """A parameter's places.

    Parameters
    ----------
    shape : tuple of int
    mask : array of bool or None
    pattern : Pattern, ConvPattern or None
        Of its survivors, if it runs sparse.
    by_column : bool
        Whether the optimizer works on survivors column by column, as the fused backward pass leaves their gradients; else row by
        row, which the forward pass reads.
    slots : int
        How many arrays the optimizer remembers.
    offsets, masks : Places
        Of the arenas of patterns and of masks.

    Attributes
    ----------
    master, first, second, gradient : Block
        What the optimizer updates, and by what; `first` and `second` are the master where the rule has no such slot.
    values : Block
        What the forward pass of a sparse layer reads.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        mask: np.ndarray | None,
        pattern: Pattern | ConvPattern | None,
        by_column: bool,
        slots: int,
        offsets: Places,
        masks: Places,
    ):
        self.shape, self.mask, self.pattern, self.by_column, self.slots = shape, mask, pattern, by_column, slots
        self.count = int(np.prod(shape)) if pattern is None else pattern.count
        self.master, self.gradient = Block(self.count), Block(self.count)
        self.first = Block(self.count) if slots > 0 else self.master
        self.second = Block(self.count) if slots > 1 else self.master
        self.values = Block(self.count) if by_column else self.master
        self.masked = mask is not None and pattern is None
        self.mask_place = masks.take(self.count) if self.masked else 0
        self.rows, self.columns, self.to_row = (0, 0, 1), (0, 0, 1), 0
        if pattern is not None:
            lines = pattern.rows
            self.rows = offsets.take(lines.starts.size), offsets.take(lines.offsets.size), lines.blocks
        if pattern is not None and by_column:
            lines = pattern.columns
            self.columns = offsets.take(lines.starts.size), offsets.take(lines.offsets.size), lines.blocks
            self.to_row = offsets.take(self.count)

    def state(self) -> list[int | Block]:
        """Return the arguments of an update: master, slots, place of the mask and whether there is one."""
        return [self.master, self.first, self.second, self.mask_place, self.masked]

    def row_bounds(self, threads: int) -> np.ndarray:
        """Cut the rows of the survivors that there are now into equal shares."""
        assert self.pattern is not None
        return self.pattern.row_bounds(threads)

    def column_bounds(self, threads: int) -> np.ndarray:
        """Cut their columns into equal shares."""
        assert self.pattern is not None
        return self.pattern.column_bounds(threads)

    def blocks(self) -> list[Block]:
        """Return what an update writes."""
        return list(dict.fromkeys((self.master, self.first, self.second)))

    def write_pattern(self, offsets: np.ndarray, masks: np.ndarray) -> None:
        """Write what kernels read of the mask into the arenas."""
        if self.masked:
            assert self.mask is not None
            write(masks, self.mask_place, self.mask)
        if self.pattern is not None:
            write(offsets, self.rows[0], self.pattern.rows.starts)
            write(offsets, self.rows[1], self.pattern.rows.offsets)
        if self.pattern is not None and self.by_column:
            write(offsets, self.columns[0], self.pattern.columns.starts)
            write(offsets, self.columns[1], self.pattern.columns.offsets)
            write(offsets, self.to_row, self.pattern.to_row)

    def write(self, floats: np.ndarray, arrays: Sequence[np.ndarray]) -> None:
        """Take over the values and the slots; what is pruned becomes +0.0."""
        for block, array in zip((self.master, self.first, self.second), arrays, strict=False):
            if self.pattern is not None:
                survivors = self.pattern.values(array)
                write(floats, block.place, self.pattern.by_column(survivors) if self.by_column else survivors)
            elif self.mask is not None:
                write(floats, block.place, np.where(self.mask, array, np.float32(0)))
            else:
                write(floats, block.place, array)

    def change_mask(self, mask: np.ndarray, floats: np.ndarray, offsets: np.ndarray, masks: np.ndarray) -> None:
        """Put a mask of as many survivors in place: what stays moves with its slots to its new place, what is new is +0.0."""
        before, self.mask = self.pattern, mask
        after = self.pattern = before and before.of(mask)
        for block in dict.fromkeys((self.master, self.first, self.second)):
            values = floats[block.place : block.place + self.count]
            if before is None or after is None:
                values[~mask.reshape(-1)] = 0
            else:
                values[:] = after.moved(values, before, self.by_column)
        self.write_pattern(offsets, masks)

    def read(self, floats: np.ndarray) -> list[np.ndarray]:
        """Return copies of the values and the slots; pruned places are +0.0."""
        return [self._dense(floats, block) for block in (self.master, self.first, self.second)[: 1 + self.slots]]

    def value(self, floats: np.ndarray) -> np.ndarray:
        """Return a copy of the values alone."""
        return self._dense(floats, self.master)

    def _dense(self, floats: np.ndarray, block: Block) -> np.ndarray:
        values = floats[block.place : block.place + self.count]
        if self.pattern is None:
            return values.reshape(self.shape).copy()
        return self.pattern.dense(self.pattern.by_row(values) if self.by_column else values)
