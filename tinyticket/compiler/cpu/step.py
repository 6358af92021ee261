"""A network, its loss and its optimizer as one compiled training step on the CPU."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numba
import numpy as np

from tinyticket.compiler import lower
from tinyticket.compiler.checks import check_batch, check_examples
from tinyticket.compiler.cpu.arena import Arena
from tinyticket.compiler.cpu.data import Data, bind, examples_of
from tinyticket.compiler.cpu.pace import Pace
from tinyticket.compiler.cpu.table import Tables
from tinyticket.compiler.cpu.walk import MEETING_SIZE, Walk, walk
from tinyticket.compiler.draw import draw_kept
from tinyticket.compiler.graph import Graph
from tinyticket.compiler.layout import SMALL, Layout, Values
from tinyticket.compiler.op import Block, Op
from tinyticket.compiler.places import Places
from tinyticket.compiler.schedule import held, order, place
from tinyticket.compiler.score import Score
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.job import places, to_words
from tinyticket.kernels.cpu.packing import address_of, empty
from tinyticket.kernels.cpu.threads import available_threads, thread_count
from tinyticket.kernels.cpu.update import RULES, SLOTS, scalars_of
from tinyticket.kernels.geometry import LANES
from tinyticket.nn import Buffer, Parameter

_AT = places(Feed)
_WORDS = len(_AT)
_TOLD = places(Walk)

FROM_ZERO = -scalars_of("sgd", 1, 1.0)
"""The scalars with which SGD makes a gradient of a zero."""

APART = 1 << 20
"""Weights up to which evaluations and predictions take tiles apart, a tile a thread: they stay in a second-level cache, where the next
tile finds them. More are read once for several tiles by threads that do a batch together."""

KEPT_AT_ONCE = 1 << 26
"""Bytes of dropout's masks that are drawn for a call; longer calls are cut."""

PROFILED = 20
"""Times that each operation is done to measure it."""


class Program:
    """Operations in their order, with tables for any number of threads, made when they are first needed.

    Parameters
    ----------
    lowered : lower.Program
    samples : int
        Of a turn.
    apart : bool
        Whether each turn is one thread's.
    """

    def __init__(self, lowered: lower.Program, samples: int, apart: bool = False):
        self.ops, self.samples, self.apart = order(lowered.ops, lowered.chains), samples, apart
        self.kept, self.kept_size, self.whole = lowered.kept, lowered.kept_size, lowered.whole
        self.paces: dict[int, Pace] = {}
        self.tables: dict[int, Tables] = {}

    def pace(self, turns: int, most: int) -> Pace:
        """Return what chooses the number of threads for so many turns."""
        # Turns that are taken together are all alike; of those taken apart it matters how many there are.
        key = min(turns, most).bit_length() if self.apart else 0
        if key not in self.paces:
            self.paces[key] = Pace(min(most, turns) if self.apart else most)
        return self.paces[key]


class CpuStep:
    """Training steps of a network under softmax-cross-entropy.

    Parameters
    ----------
    graph : Graph
    masks : mapping of Parameter to bool array
        What is pruned stays +0.0.
    sparse : set of Parameter
        Weights that run sparse; they have masks.
    batch_size : int
        The largest batch.
    rule : {"sgd", "momentum", "nesterov", "adam"}
    threads : int, optional
        All that may run at once if not given; each call takes as many of them as are quickest. Results have the same bits for any
        number.
    gradients : bool
        Whether there is to be room for `dense_gradients`.
    penalties : mapping of Parameter to float, optional
        Strengths of L1 penalties, of parameters but the weights of linear layers.
    **options
        Further arguments of `kernels.cpu.update.scalars_of`, apart from the learning rate.
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
        scalars_of(rule, 1, 1e-3, **options)  # raises InputError where they make no sense
        self.graph, self.batch_size, self.steps_taken = graph, batch_size, 0
        self.threads = thread_count(threads)
        self._rule, self._options = rule, options
        self._layout = layout = Layout(graph, masks, sparse, SLOTS[RULES[rule]], batch_size)
        self.takes_draws = not layout.is_mlp
        together = Values(layout, layout.tiles, private=False)
        apart = layout.is_mlp or sum(each.count for each in layout.weights.values()) <= APART
        # Losses are added up in the order of the data, within a turn first: turns are those of every version of the library.
        tiles, samples = (1, layout.lanes) if layout.is_mlp else (layout.tiles, batch_size)
        evaluated = Values(layout, tiles, private=True) if apart else together
        predicted = Values(layout, 1, private=True) if apart else together
        self._training = Program(lower.training(layout, together, RULES[rule], penalties or {}), batch_size)
        self._gradients = Program(lower.gradients(layout, together), batch_size) if gradients else None
        self._evaluation = Program(lower.evaluation(layout, evaluated), samples, apart)
        self._prediction = Program(lower.prediction(layout, predicted), layout.lanes if apart else batch_size, apart)
        self._refresh = Program(lower.refresh(layout), 1)
        self._arena = self._placed()
        for each in layout.weights.values():
            each.write_pattern(self._view)
        self._order = np.arange(max(batch_size, LANES * 4), dtype=np.int64)
        self._base, self._strides = np.zeros(_WORDS, np.int64), np.zeros(_WORDS, np.int64)
        self._meeting, self._result = empty(MEETING_SIZE, dtype=np.int64), np.zeros(2)
        self._feeds = [empty(_WORDS, dtype=np.int64) for _ in range(self.threads)]
        self._feed_addresses = np.array([address_of(feed) for feed in self._feeds], np.int64)
        self._told: dict[tuple[int, int], np.ndarray] = {}
        self._fed: Any = None
        self._stale = True  # whether what passes read of the weights is older than the weights

    def _placed(self) -> Arena:
        places, blocks = Places(), dict[Block, None]()
        programs = [self._training, self._gradients, self._evaluation, self._prediction, self._refresh]
        for each in self._layout.weights.values():
            held(each.slot_blocks, places)
        for program in programs:
            if program is not None:
                place(places, program.ops)
                blocks |= dict.fromkeys(block for op in program.ops for block in op.blocks)
        for each in self._layout.weights.values():
            held([each.mask_bytes, *each.pattern_blocks], places)
        held(self._layout.buffers.values(), places)
        return Arena(places, blocks)

    def _view(self, block: Block) -> np.ndarray:
        return self._arena[block]

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

    def change_masks(self, masks: Mapping[Parameter, np.ndarray]) -> set[Parameter]:
        """Put masks of as many survivors in the place of those that there are; return the parameters that had such ones.

        Of those, what stays keeps value and slots, and what is new starts at +0.0; everything else stays as it is.
        """
        changed = set()
        for parameter, mask in masks.items():
            weights = self._layout.weights[parameter]
            if weights.mask is not None and np.count_nonzero(mask) == np.count_nonzero(weights.mask):
                weights.change_mask(mask, self._view)
                changed.add(parameter)
        if changed:
            self._stale = True
            for program in (self._training, self._gradients, self._evaluation, self._prediction, self._refresh):
                for tables in program.tables.values() if program else ():
                    tables.cut()
        return changed

    def bind(self, examples: Any, labels: np.ndarray) -> Data:
        """Bring a data set into the form that steps read: float32, or bytes."""
        return bind(self.graph, self._layout.is_mlp, examples, labels)

    # -- training

    def step(self, data: Data, indices: np.ndarray, learning_rate: float, draws: np.ndarray | None = None) -> float:
        """Take one step on the examples that `indices` (int64) name, at most the batch size; return the loss.

        Parameters
        ----------
        data : Data
        indices : int64 array of shape (samples,)
        learning_rate : float
        draws : int64 array of shape (samples, 3), optional
            How every image is shifted and whether it is mirrored: what `data.augment` takes.
        """
        scalars = scalars_of(self._rule, self.steps_taken + 1, learning_rate, **self._options)
        self._train(self._training, data, indices, 1, scalars, self._result, draws)
        self.steps_taken += 1
        return float(self._result[0]) / indices.size

    def run(
        self, data: Data, indices: np.ndarray, learning_rates: Sequence[float], draws: np.ndarray | None = None
    ) -> np.ndarray:
        """Take a step for each row of `indices`, with its own learning rate and draws; return each one's loss."""
        steps, results = len(indices), np.zeros((len(indices), 2))
        most = steps if not self._training.kept else max(1, KEPT_AT_ONCE // self._training.kept_size)
        for start in range(0, steps, most):
            part = slice(start, start + most)
            ahead = enumerate(learning_rates[part], self.steps_taken + 1)
            scalars = np.concatenate([scalars_of(self._rule, *each, **self._options) for each in ahead])
            given = None if draws is None else draws[part]
            count = len(indices[part])
            self._train(self._training, data, indices[part], count, scalars, results[part], given)
            self.steps_taken += count
        return results[:, 0] / indices.shape[1]

    def dense_gradients(self, data: Data) -> tuple[float, dict[Parameter, np.ndarray]]:
        """Return the mean loss of a batch and the gradients of all parameters, those of pruned weights included.

        Nothing is updated; dropout draws as in a step. The step was made with `gradients`, and the batch is one that it takes.
        """
        program = self._gradients
        assert program is not None
        running = {buffer: self.read_buffer(buffer) for buffer in self._layout.buffers}
        whole = {parameter: self._arena[block] for parameter, block in program.whole.items()}
        for gradient in whole.values():
            gradient[:] = 0  # of linear layers it is what an update makes of zeros
        self._train(program, data, self._numbers(data.size), 1, FROM_ZERO, self._result, None)
        for buffer, before in running.items():
            self._arena[self._layout.buffers[buffer]][:] = before
        found = {parameter: self._arena[weights.gradient] for parameter, weights in self._layout.weights.items()}
        gradients = {parameter: part.reshape(parameter.shape).copy() for parameter, part in (found | whole).items()}
        return float(self._result[0]) / data.size, gradients

    def _train(
        self,
        program: Program,
        data: Data,
        indices: np.ndarray,
        steps: int,
        scalars: np.ndarray,
        results: np.ndarray,
        draws: np.ndarray | None,
    ) -> None:
        samples = indices.size // steps
        check_batch(self.graph, samples, self.batch_size)
        base, strides = self._base, self._strides
        self._feed(data)
        indices = np.ascontiguousarray(indices, np.int64)
        kept = self._draw(program, steps, samples)
        base[_AT["indices"]], strides[_AT["indices"]] = address_of(indices), 8 * samples
        base[_AT["scalars"]], strides[_AT["scalars"]] = address_of(scalars), scalars.nbytes // steps
        base[_AT["results"]], strides[_AT["results"]] = address_of(results), 16
        base[_AT["augmented"]] = draws is not None
        if draws is not None:
            draws = np.ascontiguousarray(draws, np.int64)
            base[_AT["draws"]], strides[_AT["draws"]] = address_of(draws), 24 * samples
        if kept is not None:
            base[_AT["kept"]], strides[_AT["kept"]] = address_of(kept), program.kept_size
        self._do(program, steps, samples, steps * samples, indices, data.size)

    def _draw(self, program: Program, steps: int, samples: int) -> np.ndarray | None:
        """Draw the masks of dropout, step after step as eager layers do, and pack them."""
        if not program.kept:
            return None
        tiles, kept = self._layout.tiles, np.empty((steps, program.kept_size), np.uint8)
        for step in range(steps):
            for operation, begin in program.kept.items():
                size = operation.inputs[0].size
                padded = np.zeros((tiles * LANES, size), np.uint8)
                padded[:samples] = draw_kept(operation, samples)
                packed = padded.reshape(tiles, LANES, size).transpose(0, 2, 1)
                kept[step, begin : begin + padded.size] = packed.reshape(-1)
        return kept

    # -- evaluation and prediction

    def evaluate(self, data: Data, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = self._numbers(data.size) if indices is None else np.ascontiguousarray(indices, np.int64)
        program, base, strides = self._evaluation, self._base, self._strides
        sums = np.zeros((-(-chosen.size // program.samples), 2))
        self._feed(data)
        base[_AT["indices"]], strides[_AT["indices"]] = address_of(chosen), 8 * program.samples
        base[_AT["results"]], strides[_AT["results"]] = address_of(sums), 16
        base[_AT["augmented"]] = 0
        self._do(program, len(sums), program.samples, chosen.size, chosen, data.size)
        loss, correct = sums.sum(axis=0)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def predict(self, x: Any) -> np.ndarray:
        """Return the logits of any number of examples, float32 of shape (examples, classes)."""
        check_examples(self.graph, x)
        samples, classes = self._prediction.samples, self.graph.output.channels
        logits = np.empty((len(x), classes), np.float32)
        if not len(x):
            return logits
        base, strides, size = self._base, self._strides, self.graph.start.size
        data = examples_of(self.graph, self._layout.is_mlp, x)
        self._feed(data)
        self._fed = None  # the next call's examples may lie elsewhere
        base[_AT["indices"]], strides[_AT["indices"]] = address_of(self._order), 0
        base[_AT["augmented"]] = 0
        base[_AT["logits"]], strides[_AT["logits"]] = address_of(logits), 4 * samples * classes
        strides[_AT["examples"]], strides[_AT["pixels"]] = (0, samples * size) if data.as_pixels else (4 * samples * size, 0)
        self._do(self._prediction, -(-len(x) // samples), samples, len(x), None, 0)
        strides[_AT["examples"]] = strides[_AT["pixels"]] = 0
        return logits

    # -- running programs

    def _numbers(self, count: int) -> np.ndarray:
        """Return 0 to count, kept for the next time."""
        if self._order.size < count:
            self._order = np.arange(count, dtype=np.int64)
        return self._order[:count]

    def _feed(self, data: Data) -> None:
        """Let feeds name a data set."""
        if data is not self._fed:
            for name, word in data.words.items():
                self._base[_AT[name]] = word
            self._fed = data

    def _do(self, program: Program, turns: int, samples: int, total: int, indices: np.ndarray | None, size: int) -> None:
        """Take turns of a program, on as many threads as are quickest."""
        if self._stale:
            self._stale = False
            self._run(self._refresh, 1, 1, 1, 1, None, 0)
        available = available_threads()
        pace = program.pace(turns, min(self.threads, self._worth(program, turns)))
        threads = min(pace.threads, available)
        began = time.perf_counter()
        self._run(program, threads, turns, samples, total, indices, size)
        if threads == pace.threads:
            pace.note((time.perf_counter() - began) / turns)

    def _worth(self, program: Program, turns: int) -> int:
        """Return how many threads have enough to do in turns that each takes apart."""
        return max(1, turns * self._layout.work() // SMALL) if program.apart else self.threads

    def _run(
        self, program: Program, threads: int, turns: int, samples: int, total: int, indices: np.ndarray | None, size: int
    ) -> None:
        told = self._tell(program, threads)
        told[_TOLD["turns"]], told[_TOLD["samples"]], told[_TOLD["total"]] = turns, samples, total
        told[_TOLD["checked"]], told[_TOLD["size"]] = 0 if indices is None else indices.size, size
        if indices is not None:
            told[_TOLD["indices"]] = address_of(indices)
        if 1 < threads < numba.get_num_threads():
            before = numba.set_num_threads(threads)
            try:
                known = walk(told)
            finally:
                numba.set_num_threads(before)
        else:
            known = walk(told)
        if not known:
            raise InputError(f"indices must be from 0 to {size - 1}")

    def _tell(self, program: Program, threads: int) -> np.ndarray:
        """Return what `walk` is told about a program for some threads."""
        key = id(program), threads
        if key not in self._told:
            tables, alone = (self._tables(program, count).addresses for count in (threads, 1))
            given = threads, program.apart, len(program.ops), tables, alone, 0, self._feed_addresses, _WORDS
            self._told[key] = to_words(Walk(*given, self._base, self._strides, 0, 0, 0, 0, 0, self._meeting), [])
        return self._told[key]

    def _tables(self, program: Program, threads: int) -> Tables:
        if threads not in program.tables:
            program.tables[threads] = Tables(program.ops, self._arena, self._feeds[:threads], program.apart)
        return program.tables[threads]

    def profile(self, data: Data, indices: np.ndarray) -> list[tuple[Op, float]]:
        """Return the seconds that each operation of a training step takes on one thread; values are as good as lost."""
        scalars, samples = scalars_of(self._rule, 1, 0.0, **self._options), indices.size
        self._train(self._training, data, indices, 1, scalars, self._result, None)
        told, still = self._tell(self._training, 1).copy(), np.zeros(_WORDS, np.int64)
        told[_TOLD["strides"]], told[_TOLD["rows"]] = address_of(still), 1
        told[_TOLD["turns"]], told[_TOLD["total"]] = PROFILED, PROFILED * samples
        kept = self._draw(self._training, 1, samples)
        if kept is not None:
            self._base[_AT["kept"]] = address_of(kept)
        times = []
        for op in self._training.ops:
            tables = Tables([op], self._arena, self._feeds[:1], apart=False)
            told[_TOLD["tables"]] = address_of(tables.addresses)
            began = time.perf_counter()
            walk(told)
            times.append((op, (time.perf_counter() - began) / PROFILED))
        return times
