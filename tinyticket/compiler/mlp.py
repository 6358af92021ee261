"""A fully-connected network, its loss and its optimizer as one compiled training step."""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from tinyticket.compiler import program
from tinyticket.compiler.program import Batch, Data, Memory
from tinyticket.compiler.routines import addresses
from tinyticket.compiler.train import train
from tinyticket.errors import InputError
from tinyticket.kernels.cpu import LANES, empty, lanes_for, settings, tiles_for
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.barrier import SIZE
from tinyticket.kernels.cpu.dense_passes import ROWS
from tinyticket.kernels.cpu.optimizers import RULES
from tinyticket.sparse import Pattern

SPARSE_BELOW = 0.7
"""Density below which a layer's sparse kernels are quicker than its dense ones, on the machine this was measured on."""

_CHUNK = 2**18  # numbers that are looked at together while data are bound


class _Arena:
    """Counts places before memory is taken: every block starts on a cache line."""

    def __init__(self, itemsize: int):
        self.size, self._line = 0, 64 // itemsize

    def take(self, count: int) -> int:
        place = self.size
        self.size += -(-max(count, 1) // self._line) * self._line
        return place


class MLPStep:
    """Training steps of linear layers with ReLU between them, under softmax-cross-entropy.

    Parameters
    ----------
    weights : sequence of arrays of shape (outputs, inputs)
        Starting values, copied; from the first layer to the last.
    biases : sequence of arrays of shape (outputs,)
    masks : sequence of bool arrays or None, optional
        What is pruned stays +0.0.
    batch_size : int
    rule : {"sgd", "momentum", "nesterov", "adam"}
    learning_rate : float
    threads : int, optional
        All that Numba may use if not given. Results have the same bits for any number.
    sparse_below : float
        Layers of less density run sparse.
    **options
        The other arguments of `kernels.cpu.settings`.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        masks: Sequence[np.ndarray | None] | None = None,
        *,
        batch_size: int,
        rule: str = "adam",
        learning_rate: float = 1e-3,
        threads: int | None = None,
        sparse_below: float = SPARSE_BELOW,
        **options: Any,
    ):
        self.masks = [None] * len(weights) if masks is None else list(masks)
        self.batch_size, self.rule = batch_size, rule
        self.threads = min(threads or numba.get_num_threads(), numba.get_num_threads())
        self.steps_taken = 0
        self._options = {"learning_rate": learning_rate, **options}
        self._lanes = lanes_for(batch_size)
        self._patterns = [
            Pattern.from_mask(mask, self._lanes) if mask is not None and np.mean(mask) < sparse_below else None
            for mask in self.masks
        ]
        self._plan([w.shape for w in weights])
        self._fill(weights, biases)
        self._results, self._meeting = np.zeros((1, 2)), empty(SIZE, dtype=np.int64)
        self._scalars = np.zeros((1, 8), np.float32)

    def _plan(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Give everything its place."""
        floats, offsets, masks = _Arena(4), _Arena(4), _Arena(1)
        lanes, tiles = self._lanes, tiles_for(self.batch_size, self._lanes)
        spots = tiles * lanes
        table = np.zeros((len(shapes), program.FIELDS), np.int64)
        for layer, ((outputs, inputs), pattern) in enumerate(zip(shapes, self._patterns, strict=True)):
            row = table[layer]
            row[[program.INPUTS, program.OUTPUTS, program.SPARSE]] = inputs, outputs, pattern is not None
            size = outputs * inputs if pattern is None else pattern.count
            for field in (program.WEIGHTS, program.FIRST, program.SECOND):
                row[field] = floats.take(size)
            row[program.MASTER] = row[program.WEIGHTS]
            for field in (program.BIAS, program.BIAS_FIRST, program.BIAS_SECOND, program.BIAS_GRADIENT):
                row[field] = floats.take(outputs)
            row[program.OUTPUT], row[program.OUTPUT_GRADIENT] = (floats.take(outputs * spots) for _ in range(2))
            if pattern is None:
                row[program.INPUT_SAMPLES] = floats.take(spots * _whole(inputs)) if layer else 0
                row[program.MASKED] = self.masks[layer] is not None
                row[program.MASK] = masks.take(size) if row[program.MASKED] else 0
                continue
            row[program.GRADIENT] = floats.take(size)
            row[program.ROW_BLOCKS], row[program.COLUMN_BLOCKS] = pattern.rows.blocks, pattern.columns.blocks
            row[program.ROW_STARTS] = offsets.take(pattern.rows.starts.size)
            row[program.ROW_OFFSETS] = offsets.take(size)
            if layer:
                row[program.MASTER] = floats.take(size)
                row[program.COLUMN_STARTS] = offsets.take(pattern.columns.starts.size)
                row[program.COLUMN_OFFSETS], row[program.TO_ROW] = (offsets.take(size) for _ in range(2))
        own, inputs, classes = _Arena(4), shapes[0][1], shapes[-1][0]
        places = [
            own.take(n) for n in (inputs * spots, _whole(inputs) * spots, spots, *[classes * spots] * 2, spots, spots)
        ]
        private = floats.take(own.size * self.threads)
        self._batch = Batch(len(shapes), tiles, lanes, self.batch_size, private, own.size, *places)
        self._table = table
        bounds, alone = self._bounds(shapes, self.threads), self._bounds(shapes, 1)
        self._alone = alone
        sparse = [pattern is not None for pattern in self._patterns]
        routines = addresses(any(sparse), not all(sparse), len(sparse) > 1)
        self._memory = Memory(
            _zeros(floats.size, np.float32),
            _zeros(offsets.size, np.uint32),
            _zeros(masks.size + 1, np.uint8),
            table.reshape(-1),
            bounds,
            routines,
        )

    def _bounds(self, shapes: Sequence[tuple[int, ...]], threads: int) -> np.ndarray:
        """Cut rows and columns of every layer between threads."""
        parts = []
        for (outputs, inputs), pattern in zip(shapes, self._patterns, strict=True):
            if pattern is None:
                parts += [even_bounds(outputs, threads, ROWS), even_bounds(inputs, threads, ROWS)]
            else:
                parts += [pattern.row_bounds(threads), pattern.column_bounds(threads)]
        return np.concatenate(parts)

    def _fill(self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
        memory = self._memory
        for layer, (weight, bias, mask, pattern) in enumerate(
            zip(weights, biases, self.masks, self._patterns, strict=True)
        ):
            row = self._table[layer]
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
            if layer:
                _write(memory.floats, row[program.MASTER], pattern.by_column(values))
                _write(memory.offsets, row[program.COLUMN_STARTS], pattern.columns.starts)
                _write(memory.offsets, row[program.COLUMN_OFFSETS], pattern.columns.offsets)
                _write(memory.offsets, row[program.TO_ROW], pattern.to_row)

    def bind(self, examples: np.ndarray, labels: np.ndarray) -> Data:
        """Bring a data set into the form that steps read: float32, flat, labels as float32."""
        examples = np.ascontiguousarray(examples, np.float32)
        if examples.ndim != 2 or examples.shape[1] != self._table[0, program.INPUTS] or len(labels) != len(examples):
            raise InputError(f"data of shape {examples.shape} with {len(labels)} labels does not fit the first layer")
        wide = np.ascontiguousarray(labels, np.float32)
        pixels = _as_pixels(examples)
        if pixels is None:
            return Data(examples.reshape(-1), np.zeros(1, np.uint8), False, wide, len(examples))
        return Data(np.zeros(1, np.float32), pixels, True, wide, len(examples))

    def __call__(self, data: Data, indices: np.ndarray) -> float:
        """Take one step on the samples that `indices`, an int64 array of the batch size, names; return the loss."""
        return float(self.run(data, indices.reshape(1, -1))[0, 0])

    def run(self, data: Data, indices: np.ndarray) -> np.ndarray:
        """Take a step for each row of `indices`; return each one's loss and number of correct answers."""
        steps, size = indices.shape
        if size != self.batch_size:
            raise InputError(f"a batch of {size} indices, but the step was compiled for {self.batch_size}")
        if steps != len(self._results):
            self._results, self._scalars = np.zeros((steps, 2)), np.zeros((steps, 8), np.float32)
        for i in range(steps):
            self._scalars[i] = settings(self.rule, self.steps_taken + i + 1, **self._options)
        if not train(
            self._memory, self._alone, self._batch, data, indices.reshape(-1), steps, RULES[self.rule],
            self._scalars.reshape(-1), self._results.reshape(-1), self._meeting, self.threads,
        ):  # fmt: skip
            raise InputError(f"indices must be from 0 to {data.count - 1}")
        self.steps_taken += steps
        return self._results

    def weight(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's weights, pruned ones +0.0."""
        row, pattern = self._table[layer], self._patterns[layer]
        outputs, inputs = int(row[program.OUTPUTS]), int(row[program.INPUTS])
        size = outputs * inputs if pattern is None else pattern.count
        values = self._memory.floats[row[program.WEIGHTS] :][:size]
        return values.reshape(outputs, inputs).copy() if pattern is None else pattern.dense(values)

    def bias(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's bias."""
        row = self._table[layer]
        return self._memory.floats[row[program.BIAS] :][: row[program.OUTPUTS]].copy()


def _whole(features: int) -> int:
    return -(-features // LANES) * LANES


def _zeros(size: int, dtype: Any) -> np.ndarray:
    array = empty(size, dtype=dtype)
    array[:] = 0
    return array


def _write(arena: np.ndarray, place: int, values: np.ndarray) -> None:
    arena[place : place + values.size] = np.asarray(values).reshape(-1)


def _as_pixels(examples: np.ndarray) -> np.ndarray | None:
    """Return the bytes that give exactly these examples when divided by 255, and sixteen more; None if there are none.

    Gathering a batch is a good part of a sparse step, and bytes are a quarter of the memory traffic.
    """
    pixels = np.zeros(examples.size + LANES, np.uint8)
    flat = examples.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        scaled = np.rint(chunk * np.float32(255))
        if not (scaled.min() >= 0 and scaled.max() <= 255 and np.array_equal(scaled / np.float32(255), chunk)):
            return None
        pixels[start : start + chunk.size] = scaled
    return pixels
