"""Any network that a graph describes, its loss and its optimizer as one training step on a device."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.device.arena import Arena
from tinyticket.compiler.device.data import DeviceData
from tinyticket.compiler.device.feeds import Feeds, padded
from tinyticket.compiler.device.layout import DeviceLayout
from tinyticket.compiler.device.passes import write_passes
from tinyticket.compiler.device.work import Feed, Work
from tinyticket.compiler.device.writer import STATE
from tinyticket.compiler.network.checks import check_batch, check_data, check_indices
from tinyticket.compiler.network.draw import draw_kept
from tinyticket.compiler.network.graph import Graph
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.places import write
from tinyticket.compiler.score import Score
from tinyticket.kernels.cpu.optimizers import RULES, SLOTS, settings
from tinyticket.kernels.cuda import gather
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.memory import device_memory, upload, zeros
from tinyticket.kernels.cuda.toolkit import cuda
from tinyticket.kernels.cuda.update import Place, update_many
from tinyticket.nn import Buffer, Parameter

FED_AT_MOST = 1 << 28
"""Bytes of dropout masks that are uploaded at once; longer calls are cut into pieces, and wait for the device between them."""


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
        self._layout = layout = DeviceLayout(graph, masks, sparse, SLOTS[RULES[rule]], batch_size)
        self._targets = zeros(layout.lanes, np.int32)
        self._passes = write_passes(layout, self._targets)
        self._masks = self._upload_masks()
        gradients = [block for weights in layout.weights.values() for block in (weights.master, weights.gradient)]
        update = Work(self._update, touches=gradients)
        self._training = [*self._passes.training, update, self._passes.end()]
        self._evaluation = [*self._passes.evaluation, self._passes.end()]
        start = Row("gather", [layout.value(graph.start)[0]], lambda threads: np.zeros(1, np.int64))
        self._arena = Arena(layout.held(), [start, *self._training])
        for block, number in layout.constants:
            self._arena.host[block.place : block.place + block.size] = number
        passes = self._passes
        self._fed = Feeds(passes.indices, passes.draws, passes.scalars, passes.results, *passes.kept.values())
        self._asked = Feeds(passes.indices, passes.results)
        self._state, self._rest = (upload(np.zeros(2, np.int32)) for _ in range(2))
        self._launches: dict[str, list[Launch]] = {}
        self._gathers: weakref.WeakKeyDictionary[DeviceData, dict[str, Launch]] = weakref.WeakKeyDictionary()
        self._fresh = False  # whether the host has what the device has

    def _upload_masks(self) -> Any:
        masks = np.zeros(max(1, self._layout.masks.size), np.uint8)
        for weights in self._layout.weights.values():
            weights.write_mask(masks)
        return upload(masks, "the masks")

    def _update(self) -> Launch:
        """Return the launch that updates all parameters."""
        places = [
            Place(
                weights.gradient.place,
                weights.splits,
                weights.master.place,
                weights.first.place,
                weights.second.place,
                weights.mask_place if weights.masked else -1,
                weights.count,
            )
            for weights in self._layout.weights.values()
        ]
        scalars = self._fed.arrays[self._passes.scalars]
        return update_many(RULES[self._rule], self._arena.floats, self._masks, places, scalars, self._state)

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

    def step(self, data: DeviceData, indices: np.ndarray, learning_rate: float, draws: np.ndarray | None = None) -> float:
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
        bytes_a_turn = sum(feed.size for feed in self._passes.kept.values())
        most = max(1, FED_AT_MOST // max(1, bytes_a_turn))
        losses = []
        for start in range(0, len(indices), most):
            part = slice(start, start + most)
            given = None if draws is None else draws[part]
            losses.append(self._run(data, indices[part], learning_rates[part], given))
        return np.concatenate(losses)

    def _run(
        self, data: DeviceData, indices: np.ndarray, rates: Sequence[float], draws: np.ndarray | None
    ) -> np.ndarray:
        passes, lanes, (turns, samples) = self._passes, self._layout.lanes, indices.shape
        with device_memory("a training step"):
            self._reserve(self._fed, turns)
            taken = enumerate(rates, self.steps_taken + 1)
            scalars = [settings(self._rule, step, rate, **self._options) for step, rate in taken]
            self._fed.write(passes.indices, padded(indices, lanes))
            self._fed.write(passes.scalars, np.array(scalars))
            if draws is not None:
                self._fed.write(passes.draws, padded(draws, lanes))
            self._draw(turns, samples)
            self._state.copy_to_device(np.array([0, samples], np.int32))
            kind = "training" if draws is None else "augmented"
            launches = [self._gather(data, kind), *self._list("training", self._training, self._fed, self._state)]
            self._fresh = False
            for _ in range(turns):
                for launch in launches:
                    launch.run()
                self.steps_taken += 1
            return self._fed.read(passes.results, turns)[:, 0].astype(np.float64) / samples

    def evaluate(self, data: DeviceData, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = np.arange(data.size) if indices is None else np.asarray(indices)
        check_indices(chosen, data.size)
        size, lanes = self.batch_size, self._layout.lanes
        whole, left = divmod(chosen.size, size)
        turns = whole + (left > 0)
        rows = np.zeros((turns, lanes), np.int32)
        rows[:whole, :size] = chosen[: whole * size].reshape(whole, size)
        rows[whole:, :left] = chosen[whole * size :]
        with device_memory("an evaluation"):
            self._reserve(self._asked, turns)
            self._asked.write(self._passes.indices, rows)
            # The last batch may be smaller; its state is there from the beginning, so that nobody waits to say so.
            self._state.copy_to_device(np.array([0, size], np.int32))
            self._rest.copy_to_device(np.array([whole, left], np.int32))
            for kind, state, times in (("evaluation", self._state, whole), ("rest", self._rest, turns - whole)):
                if times:
                    launches = [self._gather(data, kind), *self._list(kind, self._evaluation, self._asked, state)]
                    for launch in launches * times:
                        launch.run()
            loss, correct = self._asked.read(self._passes.results, turns).sum(axis=0, dtype=np.float64)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def profile(self, data: DeviceData, indices: np.ndarray) -> list[tuple[Row, float]]:
        """Take a training step launch by launch and return the seconds of each, its start included; values are as good as lost."""
        self.run(data, np.asarray(indices)[None], [0.0])
        self._state.copy_to_device(np.array([0, len(indices)], np.int32))
        launches = self._list("training", self._training, self._fed, self._state)
        times = []
        for work, launch in zip(self._training, launches, strict=True):
            cuda.synchronize()
            start = time.perf_counter()
            launch.run()
            cuda.synchronize()
            times.append((work, time.perf_counter() - start))
        return times

    # -- launches

    def _reserve(self, feeds: Feeds, turns: int) -> None:
        if feeds.reserve(turns):
            self._launches.clear()
            self._gathers.clear()

    def _list(self, kind: str, works: list[Work], feeds: Feeds, state: Any) -> list[Launch]:
        """Return the launches behind the gathering of a batch; they stay the same until feeds grow."""
        if kind not in self._launches:

            def find(wanted: Block | Feed) -> Any:
                if isinstance(wanted, Block):
                    return self._arena[wanted]
                return state if wanted is STATE else feeds.arrays[wanted]

            self._launches[kind] = [work.launch(find) for work in works]
        return self._launches[kind]

    def _gather(self, data: DeviceData, kind: str) -> Launch:
        """Return the launch that gathers a batch of these data."""
        made = self._gathers.setdefault(data, {})
        if kind not in made:
            feeds = self._asked if kind in ("evaluation", "rest") else self._fed
            draws = feeds.arrays[self._passes.draws] if kind == "augmented" else None
            state = self._rest if kind == "rest" else self._state
            start = self.graph.start
            block, first = self._layout.value(start)
            made[kind] = gather.gather_examples(
                data.examples,
                data.labels,
                feeds.arrays[self._passes.indices],
                draws,
                state,
                self._arena[block],
                first,
                self._targets,
                self._layout.elementwise(start, start),
                data.mean,
                data.std,
            )
        return made[kind]

    def _draw(self, turns: int, samples: int) -> None:
        """Draw the masks of dropout, step after step as eager layers do, and upload them."""
        if not (kept := self._passes.kept):
            return
        lanes = self._layout.lanes
        rows = {feed: np.zeros((turns, feed.size // lanes, lanes), np.uint8) for feed in kept.values()}
        for turn in range(turns):
            for operation, feed in kept.items():
                rows[feed][turn, :, :samples] = draw_kept(operation, samples).T
        for feed, masks in rows.items():
            self._fed.write(feed, masks)
