"""Any network that a graph describes, its loss and its optimizer as one compiled training step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinyticket.compiler.network.arena import place_blocks
from tinyticket.compiler.network.checks import check_batch, check_data, check_examples, check_indices
from tinyticket.compiler.network.draw import draw_kept
from tinyticket.compiler.network.graph import Graph
from tinyticket.compiler.network.layout import Layout
from tinyticket.compiler.network.passes import Masks, write_gradients, write_passes
from tinyticket.compiler.network.program import Block, Context, Row, bounds, table
from tinyticket.compiler.network.routines import ROUTINES
from tinyticket.compiler.network.walk import walk
from tinyticket.compiler.places import Places, write
from tinyticket.compiler.score import Score
from tinyticket.kernels.cpu import LANES, empty, settings
from tinyticket.kernels.cpu.vector.barrier import SIZE
from tinyticket.kernels.cpu.optimizers import RULES, SLOTS
from tinyticket.kernels.cpu.threads import available_threads, thread_count
from tinyticket.nn import Buffer, Parameter

_NO_CROPS, _NO_PIXELS, _NO_FLOATS = np.zeros(3, np.int64), np.zeros(1, np.uint8), np.zeros(1, np.float32)
_NO_RESULTS = np.zeros(2)

FROM_ZERO = -settings("sgd", 1, 1.0)
"""The rate by which SGD makes a gradient of a zero."""


class Images(NamedTuple):
    """A data set in the form that steps read."""

    examples: np.ndarray  # float32, flat; one number if there are pixels
    pixels: np.ndarray  # uint8, flat; one number if there are examples
    as_pixels: bool
    mean: np.ndarray  # of each channel's pixels
    std: np.ndarray
    labels: np.ndarray  # float32
    size: int  # how many examples


class Program(NamedTuple):
    """Rows, and what the compiled function reads of them, for some threads and for one."""

    rows: list[Row]
    table: np.ndarray
    bounds: np.ndarray
    alone: np.ndarray


class NetworkStep:
    """Training steps of a network under softmax-cross-entropy.

    Parameters
    ----------
    graph : Graph
        Laid out.
    masks : mapping of Parameter to bool array
        What is pruned stays +0.0.
    sparse : set of Parameter
        Weights that run sparse; they have masks.
    batch_size : int
        The largest batch.
    rule : {"sgd", "momentum", "nesterov", "adam"}
    threads : int, optional
        All that Numba may use if not given. Results have the same bits for any number.
    gradients : bool
        Whether there is to be room for `dense_gradients`.
    penalties : mapping of Parameter to float, optional
        Strengths of L1 penalties, of parameters but the weights of linear layers.
    **options
        Further arguments of `kernels.cpu.settings`, apart from the learning rate.
    """

    def __init__(
        self,
        graph: Graph,
        masks: Mapping[Parameter, np.ndarray | None],
        sparse: set[Parameter],
        *,
        batch_size: int,
        rule: str = "adam",
        threads: int | None = None,
        gradients: bool = False,
        penalties: Mapping[Parameter, float] | None = None,
        **options: Any,
    ):
        settings(rule, 1, 1e-3, **options)  # says what is wrong with them
        self.graph, self.batch_size, self.steps_taken = graph, batch_size, 0
        self.threads = thread_count(threads)
        self._rule, self._options = rule, options
        self._meeting = empty(SIZE, dtype=np.int64)
        self._layout = Layout(graph, masks, sparse, SLOTS[RULES[rule]], batch_size)
        self._passes = write_passes(self._layout, penalties or {})
        self._gradients = write_gradients(self._layout) if gradients else None
        places = Places(4)
        places.take(LANES)  # addresses a little before the first place stay inside
        place_blocks(places, self._passes.training)
        if self._gradients:  # whose values have their places: for the blocks that are its own
            place_blocks(places, self._gradients.rows)
        self.floats = places.zeros(np.float32)
        self.offsets, self.bytes = self._layout.offsets.zeros(np.uint32), self._layout.bytes.zeros(np.uint8)
        for weights in self._layout.weights.values():
            weights.write_pattern(self.offsets, self.bytes)
        self._layout.write_constants(self.floats)
        self._training, self._evaluation = self._program(self._passes.training), self._program(self._passes.evaluation)
        self._prediction = self._program(self._passes.prediction)
        self._backward = self._program(self._gradients.rows) if self._gradients else None

    def _program(self, rows: list[Row]) -> Program:
        addresses = {name: ROUTINES[name].address for name in {row.routine for row in rows}}
        return Program(rows, table(rows, addresses), bounds(rows, self.threads), bounds(rows, 1))

    def _cut(self, program: Program) -> Program:
        """Cut the work of a program anew between threads."""
        return program._replace(bounds=bounds(program.rows, self.threads), alone=bounds(program.rows, 1))

    # -- what it holds

    def write(self, state: Mapping[Parameter, Sequence[np.ndarray]], steps_taken: int = 0) -> None:
        """Take over every parameter's values, followed by its slots, and the running statistics from the buffers."""
        self.steps_taken = steps_taken
        for parameter, arrays in state.items():
            self._layout.weights[parameter].write(self.floats, arrays)
        for buffer, block in self._layout.buffers.items():
            write(self.floats, block.place, buffer.data)

    def read(self, parameter: Parameter) -> list[np.ndarray]:
        """Return copies of a parameter's values and its slots."""
        return self._layout.weights[parameter].read(self.floats)

    def weight(self, parameter: Parameter) -> np.ndarray:
        """Return a copy of a parameter's values alone."""
        return self._layout.weights[parameter].value(self.floats)

    def change_masks(self, masks: Mapping[Parameter, np.ndarray]) -> set[Parameter]:
        """Put masks of as many survivors in the place of those that there are; return the parameters that had such ones.

        Of those, what stays keeps value and slots, and what is new starts at +0.0; everything else stays as it is.
        """
        changed = set()
        for parameter, mask in masks.items():
            weights = self._layout.weights[parameter]
            if weights.mask is not None and np.count_nonzero(mask) == np.count_nonzero(weights.mask):
                weights.change_mask(mask, self.floats, self.offsets, self.bytes)
                changed.add(parameter)
        if changed:
            self._training, self._evaluation = self._cut(self._training), self._cut(self._evaluation)
            self._prediction = self._cut(self._prediction)
            self._backward = self._cut(self._backward) if self._backward else None
        return changed

    def read_buffer(self, buffer: Buffer) -> np.ndarray:
        """Return a copy of a running statistic."""
        return self._part(self._layout.buffers[buffer]).copy()

    # -- data

    def bind(self, examples: Any, labels: np.ndarray) -> Images:
        """Bring a data set into the form that steps read: float32, or bytes with each channel's mean and deviation."""
        check_data(self.graph, examples, labels)
        return self._images(examples, np.array(labels, np.float32))

    def _images(self, examples: Any, wide: np.ndarray) -> Images:
        start, count = self.graph.start, len(examples)
        if isinstance(pixels := getattr(examples, "pixels", None), np.ndarray) and start.height * start.width > 1:
            return Images(_NO_FLOATS, _flat(pixels, np.uint8), True, examples.mean, examples.std, wide, count)
        return Images(_flat(examples, np.float32), _NO_PIXELS, False, _NO_FLOATS, _NO_FLOATS, wide, count)

    # -- training and evaluation

    def step(self, data: Images, indices: np.ndarray, learning_rate: float, draws: np.ndarray | None = None) -> float:
        """Take one step on the examples that `indices` (int64) name, at most the batch size; return the loss.

        Parameters
        ----------
        data : Images
        indices : int64 array of shape (samples,)
        learning_rate : float
        draws : int64 array of shape (samples, 3), optional
            How every image is shifted and whether it is mirrored: what `data.augment` takes.
        """
        check_batch(self.graph, indices.size, self.batch_size)
        check_indices(indices, data.size)
        self._draw(self._passes.masks, indices.size)
        scalars = settings(self._rule, self.steps_taken + 1, learning_rate, **self._options)
        results = np.zeros(2)
        self._walk(self._training, self._context(data, indices, scalars, results, draws))
        self.steps_taken += 1
        return float(results[0]) / indices.size

    def run(
        self,
        data: Images,
        indices: np.ndarray,
        learning_rates: Sequence[float],
        draws: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take a step for each row of `indices`, with its own learning rate and draws; return each one's loss."""
        losses = [
            self.step(data, batch, rate, None if draws is None else draws[i])
            for i, (batch, rate) in enumerate(zip(indices, learning_rates, strict=True))
        ]
        return np.array(losses)

    def dense_gradients(self, data: Images) -> tuple[float, dict[Parameter, np.ndarray]]:
        """Return the mean loss of a batch and the gradients of all parameters, those of pruned weights included.

        Nothing is updated; dropout draws as in a step. The step was made with `gradients`, and the batch is one that it takes.
        """
        assert self._gradients is not None
        assert self._backward is not None
        indices, results = np.arange(data.size), np.zeros(2)
        check_batch(self.graph, indices.size, self.batch_size)
        self._draw(self._gradients.masks, indices.size)
        running = {buffer: self.read_buffer(buffer) for buffer in self._layout.buffers}
        whole = {parameter: self._part(block) for parameter, block in self._gradients.whole.items()}
        for gradient in whole.values():
            gradient[:] = 0  # of linear layers it is what an update makes of zeros
        context = self._context(data, indices, FROM_ZERO, results, None)._replace(rule=RULES["sgd"])
        self._walk(self._backward, context)
        for buffer, before in running.items():
            write(self.floats, self._layout.buffers[buffer].place, before)
        found = {parameter: self._part(weights.gradient) for parameter, weights in self._layout.weights.items()}
        gradients = {parameter: part.reshape(parameter.shape).copy() for parameter, part in (found | whole).items()}
        return float(results[0]) / indices.size, gradients

    def _part(self, block: Block) -> np.ndarray:
        """Return a piece of the arena."""
        return self.floats[block.place : block.place + block.size]

    def evaluate(self, data: Images, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = np.arange(data.size) if indices is None else np.ascontiguousarray(indices, np.int64)
        check_indices(chosen, data.size)
        sums = np.zeros((-(-chosen.size // self.batch_size), 2))
        for i, total in enumerate(sums):
            batch = chosen[i * self.batch_size : (i + 1) * self.batch_size]
            self._walk(self._evaluation, self._context(data, batch, _NO_FLOATS, total, None))
        loss, correct = sums.sum(axis=0)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def predict(self, x: Any) -> np.ndarray:
        """Return the logits of any number of examples, float32 of shape (examples, classes)."""
        check_examples(self.graph, x)
        data, block, classes = self._images(x, _NO_FLOATS), self._passes.logits, self.graph.output.channels
        start, tiles = block.place + block.origin, self._layout.tiles
        packed = self.floats[start : start + tiles * classes * LANES].reshape(tiles, classes, LANES)
        logits = np.empty((len(x), classes), np.float32)
        for first in range(0, len(x), self.batch_size):
            part = logits[first : first + self.batch_size]
            indices = np.arange(first, first + len(part))
            self._walk(self._prediction, self._context(data, indices, _NO_FLOATS, _NO_RESULTS, None))
            part[:] = packed.transpose(0, 2, 1).reshape(-1, classes)[: len(part)]
        return logits

    def profile(self, data: Images, indices: np.ndarray) -> list[tuple[Row, float]]:
        """Take a training step row by row, on one thread, and return the seconds that each took; values are as good as lost."""
        context = self._context(data, indices, settings(self._rule, 1, 0.0, **self._options), np.zeros(2), None)
        rows = self._passes.training
        tables, shares = (part.reshape(len(rows), -1) for part in (self._training.table, self._training.alone))
        times = []
        for row, line, share in zip(rows, tables, shares, strict=True):
            start = time.perf_counter()
            walk(context, line, share, share, self._meeting, 1)
            times.append((row, time.perf_counter() - start))
        return times

    def _context(
        self, data: Images, indices: np.ndarray, scalars: np.ndarray, results: np.ndarray, draws: np.ndarray | None
    ) -> Context:
        """Say what every row of a program is given."""
        return Context(
            self.floats,
            self.offsets,
            self.bytes,
            data.examples,
            data.pixels,
            data.as_pixels,
            data.mean,
            data.std,
            data.labels,
            np.ascontiguousarray(indices, np.int64),
            _NO_CROPS if draws is None else np.ascontiguousarray(draws, np.int64).reshape(-1),
            draws is not None,
            indices.size,
            RULES[self._rule],
            scalars,
            results,
        )

    def _walk(self, program: Program, context: Context) -> None:
        if available_threads() < self.threads:  # fewer than there were: do not wait for threads that cannot come
            walk(context, program.table, program.alone, program.alone, self._meeting, 1)
        else:
            walk(context, program.table, program.bounds, program.alone, self._meeting, self.threads)

    def _draw(self, masks: Masks, samples: int) -> None:
        """Draw the masks of dropout as eager layers do, and pack them."""
        for operation, place in masks:
            size, tiles = operation.inputs[0].size, self._layout.tiles
            padded = np.zeros((tiles * LANES, size), np.uint8)
            padded[:samples] = draw_kept(operation, samples)
            write(self.bytes, place, padded.reshape(tiles, LANES, size).transpose(0, 2, 1))


def _flat(array: Any, kind: Any) -> np.ndarray:
    """Return an array flat, C-contiguous and writable: anything else would be another type to Numba."""
    flat = np.ascontiguousarray(array, kind).reshape(-1)
    return flat if flat.flags.writeable else flat.copy()
