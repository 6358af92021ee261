"""Where everything lies: the arenas of a network, laid out before anything is allocated, and filled and read afterwards.

Parameters, slots, gradients and activations share one array of float32, so that a checkpoint is one copy. A new mask
makes a new plan; nothing is compiled again.
"""

from collections.abc import Sequence

import numpy as np

from tinyticket.compiler.mlp import program
from tinyticket.compiler.mlp.program import Batch, Memory
from tinyticket.compiler.mlp.routines import addresses
from tinyticket.compiler.places import Places, write
from tinyticket.kernels.cpu import LANES, lanes_for, tiles_for
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.dense_passes import ROWS
from tinyticket.sparse import Pattern


class Plan:
    """The memory of a fully-connected network and its batch.

    Parameters
    ----------
    shapes : sequence of (outputs, inputs)
    masks : sequence of bool arrays or None
    sparse : sequence of bool
        Which layers run sparse; they have masks.
    biased : sequence of bool
        Which layers have a bias.
    slots : int
        How many arrays the optimizer remembers of each parameter.
    batch_size, threads : int
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        masks: Sequence[np.ndarray | None],
        sparse: Sequence[bool],
        biased: Sequence[bool],
        slots: int,
        batch_size: int,
        threads: int,
    ):
        self.shapes, self.masks, self.biased, self.slots = list(shapes), list(masks), list(biased), slots
        self.lanes = lanes_for(batch_size)
        self.patterns = [
            Pattern.from_mask(mask, self.lanes) if run_sparse else None
            for mask, run_sparse in zip(masks, sparse, strict=True)
        ]
        self.spots = tiles_for(batch_size, self.lanes) * self.lanes
        self._floats, self._offsets, self._masks = Places(4), Places(4), Places(1)
        self.table = np.zeros((len(shapes), program.FIELDS), np.int64)
        for layer in range(len(shapes)):
            self._place_layer(layer)
        self.batch = self._place_batch(batch_size, threads)
        self.alone, self._threads = self._bounds(1), threads
        self.memory = Memory(
            self._floats.zeros(np.float32),
            self._offsets.zeros(np.uint32),
            self._masks.zeros(np.uint8),
            self.table.reshape(-1),
            self._bounds(threads),
            addresses(any(sparse), not all(sparse), len(sparse) > 1),
        )

        self._write_patterns()

    def _write_patterns(self) -> None:
        for layer, (mask, pattern) in enumerate(zip(self.masks, self.patterns, strict=True)):
            if pattern is not None:
                self._write_pattern(layer, pattern)
            elif mask is not None:
                write(self.memory.masks, self.table[layer, program.MASK], mask)

    def _write_pattern(self, layer: int, pattern: Pattern) -> None:
        offsets, row = self.memory.offsets, self.table[layer]
        write(offsets, row[program.ROW_STARTS], pattern.rows.starts)
        write(offsets, row[program.ROW_OFFSETS], pattern.rows.offsets)
        if self._in_columns(layer):
            write(offsets, row[program.COLUMN_STARTS], pattern.columns.starts)
            write(offsets, row[program.COLUMN_OFFSETS], pattern.columns.offsets)
            write(offsets, row[program.TO_ROW], pattern.to_row)

    def change_mask(self, layer: int, mask: np.ndarray) -> bool:
        """Put another mask in the place of a layer's; false, and nothing is done, if it has another number of survivors.

        As many survivors need as much memory: values and slots of those that stay move to their new places, those of new ones
        are +0.0, and all else of the arena stays as it is.
        """
        now, before, in_columns = self.masks[layer], self.patterns[layer], self._in_columns(layer)
        if now is None or np.count_nonzero(mask) != np.count_nonzero(now):
            return False
        self.masks[layer] = mask
        if before is None:
            write(self.memory.masks, self.table[layer, program.MASK], mask)
            for place in self._weight_places(layer)[: 1 + self.slots]:
                self.memory.floats[place : place + mask.size][~mask.reshape(-1)] = 0
            return True
        after, floats = before.of(mask), self.memory.floats
        for place in self._weight_places(layer)[: 1 + self.slots]:
            old = floats[place : place + before.count]
            old[:] = after.moved(old, before, in_columns)
        if in_columns:
            master = self.table[layer, program.MASTER]
            write(floats, self.table[layer, program.WEIGHTS], after.by_row(floats[master : master + after.count]))
        self.patterns[layer] = after
        self._write_pattern(layer, after)
        self.memory.bounds[:], self.alone[:] = self._bounds(self._threads), self._bounds(1)
        return True

    def weight(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's weight alone; pruned places are +0.0."""
        pattern, values = self.patterns[layer], self._take(self.table[layer, program.WEIGHTS], self._size(layer))
        return values.reshape(self.shapes[layer]) if pattern is None else pattern.dense(values)

    def bias(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's bias, zeros if it has none."""
        return self._take(self.table[layer, program.BIAS], self.shapes[layer][0])

    def _in_columns(self, layer: int) -> bool:
        """Whether the optimizer's copy of a sparse layer lies column by column."""
        return bool(self.table[layer, program.MASTER] != self.table[layer, program.WEIGHTS])

    def write(self, layer: int, weight: Sequence[np.ndarray], bias: Sequence[np.ndarray]) -> None:
        """Write a layer's parameters, each followed by its slots; what is missing becomes zero, and so does what is pruned."""
        row, floats, pattern, mask = self.table[layer], self.memory.floats, self.patterns[layer], self.masks[layer]
        for place, value in zip(self._bias_places(layer), _padded(bias, np.zeros(self.shapes[layer][0])), strict=True):
            write(floats, place, value)
        values = _padded(weight, np.zeros(self.shapes[layer]))
        if pattern is None:
            for place, value in zip(self._weight_places(layer), values, strict=True):
                write(floats, place, value if mask is None else np.where(mask, value, np.float32(0)))
            return
        survivors = [pattern.values(value) for value in values]
        write(floats, row[program.WEIGHTS], survivors[0])
        for place, value in zip(self._weight_places(layer), survivors, strict=True):
            write(floats, place, pattern.by_column(value) if self._in_columns(layer) else value)

    def read(self, layer: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return copies of a layer's weight and bias, each followed by its slots; pruned places are +0.0."""
        pattern, (outputs, _) = self.patterns[layer], self.shapes[layer]
        flat = [self._take(place, self._size(layer)) for place in self._weight_places(layer)[: 1 + self.slots]]
        if pattern is None:
            weights = [values.reshape(self.shapes[layer]) for values in flat]
        else:
            in_columns = self._in_columns(layer)
            weights = [pattern.dense(pattern.by_row(values) if in_columns else values) for values in flat]
        return weights, [self._take(place, outputs) for place in self._bias_places(layer)[: 1 + self.slots]]

    def _take(self, place: int, size: int) -> np.ndarray:
        return self.memory.floats[place : place + size].copy()

    def _weight_places(self, layer: int) -> list[int]:
        return [int(self.table[layer, field]) for field in (program.MASTER, program.FIRST, program.SECOND)]

    def _bias_places(self, layer: int) -> list[int]:
        return [int(self.table[layer, field]) for field in (program.BIAS, program.BIAS_FIRST, program.BIAS_SECOND)]

    def _size(self, layer: int) -> int:
        pattern = self.patterns[layer]
        return int(np.prod(self.shapes[layer])) if pattern is None else pattern.count

    def _place_layer(self, layer: int) -> None:
        (outputs, inputs), pattern = self.shapes[layer], self.patterns[layer]
        row, size, floats = self.table[layer], self._size(layer), self._floats
        row[[program.INPUTS, program.OUTPUTS, program.SPARSE]] = inputs, outputs, pattern is not None
        for name in (program.WEIGHTS, program.FIRST, program.SECOND):
            row[name] = floats.take(size)
        row[program.MASTER], row[program.BIASED] = row[program.WEIGHTS], self.biased[layer]
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
        own, inputs, classes, spots = Places(4), self.shapes[0][1], self.shapes[-1][0], self.spots
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


def _padded(arrays: Sequence[np.ndarray], zeros: np.ndarray) -> list[np.ndarray]:
    """Return a parameter and its two slots, zeros for those that there are not."""
    return [*arrays, *[zeros] * (3 - len(arrays))]


def _whole(features: int) -> int:
    """Round up to whole vectors."""
    return -(-features // LANES) * LANES
