"""Any network that a graph describes, its loss and its optimizer as one training step on a device."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.device.data import DeviceData
from tinyticket.compiler.device.feeds import padded
from tinyticket.compiler.device.layout import DeviceLayout
from tinyticket.compiler.device.program import Program
from tinyticket.compiler.network.checks import check_batch, check_data, check_examples, check_indices
from tinyticket.compiler.network.draw import draw_kept
from tinyticket.compiler.network.graph import Graph
from tinyticket.compiler.network.program import Row
from tinyticket.compiler.places import write
from tinyticket.compiler.score import Score
from tinyticket.kernels.cpu.optimizers import RULES, SLOTS, settings
from tinyticket.kernels.cuda.memory import device_memory
from tinyticket.kernels.cuda.toolkit import cuda, simulated
from tinyticket.nn import Buffer, Parameter

log = logging.getLogger(__name__)

FED_AT_MOST = 1 << 28
"""Bytes of indices, draws and dropout's masks that are uploaded at once; longer calls are cut, and wait for the device there."""


class DeviceStep:
    """Training steps of a network under softmax-cross-entropy on a device, which holds all that they need.

    The host waits for the device once a `run` and once an `evaluate`: when it fetches their results.

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
    **options
        Further arguments of `kernels.cpu.settings`, apart from the learning rate.

    Raises
    ------
    DeviceMemoryError
        Here and in all methods, if the device's memory is exhausted.
    """

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
        settings(rule, 1, 1e-3, **options)  # says what is wrong with them
        self.graph, self.batch_size, self.steps_taken = graph, batch_size, 0
        self._rule, self._options = rule, options
        self._layout = DeviceLayout(graph, masks, sparse, SLOTS[RULES[rule]], batch_size)
        _announce()
        with device_memory("a training step"):
            self._program = Program(self._layout, RULES[rule])
        self._arena = self._program.arena
        self._fresh = False  # whether the host has what the device has

    # -- what it holds

    def write(self, state: Mapping[Parameter, Sequence[np.ndarray]], steps_taken: int = 0) -> None:
        """Take over every parameter's values, followed by its slots, and the running statistics from the buffers."""
        self.steps_taken = steps_taken
        for parameter, arrays in state.items():
            self._layout.weights[parameter].write(self._arena.host, arrays)
        for buffer, block in self._layout.buffers.items():
            write(self._arena.host, block.place, buffer.data)
        self._arena.upload()
        self._fresh = True

    def read(self, parameter: Parameter) -> list[np.ndarray]:
        """Return copies of a parameter's values and its slots."""
        return self._layout.weights[parameter].read(self._host())

    def read_buffer(self, buffer: Buffer) -> np.ndarray:
        """Return a copy of a running statistic."""
        place = self._layout.buffers[buffer].place
        return self._host()[place : place + buffer.data.size].copy()

    def _host(self) -> np.ndarray:
        if not self._fresh:
            self._arena.download()
            self._fresh = True
        return self._arena.host

    # -- data

    def bind(self, examples: Any, labels: np.ndarray) -> DeviceData:
        """Bring a data set to the device: float32, or bytes with each channel's mean and deviation."""
        check_data(self.graph, examples, labels)
        return DeviceData(examples, labels, images=self.graph.start.height * self.graph.start.width > 1)

    # -- training and evaluation

    def step(
        self, data: DeviceData, indices: np.ndarray, learning_rate: float, draws: np.ndarray | None = None
    ) -> float:
        """Take one step on the examples that `indices` name, at most the batch size; return the loss."""
        alone = None if draws is None else draws[None]
        return float(self.run(data, np.asarray(indices)[None], [learning_rate], alone)[0])

    def run(
        self,
        data: DeviceData,
        indices: np.ndarray,
        learning_rates: Sequence[float],
        draws: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take a step for each row of `indices`, with its own learning rate and draws; return each one's loss.

        Parameters
        ----------
        data : DeviceData
        indices : integer array of shape (steps, samples)
        learning_rates : sequence of float
        draws : integer array of shape (steps, samples, 3), optional
            How every image is shifted and whether it is mirrored: what `data.augment` takes.
        """
        indices = np.asarray(indices)
        check_batch(self.graph, indices.shape[1], self.batch_size)
        check_indices(indices, data.size)
        most = max(1, FED_AT_MOST // self._program.fed.bytes_a_turn)
        losses = []
        for start in range(0, len(indices), most):
            part = slice(start, start + most)
            given = None if draws is None else draws[part]
            losses.append(self._run(data, indices[part], learning_rates[part], given))
        return np.concatenate(losses)

    def _run(
        self, data: DeviceData, indices: np.ndarray, rates: Sequence[float], draws: np.ndarray | None
    ) -> np.ndarray:
        program, lanes, (turns, samples) = self._program, self._layout.lanes, indices.shape
        passes, fed = program.passes, program.fed
        with device_memory("a training step"):
            program.reserve(fed, turns)
            taken = enumerate(rates, self.steps_taken + 1)
            fed.write(passes.indices, padded(indices, lanes))
            fed.write(passes.scalars, np.array([settings(self._rule, *each, **self._options) for each in taken]))
            if draws is not None:
                fed.write(passes.draws, padded(draws, lanes))
            self._draw(turns, samples)
            program.state.copy_to_device(np.array([0, samples], np.int32))
            step = program.step(data, augmented=draws is not None)
            self._fresh = False
            for _ in range(turns):
                step.run()
                self.steps_taken += 1
            return fed.read(passes.results, turns)[:, 0].astype(np.float64) / samples

    def evaluate(self, data: DeviceData, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = np.arange(data.size) if indices is None else np.asarray(indices)
        check_indices(chosen, data.size)
        with device_memory("an evaluation"):
            turns = sum(1 for _ in self._evaluated(data, chosen))
            asked = self._program.asked
            loss, correct = asked.read(self._program.passes.results, turns).sum(axis=0, dtype=np.float64)
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
                packed = self._arena[self._program.passes.logits].copy_to_host().reshape(classes, -1)
                logits[start : start + samples] = packed[:, :samples].T
                start += samples
        return logits

    def _evaluated(self, data: DeviceData, chosen: np.ndarray) -> Iterator[int]:
        """Launch an evaluation of every batch of some examples, and yield behind each how many it has."""
        program, size = self._program, self.batch_size
        whole, left = divmod(chosen.size, size)
        turns = whole + (left > 0)
        rows = np.zeros((turns, self._layout.lanes), np.int32)
        rows[:whole, :size] = chosen[: whole * size].reshape(whole, size)
        rows[whole:, :left] = chosen[whole * size :]
        program.reserve(program.asked, turns)
        program.asked.write(program.passes.indices, rows)
        # The last batch may be smaller; its state is there from the beginning, so that nobody waits to say so.
        program.state.copy_to_device(np.array([0, size], np.int32))
        program.rest.copy_to_device(np.array([whole, left], np.int32))
        for turn in range(turns):
            program.evaluation(data, last=turn == whole).run()
            yield size if turn < whole else left

    def profile(self, data: DeviceData, indices: np.ndarray) -> list[tuple[Row, float]]:
        """Take a training step row by row and return the seconds of each, its launches included; values are as good as lost."""
        program = self._program
        self.run(data, np.asarray(indices)[None], [0.0])
        program.state.copy_to_device(np.array([0, len(indices)], np.int32))
        times: list[tuple[Row, float]] = []
        for work in program.training:
            launches = work.launches(program.finder(program.fed, program.state))
            cuda.synchronize()
            start = time.perf_counter()
            for launch in launches:
                launch.run()
            cuda.synchronize()
            times.append((work, time.perf_counter() - start))
        return times

    def _draw(self, turns: int, samples: int) -> None:
        """Draw the masks of dropout, step after step as eager layers do, and upload them."""
        if not (kept := self._program.passes.kept):
            return
        lanes = self._layout.lanes
        rows = {feed: np.zeros((turns, feed.size // lanes, lanes), np.uint8) for feed in kept.values()}
        for turn in range(turns):
            for operation, feed in kept.items():
                rows[feed][turn, :, :samples] = draw_kept(operation, samples).T
        for feed, masks in rows.items():
            self._program.fed.write(feed, masks)


@functools.cache
def _announce() -> None:
    """Say once in a process that its first step will take a while: what CUDA compiles is not kept from process to process."""
    if not simulated():
        log.warning("compiling kernels for the CUDA device: this takes a while, once in every process")
