"""Where everything lies: the arenas of a network, laid out before anything is allocated, and filled and read afterwards.

Parameters, slots, gradients and activations share one array of float32, so that a checkpoint is one copy. A new mask
makes a new plan; nothing is compiled again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyticket.compiler import program
from tinyticket.compiler.program import Batch, Memory
from tinyticket.compiler.routines import addresses
from tinyticket.kernels.cpu import LANES, empty, lanes_for, tiles_for
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.dense_passes import ROWS
from tinyticket.sparse import Pattern


class Plan:
    """The memory of a fully-connected network and its batch.

    Parameters
    ----------
    shapes : sequence of (outputs, inputs)
    masks : sequence of bool arrays or None
    sparse_below : float
        Layers of less density run sparse.
    batch_size, threads : int
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        masks: Sequence[np.ndarray | None],
        sparse_below: float,
        batch_size: int,
        threads: int,
    ):
        self.shapes, self.masks = list(shapes), list(masks)
        self.lanes = lanes_for(batch_size)
        self.patterns = [
            Pattern.from_mask(mask, self.lanes) if mask is not None and np.mean(mask) < sparse_below else None
            for mask in masks
        ]
        self.spots = tiles_for(batch_size, self.lanes) * self.lanes
        self._floats, self._offsets, self._masks = _Places(4), _Places(4), _Places(1)
        self.table = np.zeros((len(shapes), program.FIELDS), np.int64)
        for layer in range(len(shapes)):
            self._place_layer(layer)
        self.batch = self._place_batch(batch_size, threads)
        sparse = [pattern is not None for pattern in self.patterns]
        self.alone = self._bounds(1)
        self.memory = Memory(
            _zeros(self._floats.size, np.float32),
            _zeros(self._offsets.size, np.uint32),
            _zeros(self._masks.size + 1, np.uint8),
            self.table.reshape(-1),
            self._bounds(threads),
            addresses(any(sparse), not all(sparse), len(sparse) > 1),
        )

    def fill(self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
        """Write parameters, patterns and masks; slots are zero already."""
        memory = self.memory
        for row, weight, bias, mask, pattern in zip(
            self.table, weights, biases, self.masks, self.patterns, strict=True
        ):
            _write(memory.floats, row[program.BIAS], bias)
            if pattern is None:
                _write(memory.floats, row[program.WEIGHTS], weight if mask is None else np.where(mask, weight, 0))
                if mask is not None:
                    _write(memory.masks, row[program.MASK], mask)
                continue
            values = pattern.values(weight)
            _write(memory.floats, row[program.WEIGHTS], values)
            _write(memory.offsets, row[program.ROW_STARTS], pattern.rows.starts)
            _write(memory.offsets, row[program.ROW_OFFSETS], pattern.rows.offsets)
            if row[program.MASTER] != row[program.WEIGHTS]:
                _write(memory.floats, row[program.MASTER], pattern.by_column(values))
                _write(memory.offsets, row[program.COLUMN_STARTS], pattern.columns.starts)
                _write(memory.offsets, row[program.COLUMN_OFFSETS], pattern.columns.offsets)
                _write(memory.offsets, row[program.TO_ROW], pattern.to_row)

    def weight(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's weights, pruned ones +0.0."""
        place, pattern = self.table[layer, program.WEIGHTS], self.patterns[layer]
        values = self.memory.floats[place : place + self._size(layer)]
        return values.reshape(self.shapes[layer]).copy() if pattern is None else pattern.dense(values)

    def bias(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's bias."""
        place = self.table[layer, program.BIAS]
        return self.memory.floats[place : place + self.shapes[layer][0]].copy()

    def _size(self, layer: int) -> int:
        pattern = self.patterns[layer]
        return int(np.prod(self.shapes[layer])) if pattern is None else pattern.count

    def _place_layer(self, layer: int) -> None:
        (outputs, inputs), pattern = self.shapes[layer], self.patterns[layer]
        row, size, floats = self.table[layer], self._size(layer), self._floats
        row[[program.INPUTS, program.OUTPUTS, program.SPARSE]] = inputs, outputs, pattern is not None
        for name in (program.WEIGHTS, program.FIRST, program.SECOND):
            row[name] = floats.take(size)
        row[program.MASTER] = row[program.WEIGHTS]
        for name in (program.BIAS, program.BIAS_FIRST, program.BIAS_SECOND, program.BIAS_GRADIENT):
            row[name] = floats.take(outputs)
        if layer < len(self.shapes) - 1:  # the last layer's lie in each thread's own memory
            row[program.OUTPUT] = floats.take(outputs * self.spots)
            row[program.OUTPUT_GRADIENT] = floats.take(outputs * self.spots)
        if pattern is None:
            row[program.INPUT_SAMPLES] = floats.take(self.spots * _whole(inputs)) if layer else 0
            row[program.MASKED] = self.masks[layer] is not None
            row[program.MASK] = self._masks.take(size) if row[program.MASKED] else 0
            return
        row[program.GRADIENT] = floats.take(size)
        row[program.ROW_BLOCKS], row[program.COLUMN_BLOCKS] = pattern.rows.blocks, pattern.columns.blocks
        row[program.ROW_STARTS] = self._offsets.take(pattern.rows.starts.size)
        row[program.ROW_OFFSETS] = self._offsets.take(size)
        if layer:
            row[program.MASTER] = floats.take(size)
            row[program.COLUMN_STARTS] = self._offsets.take(pattern.columns.starts.size)
            row[program.COLUMN_OFFSETS] = self._offsets.take(size)
            row[program.TO_ROW] = self._offsets.take(size)

    def _place_batch(self, batch_size: int, threads: int) -> Batch:
        own, inputs, classes, spots = _Places(4), self.shapes[0][1], self.shapes[-1][0], self.spots
        hidden = max((outputs for outputs, _ in self.shapes[:-1]), default=0) * self.lanes
        sizes = [inputs * spots, _whole(inputs) * spots, spots, classes * spots, classes * spots, spots, spots]
        places = [own.take(size) for size in [*sizes, hidden, hidden]]
        private = self._floats.take(own.size * threads)
        return Batch(len(self.shapes), spots // self.lanes, self.lanes, batch_size, private, own.size, *places)

    def _bounds(self, threads: int) -> np.ndarray:
        """Cut rows and columns of every layer between threads."""
        parts = []
        for (outputs, inputs), pattern in zip(self.shapes, self.patterns, strict=True):
            if pattern is None:
                parts += [even_bounds(outputs, threads, ROWS), even_bounds(inputs, threads, ROWS)]
            else:
                parts += [pattern.row_bounds(threads), pattern.column_bounds(threads)]
        return np.concatenate(parts)


class _Places:
    """Gives places in an arena; every block starts on a cache line."""

    def __init__(self, itemsize: int):
        self.size, self._line = 0, 64 // itemsize

    def take(self, count: int) -> int:
        place = self.size
        self.size += -(-max(count, 1) // self._line) * self._line
        return place


def _whole(features: int) -> int:
    """Round up to whole vectors."""
    return -(-features // LANES) * LANES


def _zeros(size: int, dtype: Any) -> np.ndarray:
    array = empty(size, dtype=dtype)
    array[:] = 0
    return array


def _write(arena: np.ndarray, place: int, values: np.ndarray) -> None:
    arena[place : place + values.size] = np.asarray(values).reshape(-1)
