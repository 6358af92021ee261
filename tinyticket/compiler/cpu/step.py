"""A network, its loss and its optimizer as one compiled training step on the CPU."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.calls import Score, check_batch, check_examples, check_indices, check_numbers, draw_masks
from tinyticket.compiler.cpu.data import Data, bind, kept_form
from tinyticket.compiler.cpu.program import FEED, Program
from tinyticket.compiler.cpu.programs import Programs
from tinyticket.compiler.graph import Graph
from tinyticket.compiler.layout import Layout, Masks
from tinyticket.compiler.op import Op
from tinyticket.compiler.weights import ConnectedWeights, Mask, NarrowWeights
from tinyticket.kernels.cpu.packing import address_of
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.update import RULES, SLOTS, scalars_of, write_scalars
from tinyticket.kernels.cpu.vector.subnormals import CAN_FLUSH
from tinyticket.kernels.geometry import tiles_for
from tinyticket.nn import Buffer, Connections, Move, Parameter

FROM_ZERO = -scalars_of("sgd", 1, 1.0)
"""The scalars with which SGD makes a gradient of a zero."""

KEPT_AT_ONCE = 1 << 26
"""Bytes of dropout's masks that are drawn for a call; longer calls are cut."""

PROFILED = 20
"""Times that each operation is done to measure it."""

# Places in a feed, which calls write; names of a module are found sooner than those of a record.
_BATCH, _PARTS, _INDICES, _DRAWS, _AUGMENTED, _KEPT, _SCALARS, _RESULTS, _LOGITS = (
    FEED[name] for name in ("batch", "parts", "indices", "draws", "augmented", "kept", "scalars", "results", "logits")
)

_FLOAT32 = np.dtype(np.float32)


class CpuStep:
    """Training steps of a network.

    Parameters
    ----------
    graph, masks, sparse, winograd, batch_size
        As for `Layout`; what is pruned stays +0.0, and smaller batches may follow.
    rule : {"sgd", "momentum", "nesterov", "adam"}
    threads, turns, subnormals
        As for `compile`.
    gradients : bool
        Whether there is to be room for `dense_gradients`.
    penalties : mapping of Parameter to float, optional
        Strengths of L1 penalties, of parameters but the weights of linear layers.
    single : bool
        Whether one or two examples are predicted by layers of their own.
    **options
        Further arguments of `kernels.cpu.update.scalars_of`, apart from the learning rate.
    """

    def __init__(
        self,
        graph: Graph,
        masks: Masks,
        sparse: set[Parameter],
        *,
        batch_size: int,
        rule: str = "adam",
        threads: int | None = None,
        gradients: bool = False,
        penalties: Mapping[Parameter, float] | None = None,
        turns: str | None = None,
        winograd: Collection[Parameter] = (),
        subnormals: str | None = None,
        single: bool = False,
        **options: Any,
    ):
        scalars_of(rule, 1, 1e-3, **options)  # raises InputError where they make no sense
        self.graph, self.batch_size, self.steps_taken = graph, batch_size, 0
        self.threads = thread_count(threads)
        self._rule, self._options = rule, options
        self._layout = layout = Layout(graph, masks, sparse, SLOTS[RULES[rule]], batch_size, winograd, single)
        self.subnormals = "zero" if CAN_FLUSH and subnormals != "kept" else "kept"
        flushes = self.subnormals == "zero"
        self._programs = Programs(
            layout, batch_size, RULES[rule], self.threads, gradients, penalties or {}, turns, flushes
        )
        self._arena, self.turns, self.takes_draws = self._programs.arena, self._programs.turns, not layout.is_mlp
        self._view = self._arena.__getitem__
        for each in layout.weights.values():
            each.write_pattern(self._view)
        self._size, self._classes = graph.start.size, graph.output.channels
        self._order = self._first = np.arange(max(batch_size, layout.lanes), dtype=np.int64)
        self._first_address = address_of(self._first)
        for program in self._programs.all:
            program.base[_INDICES] = self._first_address
        self._scalars, self._result = np.zeros(8, np.float32), np.zeros(2)
        self._result_addresses = address_of(self._scalars), address_of(self._result)  # each costs half a microsecond
        self._stale = True  # whether what passes read of the weights is older than the weights

    @property
    def nbytes(self) -> int:
        """Bytes of its memory."""
        return self._arena.nbytes

    # -- what it holds

    def write(self, state: Mapping[Parameter, Sequence[np.ndarray]], steps_taken: int = 0) -> None:
        """Take over every parameter's values, followed by its slots, and the running statistics from the buffers."""
        self.steps_taken, self._stale = steps_taken, True
        for parameter, arrays in state.items():
            self._layout.weights[parameter].write(self._view, arrays)
        for buffer, block in self._layout.buffers.items():
            self._arena[block][:] = buffer.data

    def read(self, parameter: Parameter) -> list[np.ndarray]:
        """Return copies of a parameter's values and its slots."""
        return self._layout.weights[parameter].read(self._view)

    def weight(self, parameter: Parameter) -> np.ndarray:
        """Return a copy of a parameter's values alone."""
        return self._layout.weights[parameter].value(self._view)

    def read_buffer(self, buffer: Buffer) -> np.ndarray:
        """Return a copy of a running statistic."""
        return self._arena[self._layout.buffers[buffer]].copy()

    def change_masks(self, masks: Mapping[Parameter, Mask]) -> set[Parameter]:
        """Put masks in the place of those that there are; return the parameters for which that can be done.

        A weight that runs sparse has room for as many survivors as it has. What stays keeps value and slots, and what is new
        starts at +0.0; everything else stays as it is.
        """
        weights = self._layout.weights
        changed = {parameter for parameter, mask in masks.items() if weights[parameter].change_mask(mask, self._view)}
        self._stale |= bool(changed)
        if any(weights[parameter].pattern for parameter in changed):
            self._cut()
        return changed

    def change_connections(self, moved: Mapping[Parameter, tuple[Connections, Move | None]]) -> None:
        """Put connections in the place of as many; a move takes values and slots along, without one they are written next."""
        for parameter, (connections, move) in moved.items():
            weights = self._layout.weights[parameter]
            assert isinstance(weights, ConnectedWeights | NarrowWeights)
            weights.change_connections(connections, move, self._view)
        self._cut()

    def _cut(self) -> None:
        """Share the work out anew under another pattern."""
        self._stale = True
        for program in self._programs.all:
            program.cut()

    def bind(self, examples: Any, labels: np.ndarray) -> Data:
        """Bring a data set into the form that steps read: float32, or bytes."""
        return bind(self.graph, self._layout.is_mlp, examples, labels)

    # -- training

    def step(self, data: Data, indices: np.ndarray, learning_rate: float, draws: np.ndarray | None = None) -> float:
        """Take one step on the examples that `indices` (int64) name, at most the batch size; return the loss.

        `draws` (int64, a row of five for each example) says what happens to its image: what `data.augment` takes.
        """
        write_scalars(self._scalars, self._rule, self.steps_taken + 1, learning_rate, **self._options)
        self._train(self._programs.training, data, indices, self._scalars, self._result, draws)
        self.steps_taken += 1
        return float(self._result[0]) / indices.size

    def run(
        self, data: Data, indices: np.ndarray, learning_rates: Sequence[float], draws: np.ndarray | None = None
    ) -> np.ndarray:
        """Take a step for each row of `indices`, with its own learning rate and draws; return each one's loss."""
        training, steps, results = self._programs.training, len(indices), np.zeros((len(indices), 2))
        most = steps if not training.kept else max(1, KEPT_AT_ONCE // (training.kept_size * self._layout.tiles))
        for start in range(0, steps, most):
            part = slice(start, start + most)
            given, chosen = None if draws is None else draws[part], indices[part]
            scalars = np.empty((len(chosen), 8), np.float32)
            for place, rate in enumerate(learning_rates[part]):
                write_scalars(scalars[place], self._rule, self.steps_taken + place + 1, rate, **self._options)
            self._train(training, data, chosen, scalars, results[part], given)
            self.steps_taken += len(chosen)
        return results[:, 0] / indices.shape[1]

    def dense_gradients(self, data: Data) -> tuple[float, dict[Parameter, np.ndarray]]:
        """Return the mean loss of a batch and the gradients of all parameters, those of pruned weights included.

        Nothing is updated; dropout draws as in a step. The step was made with `gradients`, and the batch is one that it takes.
        """
        program = self._programs.gradients
        assert program is not None
        running = {buffer: self.read_buffer(buffer) for buffer in self._layout.buffers}
        whole = {parameter: self._arena[block] for parameter, block in program.whole.items()}
        for gradient in whole.values():
            gradient[:] = 0  # of linear layers it is what an update makes of zeros
        self._train(program, data, self._numbers(data.size), FROM_ZERO, self._result, None)
        for buffer, before in running.items():
            self._arena[self._layout.buffers[buffer]][:] = before
        found = {p: self._arena[each.gradient][: each.count] for p, each in self._layout.weights.items()}
        gradients = {parameter: part.reshape(parameter.shape).copy() for parameter, part in (found | whole).items()}
        return float(self._result[0]) / data.size, gradients

    def _train(
        self, program: Program, data: Data, indices: np.ndarray, scalars: np.ndarray, results: np.ndarray, draws: Any
    ) -> None:
        """Take a step for each pair of results, a loss and hits, on equal parts of the indices."""
        steps = results.size // 2
        samples = indices.size // steps
        check_batch(self.graph, samples, self.batch_size)
        self._renew()
        indices = np.ascontiguousarray(indices, np.int64)
        if program.kept:
            check_indices(indices, data.size)  # before anything is drawn
        kept = self._draw(program, steps, samples)
        draws = None if draws is None else np.ascontiguousarray(draws, np.int64)
        drawn, masks = 0 if draws is None else address_of(draws), 0 if kept is None else address_of(kept)
        first, base = address_of(indices), program.base
        program.feed(data)
        base[_AUGMENTED], base[_BATCH] = draws is not None, samples
        base[_INDICES], base[_DRAWS], base[_KEPT] = first, drawn, masks
        if scalars is self._scalars:
            base[_SCALARS], base[_RESULTS] = self._result_addresses
        else:
            base[_SCALARS], base[_RESULTS] = address_of(scalars), address_of(results)
        if program.updating is None:
            program.take(steps, samples, steps * samples, first, indices.size, data.size)
            return
        tiles = tiles_for(samples, program.samples)
        sums = np.empty((steps, tiles, 2))
        base[_RESULTS], base[_PARTS] = address_of(sums), tiles
        program.take(steps, program.samples, samples, first, indices.size, data.size)
        np.add.reduce(sums, axis=1, out=results.reshape(steps, 2))

    def _draw(self, program: Program, steps: int, samples: int) -> np.ndarray | None:
        """Draw the masks of dropout, step after step as eager layers do, and pack them."""
        if not program.kept:
            return None
        turns, tiles = 1, self._layout.tiles
        if program is self._programs.training and self.turns == "tiles":
            turns = tiles = tiles_for(samples, self._layout.lanes)
        return draw_masks(program.kept, program.kept_size, steps, samples, turns, tiles, self._layout.lanes)

    # -- evaluation and prediction

    def evaluate(self, data: Data, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = self._numbers(data.size) if indices is None else np.ascontiguousarray(indices, np.int64)
        self._renew()
        program, first, batch = self._programs.evaluation, address_of(chosen), self._programs.summed
        turns = -(-chosen.size // program.samples)
        sums = np.zeros((-(-chosen.size // batch), batch, 2) if batch else (turns, 2))
        program.feed(data)
        program.base[_INDICES], program.base[_RESULTS] = first, address_of(sums)
        program.take(turns, program.samples, chosen.size, first, chosen.size, data.size)
        if batch:  # added up as `sum_losses` does, sample after sample
            sums = np.ascontiguousarray(sums.cumsum(axis=1)[:, -1])
        loss, correct = sums.sum(axis=0)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def predict(self, x: Any) -> np.ndarray:
        """Return the logits of any number of examples, float32 of shape (examples, classes)."""
        if x.ndim != 2 or x.shape[1] != self._size:
            check_examples(self.graph, x)
        if self._stale:
            self._renew()
        data = kept_form(self.graph, self._layout.is_mlp, x)
        count = len(x)
        program = self._programs.few if count <= self._programs.few.samples else self._programs.prediction
        if count <= self._programs.singles and data is None and self._programs.single is not None:
            program = self._programs.single
        logits = np.empty((count, self._classes), np.float32)
        if data is None:
            if x.ndim != 2 or x.dtype != _FLOAT32 or not x.flags.carray:  # for which nothing is compiled
                check_numbers(x)
                x = np.require(x, np.float32, ("C", "A", "W")).reshape(count, self._size)
            if program.predict(x, logits):
                return logits
        base = program.base
        if data is not None:
            program.feed(data)
        else:
            program.feed_examples(x)
        base[_INDICES], base[_LOGITS] = self._first_address, address_of(logits)
        program.take(-(-count // program.samples), program.samples, count)
        return logits

    def profile(self, data: Data, indices: np.ndarray) -> list[tuple[Op, float]]:
        """Return the seconds that each operation of a training step takes on one thread; values are as good as lost."""
        scalars, samples = scalars_of(self._rule, 1, 0.0, **self._options), indices.size
        training, updating = self._programs.training, self._programs.updating
        self._train(training, data, indices, scalars, self._result, None)
        kept, base = self._draw(training, 1, samples), training.base
        base[_INDICES], base[_KEPT] = address_of(indices), 0 if kept is None else address_of(kept)
        base[_RESULTS] = address_of(self._result)  # those of tiles are gone
        if updating is None:
            return training.profile(samples, PROFILED)
        updating.base[_SCALARS], lanes = base[_SCALARS], training.samples
        tiles, turns = tiles_for(samples, lanes), training.profile(min(samples, lanes), PROFILED)
        return [(op, tiles * seconds) for op, seconds in turns] + updating.profile(1, PROFILED)

    def _renew(self) -> None:
        """Bring weights that were written from outside into the orders that passes read."""
        if self._stale:
            self._stale = False
            if self._programs.refresh.ops:
                self._programs.refresh.take(1, 1, 1)

    def _numbers(self, count: int) -> np.ndarray:
        """Return 0 to count, kept for the next time."""
        if self._order.size < count:
            self._order = np.arange(count, dtype=np.int64)
        return self._order[:count]
