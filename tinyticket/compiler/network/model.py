"""A network with more than linear layers and ReLU as `tt.compile` sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.compiler.network.graph import Graph, Operation
from tinyticket.compiler.network.trace import trace
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.nn import Buffer, Module, Parameter

State = Mapping[Parameter, Sequence[np.ndarray]]
Masks = Mapping[Parameter, np.ndarray | None]

SIDES = (32, 28, 8, 16, 64, 24, 12, 20, 40, 48, 96, 128, 224)
"""Images that are tried on a network of which nobody has said what it takes; the first data tell the truth."""


class NetworkModel:
    """A graph of operations.

    Parameters
    ----------
    model : Module
    graph : Graph
        Laid out when a program is first made of it.
    input_shape : tuple of int
        Of one example.
    """

    device = "cpu"
    gives_gradients = True  # of pruned weights too, once it has been asked for them
    penalises = True  # parameters other than the weights of linear layers
    augments = True  # its step shifts and mirrors images while it gathers them

    def __init__(self, model: Module, graph: Graph, input_shape: tuple[int, ...]):
        self.model, self.graph, self.input_shape = model, graph, input_shape
        self.layers = {graph.names[id(o.parameters["weight"])]: o for o in graph.weighted()}
        self.weights = {name: operation.parameters["weight"] for name, operation in self.layers.items()}
        self.parameters = graph.parameters()
        self._laid_out = False
        self.with_gradients = False  # whether programs have room for those of pruned weights: once asked for
        self.buffers: list[Buffer] = [b for o in graph.operations for b in o.attributes.get("running", ())]

    @classmethod
    def of(cls, model: Module, input_shape: tuple[int, ...] | None) -> NetworkModel:
        """Read a model off its tape; without an input shape, off the first one that it accepts.

        Raises
        ------
        UnsupportedError
            If some operation has no compiled kernel.
        """
        if input_shape is not None:
            return cls(model, trace(model, input_shape), input_shape)
        for shape in _likely_shapes(model):
            try:
                return cls(model, trace(model, shape), shape)
            except UnsupportedError:
                raise
            except Exception:  # whatever a model's own code makes of images of a wrong size
                continue
        raise UnsupportedError("nothing tells the shape of an example: give `compile` an input_shape")

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether examples of a shape can be bound."""
        return shape == self.input_shape

    def runs_sparse(self, name: str) -> bool:
        """Whether a layer is expected to be faster with sparse kernels under its present mask."""
        from tinyticket.sparse import choice

        operation, mask = self.layers[name], self.weights[name].mask
        assert mask is not None
        density = float(mask.mean())
        if operation.kind == "linear":
            return choice.sparse_is_faster(mask.shape, density, first(operation))
        return choice.sparse_convolution_is_faster(mask.shape, density, pixels(operation), first(operation))

    def expected(self, name: str, density: float, sparse: bool) -> float | None:
        """Return the nanoseconds on one core that a layer's share of a step of 64 samples is expected to take."""
        from tinyticket.sparse import choice

        operation = self.layers[name]
        shape = operation.parameters["weight"].shape
        if operation.kind == "linear":
            return choice.expected(shape, density, first(operation), sparse)
        return choice.expected_convolution(shape, density, pixels(operation), first(operation), sparse)

    def program(self, sparse: dict[str, bool], **options: Any) -> Any:
        """Return its compiled step, whose layers run sparse or dense."""
        self.lay_out()
        chosen = {weight for name, weight in self.weights.items() if sparse[name]}
        return self._step({parameter: parameter.mask for parameter in self.parameters}, chosen, **options)

    def _step(self, masks: Masks, chosen: set[Parameter], **options: Any) -> Any:
        from tinyticket.compiler.network.step import NetworkStep  # Numba is imported when something is compiled

        return NetworkStep(self.graph, masks, chosen, gradients=self.with_gradients, **options)

    def lay_out(self) -> None:
        """Give values their borders, before the first program."""
        from tinyticket.compiler.network.borders import lay_out

        if not self._laid_out:
            lay_out(self.graph)
            self._laid_out = True

    def write(self, program: Any, state: State, steps_taken: int) -> None:
        """Give a step every parameter's values, followed by its slots."""
        program.write(state, steps_taken)

    def read(self, program: Any) -> dict[Parameter, list[np.ndarray]]:
        """Return copies of every parameter's values and its slots."""
        return {parameter: program.read(parameter) for parameter in self.parameters}

    def weight(self, program: Any, name: str) -> np.ndarray:
        """Return a copy of a weight."""
        return program.weight(self.weights[name])

    def gradients(self, program: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[Parameter, np.ndarray]]:
        """Return the loss of a batch and the gradients of all parameters, of pruned weights too; nothing is updated."""
        return program.dense_gradients(program.bind(x, y))

    def change_masks(self, program: Any, masks: Mapping[str, np.ndarray]) -> list[str]:
        """Put masks of as many survivors in place; return the names of those that were, and do nothing about others."""
        changed = program.change_masks({self.weights[name]: mask for name, mask in masks.items()})
        return [name for name in masks if self.weights[name] in changed]

    def read_buffers(self, program: Any) -> dict[Buffer, np.ndarray]:
        """Return copies of the running statistics."""
        return {buffer: program.read_buffer(buffer) for buffer in self.buffers}

    def explain(self, sparse: dict[str, bool], batch_size: int) -> list[tuple[str, ...]]:
        """Return a table of the operations, headings first."""
        from tinyticket.compiler.network.explain import explain

        return explain(self, sparse, batch_size)


def pixels(operation: Operation) -> int:
    """Return how many places of one sample's output a weight takes part in."""
    return operation.output.height * operation.output.width


def first(operation: Operation) -> bool:
    """Return whether a layer needs no input gradient."""
    return not operation.inputs[0].needs_gradient


def _likely_shapes(model: Module) -> list[tuple[int, ...]]:
    """Return shapes of examples that the first of the model's weights could go with."""
    weight = next(iter(model.prunable().values()), None)
    if weight is None:
        raise UnsupportedError("the model has no convolution and no linear layer")
    if weight.ndim == 2:
        return [(weight.shape[1],)]
    return [(weight.shape[1], side, side) for side in SIDES]
