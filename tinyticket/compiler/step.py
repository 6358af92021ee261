"""A model, its loss and its optimizer as one compiled training step, or a model alone as one that predicts.

The step holds parameters and optimizer slots in an arena of its own. Reading `Parameter.data` or `state_dict()` brings the newest
values back; whatever was read or written there, a mask included, is taken over before the next step. So a step needs no call when
values change, and copies nothing while they are not read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.calls import array_of, check_masks, check_moves, check_run, check_some, whole_numbers
from tinyticket.compiler.eager import Pair, Source, Step, test_part, training_part
from tinyticket.compiler.explain import explain
from tinyticket.compiler.network import SINGLES, Network
from tinyticket.compiler.rule import penalties_of
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.data.dataset import Inputs
from tinyticket.data.sparse_inputs import is_sparse
from tinyticket.errors import InputError
from tinyticket.nn import Connections, Module, Move, Parameter, sparse_layers
from tinyticket.optim import Optimizer

KERNELS, TURNS = ("dense", "sparse", "winograd"), ("batch", "tiles")
SUBNORMALS = ("zero", "kept")


class CompiledStep(Step):
    """A compiled training step; `compile` makes it.

    Data sets and pairs of arrays that it is given are taken to stay as they are: they are brought into its own form once. What
    `predict` is given may change from call to call.
    """

    compiled = True

    def __init__(
        self,
        model: Module,
        network: Network,
        optimizer: Optimizer | None,
        rule: str,
        options: dict[str, Any],
        batch_size: int,
        threads: int | None,
        kernels: dict[str, str],
        turns: str | None = None,
        exact_convolutions: bool = False,
        subnormals: str | None = None,
    ):
        super().__init__(model, optimizer, network.graph.loss)
        self.network, self.batch_size = network, batch_size
        self._rule, self._options, self._kernels = rule, options, kernels
        self.threads, self._turns, self._subnormals = threads, turns, subnormals  # of programs for masks to come
        self._exact = exact_convolutions
        self._single = optimizer is None and batch_size <= SINGLES
        self._program: Any = None  # the back end's step for the masks that there were
        self._masks: dict[Parameter, np.ndarray | None] = {}
        self._connections: dict[Parameter, Connections] = {}
        self._made_for: Any = None  # what else decides a program
        self._arena_is_newer = False  # than the parameters
        self._arena_is_current = False  # it holds what the parameters hold, which have not been asked for since
        self._gradients = False  # whether the program has room for those of pruned weights: once asked for
        self._lock = threading.Lock()  # predictions that threads ask for side by side would meet in the arena
        self._sources: dict[tuple[int, int], tuple[Pair, Any]] = {}

    # -- training, evaluation and prediction

    def __call__(self, source: Any, which: np.ndarray) -> float:
        program: Any
        rate = self.optimizer.lr
        if isinstance(source, np.ndarray) or is_sparse(source):
            program = self._current(source.shape[1:])
            data, indices = program.bind(source, which), np.arange(len(which))
        else:
            program, data = self._bound(training_part(source))
            indices = whole_numbers(which, "indices", 1)
        loss = program.step(data, indices, rate)
        self._arena_is_newer = True
        return loss

    def run(
        self, source: Source, batches: np.ndarray, rates: Sequence[float] | None = None, draws: np.ndarray | None = None
    ) -> np.ndarray:
        usual = self.optimizer.lr
        program, data = self._bound(training_part(source))
        if draws is not None and not program.takes_draws:
            return super().run(source, batches, rates, draws)
        batches, rates, draws = check_run(batches, rates, draws)
        losses = program.run(data, batches, [usual] * len(batches) if rates is None else rates, draws)
        self._arena_is_newer = True
        return losses

    def evaluate(self, source: Source) -> tuple[float, float]:
        """Return the mean loss and the accuracy (a fraction) over a data set's test part, or over a pair of arrays.

        Of targets that are numbers it is R2 instead of the accuracy (`nn.losses.MeanSquaredError`).
        """
        check_some((pair := test_part(source))[0])
        program, data = self._bound(pair)
        score = program.evaluate(data)
        if self.loss.numbers:
            return self.loss.report(score.loss * pair[1].size, 0, pair[1])
        return score.loss, score.correct / score.examples

    def predict(self, x: Inputs) -> np.ndarray:
        """Return the logits of examples, as the model computes them in evaluation mode.

        A call costs some microseconds besides its arithmetic, so single examples may be asked for. An example's logits have the
        same bits whatever others it comes with. Several threads may ask; they are answered one after the other.

        Parameters
        ----------
        x : array of shape (examples, ...), or sparse matrix (examples, features)
            Any number of them, taken as float32; nothing of it is kept.

        Returns
        -------
        float32 array of shape (examples, classes)

        Raises
        ------
        InputError
            If the network does not take examples of that shape.
        """
        if not isinstance(x, np.ndarray):
            x = array_of(x)
        with self._lock:
            program, shape = self._program, x.shape[1:]
            if program is None or not (self._arena_is_newer or self._arena_is_current) or not self.network.fits(shape):
                program = self._ready(shape)
            return program.predict(x)

    def backward(
        self, x: np.ndarray, y: np.ndarray, candidates: Mapping[str, Connections] | None = None
    ) -> tuple[float, dict[str, np.ndarray]]:
        x = array_of(x)
        # The autograd computes those of MLPs as fast, and those of networks on a device.
        check_some(x)
        graph, cpu = self.network.graph, self.network.device == "cpu"
        compiled = cpu and not graph.is_mlp and not any(o.connected for o in graph.weighted())
        if not (self._arena_is_newer and compiled) or len(x) > self.batch_size:
            return super().backward(x, y, candidates)
        program = self._current(x.shape[1:])
        if not self._gradients:  # made anew, once: without a call of this there is no memory for them
            self.fetch()
            self._gradients, self._program = True, None
            program, self._arena_is_newer = self._take_over(), True
        loss, gradients = program.dense_gradients(program.bind(x, y))
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        return loss, {names[id(parameter)]: gradient for parameter, gradient in gradients.items()}

    # -- masks that change while training goes on

    def weights(self) -> dict[str, np.ndarray]:
        if not (self._arena_is_newer and self._program):
            return super().weights()
        return {name: self._program.weight(weight) for name, weight in self.network.weights.items()}

    def change_masks(self, masks: Mapping[str, np.ndarray]) -> None:
        weights, left = self.network.weights, {}
        check_masks(masks, weights)
        for name, mask in masks.items():
            before = weights[name].mask
            if before is None or not np.array_equal(mask, before):
                left[name] = mask
        if self._arena_is_newer and self._program:  # in place: nothing is fetched, and kernels stay the faster ones
            same = {name: mask for name, mask in left.items() if _count(mask) == _count(weights[name].mask)}
            changed = self._program.change_masks({weights[name]: mask for name, mask in same.items()})
            for name, weight in weights.items():
                if weight in changed:
                    weight.set_mask_only(left.pop(name))
                    self._masks[weight] = weight.mask
        if left:
            super().change_masks(left)

    def change_connections(self, moves: Mapping[str, Move]) -> None:
        layers, weights = sparse_layers(self.model), self.network.weights
        check_moves(moves, layers)
        if not (self._arena_is_newer and self._program):
            super().change_connections(moves)
            return
        self._program.change_connections({weights[name]: (move.connections, move) for name, move in moves.items()})
        for name, move in moves.items():
            layers[name].set_connections_only(move.connections)
            self._connections[weights[name]] = move.connections

    # -- what it does

    def explain(self) -> str:
        """Return a table of the layers: shape, density, kernel, and microseconds of a step, expected and measured."""
        rows = explain(self.network, self._chosen(), self.batch_size)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        threads = "all of Numba's" if self.threads is None else self.threads
        where = f"threads: up to {threads}" if self.network.device == "cpu" else f"device: {self.network.device}"
        return "\n".join([f"compiled, batches of {self.batch_size}, {where}", *lines])

    def plan(self) -> dict[str, Any]:
        """Return what a result file records of how the step was executed."""
        device = {} if self.network.device == "cpu" else {"device": self.network.device}
        # Batches at once, and subnormal numbers kept, are how all files were trained that say nothing of it.
        turns = {"turns": "tiles"} if self._program is not None and self._program.turns == "tiles" else {}
        zero = {"subnormals": "zero"} if self._program is not None and self._program.subnormals == "zero" else {}
        return {"mode": "compiled", **device, **turns, **zero, "kernels": self._chosen()}

    def follow(self, plan: Mapping[str, Any] | None) -> None:
        self._kernels, self._turns, self._subnormals = {}, None, None
        if plan is not None:
            self._kernels, self._turns = plan.get("kernels", {}), plan.get("turns", "batch")
            self._subnormals = plan.get("subnormals", "kept")

    def _chosen(self) -> dict[str, str]:
        """Return the kernel of every weight under its present mask: the one asked for, or the fastest."""
        chosen = {
            name: self._kernels.get(name) or self.network.fastest(name, self._exact) for name in self.network.weights
        }
        for name, weight in self.network.weights.items():
            if chosen[name] == "sparse" and weight.mask is None and not self.network.layers[name].connected:
                chosen[name] = "dense"
        return chosen

    # -- where the values are

    @property
    def is_newest(self) -> bool:
        return self._arena_is_newer

    def hold(self, newest: bool) -> None:
        self._current(self.network.input_shape)
        self._arena_is_newer = newest

    def fetch(self) -> None:
        """Write the newest values into parameters and optimizer slots; the next step takes them from there."""
        self._arena_is_current = False  # who reads parameters may write them too
        if not self._arena_is_newer:
            return
        self._arena_is_newer = False
        assert self._program is not None
        for parameter in self.network.parameters:
            for array, value in zip(self._arrays(parameter), self._program.read(parameter), strict=True):
                array[...] = value
        for buffer in self.network.buffers:
            buffer.data = self._program.read_buffer(buffer)
        self.optimizer.steps = [self._program.steps_taken] * len(self.optimizer.params)

    def _current(self, shape: tuple[int, ...]) -> Any:
        """Return the program for examples of a shape, with the newest values in its arena."""
        if not self.network.fits(shape):
            self.fetch()
            self.network, self._program = Network(self.model, shape, self.network.device, self.loss), None
            self._sources.clear()
        return self._program if self._arena_is_newer and self._program else self._take_over()

    def _ready(self, shape: tuple[int, ...]) -> Any:
        """Return the program for predictions on examples of a shape; values in the arena stay current until parameters are read."""
        expected = self.network.input_shape
        try:
            program = self._current(shape)
        except (UnsupportedError, ValueError) as reason:
            if self.network.fits(shape):
                raise
            raise InputError(f"predict takes examples of shape {expected}, not {shape}: {reason}") from None
        self._arena_is_current = True
        return program

    def _take_over(self) -> Any:
        """Take parameters, masks and slots as they are now; new masks bring new patterns, and compile nothing."""
        sparse = [o.connected for o in self.network.layers.values() if o.connected]
        places = [structure for layer in sparse for structure in (layer.starts, layer.columns)]
        for held in (*self.network.parameters, *self.network.buffers, *places):
            held.held_by(self)
        masks = {weight: weight.mask for weight in self.network.weights.values()}
        penalties = penalties_of(self._optimizer, self.network.device)
        changed = {weight: mask for weight, mask in masks.items() if mask is not self._masks.get(weight)}
        layers = self.network.layers.values()
        connections = {o.parameters["weight"]: o.connected.connections for o in layers if o.connected}
        moved = {weight: each for weight, each in connections.items() if each != self._connections.get(weight)}
        options = self._turns, self._subnormals, self.threads, penalties
        if self._program is None or changed or options != self._made_for[1:]:
            made_for = self._chosen(), *options
            if self._program is None or made_for != self._made_for or self._program.change_masks(changed) != {*changed}:
                self._make(made_for)
                moved = {}
            self._masks = masks
        if moved and self._single:  # other connections take more or less room in the order for single samples
            self._make(self._made_for)
        elif moved:
            self._program.change_connections({weight: (each, None) for weight, each in moved.items()})
        self._connections = connections
        state = {parameter: self._arrays(parameter) for parameter in self.network.parameters}
        self._program.write(state, self._optimizer.steps[0] if self._optimizer else 0)
        return self._program

    def _make(
        self, made_for: tuple[dict[str, str], str | None, str | None, int | None, dict[Parameter, float]]
    ) -> None:
        """Make the program for the present masks."""
        if self._program is None and self.network.device == "cpu":
            from tinyticket.compiler.announce import announce_compiling

            announce_compiling()
        self._program = None  # so that its memory is free before the next one's is taken
        (chosen, turns, subnormals, threads, penalties), self._made_for = made_for, made_for
        options: dict[str, Any] = {"batch_size": self.batch_size, "rule": self._rule, **self._options}
        if self.network.device == "cpu":
            options |= {"threads": threads, "penalties": penalties, "gradients": self._gradients}
            options |= {"turns": turns, "subnormals": subnormals, "single": self._single}
        self._program = self.network.step(chosen, **options)

    def _arrays(self, parameter: Parameter) -> tuple[np.ndarray, ...]:
        """Return a parameter's values and its optimizer slots."""
        return parameter.data, *(self._slots(parameter) if self._optimizer else ())

    def _bound(self, pair: Pair) -> tuple[Any, Any]:
        """Return the program and the data in its form; they stay the same until another shape comes."""
        program, key = self._current(pair[0].shape[1:]), (id(pair[0]), id(pair[1]))
        if key not in self._sources:
            if len(self._sources) >= 8:
                self._sources.clear()
            self._sources[key] = pair, program.bind(*pair)  # the pair is kept, so that its id stays its own
        return program, self._sources[key][1]


def _count(mask: np.ndarray | None) -> int | None:
    """Count survivors, where there is a mask."""
    return None if mask is None else int(np.count_nonzero(mask))
