"""A network, its loss and its optimizer as one compiled training step on a device."""

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler import lower
from tinyticket.compiler.calls import Score, check_batch, check_data, check_examples, check_indices, draw_masks
from tinyticket.compiler.cuda.arena import LINE, Arena
from tinyticket.compiler.cuda.feeds import CudaData, Feeds, padded
from tinyticket.compiler.cuda.launches import Arrays, scratch_size
from tinyticket.compiler.cuda.layout import CudaLayout
from tinyticket.compiler.cuda.program import Program, ordered
from tinyticket.compiler.graph import Graph
from tinyticket.compiler.layout import Values
from tinyticket.compiler.op import Block, Op
from tinyticket.compiler.schedule import Places, held, place
from tinyticket.data.sparse_inputs import is_sparse
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.update import RULES, SLOTS, scalars_of
from tinyticket.kernels.cuda.memory import device_memory, upload, zeros
from tinyticket.kernels.cuda.toolkit import simulated
from tinyticket.kernels.geometry import DRAWN
from tinyticket.nn import Buffer, Parameter

log = logging.getLogger(__name__)

FED_AT_MOST = 1 << 28
"""Bytes of indices, draws and dropout's masks that are uploaded at once; longer calls are cut, and wait for the device there."""


class CudaStep:
    """Training steps of a network under softmax-cross-entropy on a device; methods and parameters as for `CpuStep`.

    The host waits for the device once a `run` and once an `evaluate`: when it fetches their results. If the device's memory is
    exhausted, all methods raise DeviceMemoryError.
    """

    takes_draws, turns, subnormals = True, "batch", "kept"

    def __init__(
        self,
        graph: Graph,
        masks: Mapping[Parameter, np.ndarray | None],
        sparse: set[Parameter],
        *,
        batch_size: int,
        rule: str = "adam",
        **options: Any,
    ):
        scalars_of(rule, 1, 1e-3, **options)  # raises InputError where they make no sense
        self.graph, self.batch_size, self.steps_taken = graph, batch_size, 0
        self._rule, self._options = rule, options
        self._layout = layout = CudaLayout(graph, masks, sparse, SLOTS[RULES[rule]], batch_size)
        values, lanes = Values(layout, layout.tiles, private=False), layout.lanes
        trained, evaluated = lower.training(layout, values, RULES[rule], {}), lower.evaluation(layout, values)
        self._logits = values.value(graph.output)
        self._kept, self._kept_size = trained.kept, trained.kept_size
        both = {"indices": (np.int32, lanes), "results": (np.float32, 2)}
        drawn = {"draws": (np.int32, DRAWN * lanes), "kept": (np.uint8, self._kept_size)}
        self._fed, self._asked = Feeds(**both, **drawn, scalars=(np.float32, 8)), Feeds(**both)
        _announce()
        with device_memory("a training step"):
            self._place(ordered(trained), ordered(evaluated))

    def _place(self, training: list[Op], evaluation: list[Op]) -> None:
        """Allocate the memory of both programs.

        An evaluation's last batch may be smaller: it has a program with a state of its own, so that nobody waits to change it.
        """
        layout, places, ops = self._layout, Places(LINE), [*training, *evaluation]
        for each in layout.weights.values():
            held(each.slot_blocks, places)
        held(layout.buffers.values(), places)
        front = places.sizes[np.float32, False]
        scratch = Block(max(scratch_size(op.job, layout.lanes) for op in ops))
        held([scratch], places)
        place(places, training)
        place(places, evaluation)
        self._arena = Arena(places, front, dict.fromkeys(block for op in ops for block in op.blocks))
        for weights in layout.weights.values():
            if weights.masked:
                self._arena[weights.mask_bytes].copy_to_device(np.ascontiguousarray(weights.mask, np.uint8).reshape(-1))
        self._state, self._last_state = (upload(np.zeros(2, np.int32)) for _ in range(2))
        shared = zeros(layout.lanes, np.int32), scratch, self._kept_size
        fed = Arrays(layout, self._arena, self._fed, self._state, *shared)
        asked, last = (Arrays(layout, self._arena, self._asked, s, *shared) for s in (self._state, self._last_state))
        self._training, self._evaluation = Program(training, fed), Program(evaluation, asked)
        self._last = Program(evaluation, last)

    # -- what it holds

    def write(self, state: Mapping[Parameter, Sequence[np.ndarray]], steps_taken: int = 0) -> None:
        """Take over every parameter's values, followed by its slots, and the running statistics from the buffers."""
        self.steps_taken, self._arena.host_is_current = steps_taken, True  # it is written as a whole
        for parameter, arrays in state.items():
            self._layout.weights[parameter].write(self._arena.held, arrays)
        for buffer, block in self._layout.buffers.items():
            self._arena.held(block)[:] = buffer.data
        self._arena.upload()

    def read(self, parameter: Parameter) -> list[np.ndarray]:
        """Return copies of a parameter's values and its slots."""
        return self._layout.weights[parameter].read(self._arena.held)

    def weight(self, parameter: Parameter) -> np.ndarray:
        """Return a copy of a parameter's values alone."""
        return self._layout.weights[parameter].value(self._arena.held)

    def read_buffer(self, buffer: Buffer) -> np.ndarray:
        """Return a copy of a running statistic."""
        return self._arena.held(self._layout.buffers[buffer]).copy()

    def change_masks(self, masks: Mapping[Parameter, np.ndarray]) -> set[Parameter]:
        """Return nothing: masks change by a new step, whose launches cost little beside the copies of a device's memory."""
        return set()

    def bind(self, examples: Any, labels: np.ndarray) -> CudaData:
        """Bring a data set to the device: float32, or bytes with each channel's mean and deviation."""
        if is_sparse(examples):
            raise InputError("a device takes dense examples, not a sparse matrix, with which the CPU trains")
        check_data(self.graph, examples, labels)
        return CudaData(examples, labels, images=self.graph.start.height * self.graph.start.width > 1)

    # -- training and evaluation

    def step(self, data: CudaData, indices: np.ndarray, learning_rate: float, draws: np.ndarray | None = None) -> float:
        """Take one step on the examples that `indices` name, at most the batch size; return the loss."""
        alone = None if draws is None else draws[None]
        return float(self.run(data, np.asarray(indices)[None], [learning_rate], alone)[0])

    def run(
        self, data: CudaData, indices: np.ndarray, learning_rates: Sequence[float], draws: np.ndarray | None = None
    ) -> np.ndarray:
        """Take a step for each row of `indices`, with its own learning rate and draws; return each one's loss."""
        indices = np.asarray(indices)
        check_batch(self.graph, indices.shape[1], self.batch_size)
        check_indices(indices, data.size)
        most = max(1, FED_AT_MOST // self._fed.bytes_a_turn)
        losses = []
        for start in range(0, len(indices), most):
            part = slice(start, start + most)
            given = None if draws is None else draws[part]
            losses.append(self._run(data, indices[part], learning_rates[part], given))
        return np.concatenate(losses)

    def _run(self, data: CudaData, indices: np.ndarray, rates: Sequence[float], draws: np.ndarray | None) -> np.ndarray:
        fed, lanes, (turns, samples) = self._fed, self._layout.lanes, indices.shape
        with device_memory("a training step"):
            _reserve(fed, turns, self._training)
            taken = enumerate(rates, self.steps_taken + 1)
            fed.write("indices", padded(indices, lanes))
            fed.write("scalars", np.array([scalars_of(self._rule, *each, **self._options) for each in taken]))
            if draws is not None:
                fed.write("draws", padded(draws, lanes))
            if self._kept:
                drawn = draw_masks(self._kept, self._kept_size, turns, samples, turns=1, tiles=1, lanes=lanes)
                fed.write("kept", drawn)
            self._state.copy_to_device(np.array([0, samples], np.int32))
            graph = self._training.graph(data, augmented=draws is not None)
            self._arena.host_is_current = False
            for _ in range(turns):
                graph.run()
                self.steps_taken += 1
            return fed.read("results", turns)[:, 0].astype(np.float64) / samples

    def evaluate(self, data: CudaData, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = np.arange(data.size) if indices is None else np.asarray(indices)
        check_indices(chosen, data.size)
        with device_memory("an evaluation"):
            turns = sum(1 for _ in self._evaluated(data, chosen))
            loss, correct = self._asked.read("results", turns).sum(axis=0, dtype=np.float64)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def predict(self, x: Any) -> np.ndarray:
        """Return the logits of any number of examples, float32 of shape (examples, classes); waits once a batch."""
        check_examples(self.graph, x)
        classes = self.graph.output.channels
        logits, start = np.empty((len(x), classes), np.float32), 0
        if not len(x):  # a device has no empty arrays
            return logits
        with device_memory("a prediction"):
            data = self.bind(x, np.zeros(len(x), np.int64))
            for samples in self._evaluated(data, np.arange(len(x))):
                packed = self._arena[self._logits].copy_to_host().reshape(classes, -1)
                logits[start : start + samples] = packed[:, :samples].T
                start += samples
        return logits

    def _evaluated(self, data: CudaData, chosen: np.ndarray) -> Iterator[int]:
        """Launch an evaluation of every batch of some examples, and yield behind each how many it has."""
        size, asked = self.batch_size, self._asked
        whole, left = divmod(chosen.size, size)
        turns = whole + (left > 0)
        rows = np.zeros((turns, self._layout.lanes), np.int32)
        rows[:whole, :size] = chosen[: whole * size].reshape(whole, size)
        rows[whole:, :left] = chosen[whole * size :]
        _reserve(asked, turns, self._evaluation, self._last)
        asked.write("indices", rows)
        self._state.copy_to_device(np.array([0, size], np.int32))
        self._last_state.copy_to_device(np.array([whole, left], np.int32))
        for turn in range(turns):
            (self._evaluation if turn < whole else self._last).graph(data).run()
            yield size if turn < whole else left

    def profile(self, data: CudaData, indices: np.ndarray) -> list[tuple[Op, float]]:
        """Return the seconds that each operation of a training step takes, its launches included; values are as good as lost."""
        self.run(data, np.asarray(indices)[None], [0.0])
        self._state.copy_to_device(np.array([0, len(indices)], np.int32))
        return self._training.profile()


def _reserve(feeds: Feeds, turns: int, *programs: Program) -> None:
    """Make room for the turns of a call; launches that were made hold what there was."""
    if turns > feeds.turns:
        for program in programs:
            program.forget()
        feeds.reserve(turns)


@functools.cache
def _announce() -> None:
    """Say once in a process that its first step will take a while: what CUDA compiles is not kept from process to process."""
    if not simulated():
        log.warning("compiling kernels for the CUDA device: this takes a while, once in every process")
