"""How a parameter lies in memory: whole, or only its survivors, with its optimizer slots and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block, Shares, even
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cpu.sparse_narrow import Blocked
from tinyticket.kernels.cpu.sparse_single import BLOCK, Sliced
from tinyticket.kernels.cpu.update import State
from tinyticket.kernels.geometry import LANES
from tinyticket.kernels.read_only import frozen
from tinyticket.nn import Connections, Move
from tinyticket.sparse import Blocks, ConvPattern, Pattern, Slices
from tinyticket.sparse.orders import move_numbers

View = Callable[[Block], np.ndarray]
"""From a block to the array that it is in an arena."""

Mask = np.ndarray | None
AnyPattern = Pattern | ConvPattern

MOST_SLICED = 1 << 22
"""Numbers of a weight up to which its slices are made, which takes a hundred bytes for each meanwhile."""


class Weights:
    """A parameter's blocks; its `pattern` says where its survivors are, if it runs sparse.

    The optimizer, which remembers `slots` arrays, works on survivors column by column if the fused gradient leaves theirs so, else
    row by row, as the forward pass reads them. The gradient comes in `parts`, one after the other, which the update adds up.
    """

    def __init__(
        self, shape: tuple[int, ...], mask: Mask, pattern: AnyPattern | None, by_column: bool, slots: int, parts: int
    ):
        self.shape, self.mask, self.pattern, self.by_column = shape, mask, pattern, by_column
        self.count = int(np.prod(shape)) if pattern is None else pattern.count
        self.master, self.gradient = Block(self.count), Block(parts * self.count)  # what is updated, and by what
        self.slot_blocks = [self.master, *(Block(self.count) for _ in range(slots))]  # the master first
        self.values = Block(self.count) if by_column else self.master  # what the forward pass of a sparse layer reads
        self.masked = mask is not None and pattern is None
        self.mask_bytes = Block(self.count if self.masked else 1, dtype=np.uint8)
        # What the passes of a dense convolution read, unless the layout has packed it.
        self.packed = self.packed_back = self.master
        self.winograd = False  # whether these are transformed, and the passes Winograd's
        if pattern is not None:
            self.rows, self.columns = _blocks_of(pattern.rows), _blocks_of(pattern.columns)
            self.to_column = Block(self.count, dtype=np.uint32)
        self.slices: Slices | None = None  # the order that predictions of single samples read ...
        self.sliced_values = self.master  # ... and the survivors in it

    def slice(self) -> None:
        """Keep the survivors in the order for single samples too."""
        if len(self.shape) == 2 and self.count <= MOST_SLICED:
            mask = np.ones(self.shape, np.bool_) if self.mask is None else self.mask
            starts, (_, columns) = np.append(0, mask.sum(axis=1).cumsum()), mask.nonzero()
            self._keep_slices(Slices((self.shape[0], self.shape[1]), starts, columns))

    def _keep_slices(self, slices: Slices) -> None:
        outputs, inputs = slices.shape
        rows, starts, counts, columns = (Block(array.size, dtype=array.dtype.type) for array in _arrays_of(slices))
        self.sliced = Sliced(rows, starts, counts, columns, -(-inputs // BLOCK), outputs)
        self.slices, self.sliced_values = slices, Block(slices.size)

    @property
    def is_whole(self) -> bool:
        """Whether there is a number for every pair of the layer's inputs and outputs."""
        return self.pattern is None

    @property
    def state(self) -> State:
        """What an update reads and writes besides the gradient; the master stands for slots that the rule does not have."""
        first, second, *_ = *self.slot_blocks[1:], self.master, self.master
        return State(self.master, first, second, self.mask_bytes, self.masked)

    @property
    def pattern_blocks(self) -> list[Block]:
        """What is kept of the survivors' places."""
        return [block for block, _ in self._places()]

    def _places(self) -> list[tuple[Block, np.ndarray]]:
        """Return the blocks of the survivors' places, each with what it holds."""
        sliced = [] if self.slices is None else [*zip(self.sliced, _arrays_of(self.slices), strict=False)]
        if self.pattern is None:
            return sliced
        kept = [(self.rows, self.pattern.rows), (self.columns, self.pattern.columns)][: 1 + self.by_column]
        found = sliced + [pair for blocks, lines in kept for pair in zip(blocks[:2], lines[:2], strict=True)]
        return [*found, (self.to_column, self.pattern.to_column)] if self.by_column else found

    def row_shares(self) -> Shares:
        """Cut the rows of the survivors that there are at the time into equal shares."""
        return Shares((id(self), "rows"), lambda threads: self._pattern.row_bounds(threads))

    def column_shares(self) -> Shares:
        """Cut their columns into equal shares."""
        return Shares((id(self), "columns"), lambda threads: self._pattern.column_bounds(threads))

    def slice_shares(self) -> Shares:
        """Cut the slices into equal shares."""
        assert self.slices is not None
        return Shares((id(self), "slices"), self.slices.bounds)

    def survivor_shares(self, by_column: bool) -> Shares:
        """Cut the survivors as their rows or columns are cut, if those of a line lie in one place."""
        if (self.columns if by_column else self.rows).stride > 1:
            return even(self.count, LANES)
        shares = self.column_shares() if by_column else self.row_shares()

        def cut(threads: int) -> np.ndarray:
            lines = self._pattern.columns if by_column else self._pattern.rows
            per_line = (lines.starts.size - 1) // self._pattern.shape[1 if by_column else 0]
            return lines.starts[shares.cut(threads) * per_line].astype(np.int64)

        return Shares(shares.key, cut)

    @property
    def _pattern(self) -> AnyPattern:
        assert self.pattern is not None
        return self.pattern

    # -- values

    def survivors(self, array: np.ndarray) -> np.ndarray:
        """Take what survives, row by row, out of an array like the parameter."""
        return self._pattern.values(array)

    def whole(self, survivors: np.ndarray) -> np.ndarray:
        """Put what survives, row by row, into an array like the parameter, +0.0 elsewhere."""
        return self._pattern.dense(survivors)

    def write_pattern(self, view: View) -> None:
        """Write what kernels read of the mask."""
        if self.masked:
            assert self.mask is not None
            view(self.mask_bytes)[:] = self.mask.reshape(-1)
        for block, places in self._places():
            view(block)[:] = places

    def write(self, view: View, arrays: Sequence[np.ndarray]) -> None:
        """Take over the values and the slots; what is pruned becomes +0.0."""
        for block, array in zip(self.slot_blocks, arrays, strict=False):
            if self.pattern is not None:
                survivors = self.survivors(array)
                view(block)[:] = self.pattern.by_column(survivors) if self.by_column else survivors
            elif self.mask is not None:
                view(block)[:] = np.where(self.mask, array, np.float32(0)).reshape(-1)
            else:
                view(block)[:] = np.asarray(array).reshape(-1)
        if self.slices is not None:
            view(self.sliced_values)[:] = self.slices.by_slice(_row_by_row(arrays[0], self.mask))

    def change_mask(self, mask: Mask, view: View) -> bool:
        """Put a mask in the place of another, if a sparse weight has room for it: for as many survivors; return whether it had.

        What stays moves with its slots to its new place, what is new is +0.0.
        """
        if mask is None or self.mask is None or self.slices or (self.pattern and np.count_nonzero(mask) != self.count):
            return False
        before, self.mask = self.pattern, mask
        after = self.pattern = before and before.of(mask)
        for block in self.slot_blocks:
            values = view(block)
            if before is None or after is None:
                values[~mask.reshape(-1)] = 0
            else:
                values[:] = after.moved(values, before, self.by_column)
        self.write_pattern(view)
        return True

    def read(self, view: View) -> list[np.ndarray]:
        """Return copies of the values and the slots; pruned places are +0.0."""
        return [self._dense(view(block)) for block in self.slot_blocks]

    def value(self, view: View) -> np.ndarray:
        """Return a copy of the values alone."""
        return self._dense(view(self.master))

    def _dense(self, values: np.ndarray) -> np.ndarray:
        if self.pattern is None:
            return values.reshape(self.shape).copy()
        return self.whole(self.pattern.by_row(values) if self.by_column else values)


class ConnectedWeights(Weights):
    """The same of a layer that has some connections alone: the parameter is a number for each of them, row by row."""

    def survivors(self, array: np.ndarray) -> np.ndarray:
        return self._pattern.from_positions(array if self.mask is None else array[self.mask])

    def whole(self, survivors: np.ndarray) -> np.ndarray:
        ordered = self._pattern.to_positions(survivors)
        if self.mask is None:
            return ordered.copy()
        values = np.zeros(self.shape, survivors.dtype)
        values[self.mask] = ordered
        return values

    def change_mask(self, mask: Mask, view: View) -> bool:
        return False  # the program is made anew

    def change_connections(self, connections: Connections, move: Move | None, view: View) -> None:
        """Put connections in the place of as many; a move takes values and slots along, without one they are to be written."""
        before, positions = self.pattern, connections.positions()
        assert isinstance(before, Pattern)
        places = frozen(positions if self.mask is None else positions[self.mask])
        self.pattern = after = Pattern(before.shape, places, before.lanes, **before.cut)
        if move is not None:
            there, then = before.places(self.by_column), after.places(self.by_column)
            for block in self.slot_blocks:
                move_numbers(view(block).copy(), there, move.origins, then, out=view(block))
        self.write_pattern(view)


class NarrowWeights(Weights):
    """The same for batches of few samples: survivors in one order for all passes, which the parameter's are brought into."""

    def __init__(self, connections: Connections, mask: Mask, lanes: int, slots: int):
        self._kept, self._lanes, self._parameter = mask, lanes, (connections.count,)
        self.blocks = blocks = self._blocks(connections)
        super().__init__((blocks.count,), None, None, False, slots, 1)
        count, height = blocks.bounds.size - 1, blocks.tiles.size - 1
        bounds, tiles, starts = (Block(n, dtype=np.int64) for n in (count + 1, height + 1, count * height + 1))
        columns, rows = (Block(self.count, dtype=np.uint16) for _ in range(2))
        self.blocked = Blocked(bounds, tiles, starts, columns, rows, count, height)

    @property
    def is_whole(self) -> bool:
        return False

    def slice(self) -> None:
        if self.count <= MOST_SLICED:
            self._keep_slices(Slices(self.blocks.shape, self.blocks.row_starts, self.blocks.row_columns))

    @property
    def pattern_blocks(self) -> list[Block]:
        return [*self.blocked[:5], *super().pattern_blocks]

    def write_pattern(self, view: View) -> None:
        super().write_pattern(view)
        bounds, tiles, starts, columns, rows = map(view, self.blocked[:5])
        bounds[:], tiles[:], starts[:] = self.blocks.bounds, self.blocks.tiles, self.blocks.starts
        self.blocks.put_places(columns, rows)

    def write(self, view: View, arrays: Sequence[np.ndarray]) -> None:
        for block, array in zip(self.slot_blocks, arrays, strict=False):
            self.blocks.by_block(_row_by_row(array, self._kept), out=view(block))
        if self.slices is not None:
            view(self.sliced_values)[:] = self.slices.by_slice(_row_by_row(arrays[0], self._kept))

    def change_mask(self, mask: Mask, view: View) -> bool:
        return False  # the program is made anew

    def change_connections(self, connections: Connections, move: Move | None, view: View) -> None:
        """As for `ConnectedWeights`."""
        before, self.blocks = self.blocks, self._blocks(connections)
        self.blocks.fit(before)
        if move is not None:
            for block in self.slot_blocks:
                values = view(block)
                self.blocks.move(before.by_row(values), move.origins, out=values)
        self.write_pattern(view)

    def _blocks(self, connections: Connections) -> Blocks:
        """Return the survivors of connections."""
        starts, columns = connections.starts, connections.columns
        if self._kept is not None:
            starts, columns = np.concatenate(([0], np.cumsum(self._kept)))[starts], columns[self._kept]
        return Blocks(connections.shape, starts, columns, self._lanes)

    def _dense(self, values: np.ndarray) -> np.ndarray:
        by_row = self.blocks.by_row(values)
        if self._kept is None:
            return by_row
        whole = np.zeros(self._parameter, values.dtype)
        whole[self._kept] = by_row
        return whole


def _row_by_row(array: np.ndarray, mask: Mask) -> np.ndarray:
    """Return the numbers of a parameter that its mask keeps, row by row."""
    return array.reshape(-1) if mask is None else array[mask]


def _arrays_of(slices: Slices) -> tuple[np.ndarray, ...]:
    """Return the arrays of slices that kernels read, in the order of the fields of `Sliced`."""
    return slices.rows, slices.starts, slices.counts, slices.columns


def _blocks_of(lines: Lines) -> Any:
    """Return lines with blocks for arrays."""
    starts, offsets = (Block(array.size, dtype=np.uint32) for array in (lines.starts, lines.offsets))
    return lines._replace(starts=starts, offsets=offsets)
