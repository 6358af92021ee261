"""A fully-connected network as `tt.compile` sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.compiler.mlp.trace import LinearLayer, trace
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.nn import Buffer, Module, Parameter

if TYPE_CHECKING:
    from tinyticket.compiler.mlp.step import MLPStep

State = Mapping[Parameter, Sequence[np.ndarray]]


class MLPModel:
    """Layers with ReLU between them.

    Parameters
    ----------
    layers : list of LinearLayer
    """

    device = "cpu"
    augments = False  # its step gathers no shifted images
    gives_gradients = True
    penalises = False  # its optimizer's updates are part of its gradients
    with_gradients = True  # its programs need no room for those of pruned weights

    def __init__(self, layers: list[LinearLayer]):
        self.layers = layers
        self.weights = {layer.name: layer.weight for layer in layers}
        self.parameters = [p for layer in layers for p in (layer.weight, layer.bias) if p is not None]
        self.buffers: list[Buffer] = []

    @classmethod
    def of(cls, model: Module, input_shape: tuple[int, ...] | None) -> MLPModel:
        """Read a model off its tape; UnsupportedError if it is not such a network."""
        for name, parameter in model.prunable().items():
            if parameter.ndim != 2:
                raise UnsupportedError(f"{name} is the weight of a convolution")
        weight = next(iter(model.prunable().values()), None)
        if weight is None:
            raise UnsupportedError("the model has no linear layer")
        try:
            return cls(trace(model, input_shape or weight.shape[1:]))
        except ValueError as error:  # a model that does something else first
            raise UnsupportedError(str(error)) from error

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether examples of a shape can be bound; what cannot be is said then."""
        return True

    def runs_sparse(self, name: str) -> bool:
        """Whether a layer is expected to be faster with sparse kernels under its present mask."""
        from tinyticket.sparse import choice

        weight = self.weights[name]
        assert weight.mask is not None
        return choice.sparse_is_faster(weight.shape, float(weight.mask.mean()), weight is self.layers[0].weight)

    def program(self, sparse: dict[str, bool], **options: Any) -> MLPStep:
        """Return its compiled step, whose layers run sparse or dense."""
        from tinyticket.compiler.mlp.step import MLPStep  # Numba is imported when something is compiled, not before

        return MLPStep(
            [(layer.weight.shape[0], layer.weight.shape[1]) for layer in self.layers],
            [layer.weight.mask for layer in self.layers],
            [sparse[layer.name] for layer in self.layers],
            [layer.bias is not None for layer in self.layers],
            **options,
        )

    def write(self, program: Any, state: State, steps_taken: int) -> None:
        """Give a step every parameter's values, followed by its slots."""
        pairs = [(state[layer.weight], () if layer.bias is None else state[layer.bias]) for layer in self.layers]
        program.write(pairs, steps_taken)

    def read(self, program: Any) -> dict[Parameter, list[np.ndarray]]:
        """Return copies of every parameter's values and its slots."""
        found = {}
        for i, layer in enumerate(self.layers):
            for parameter, values in zip((layer.weight, layer.bias), program.read(i), strict=True):
                if parameter is not None:
                    found[parameter] = values
        return found

    def weight(self, program: Any, name: str) -> np.ndarray:
        """Return a copy of a weight."""
        return program.weight(list(self.weights).index(name))

    def gradients(self, program: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[Parameter, np.ndarray]]:
        """Return the loss of a batch and the gradients of all parameters, of pruned weights too; nothing is updated."""
        loss, gradients = program.dense_gradients(x, y)
        found = {}
        for layer, pair in zip(self.layers, gradients, strict=True):
            for parameter, gradient in zip((layer.weight, layer.bias), pair, strict=True):
                if parameter is not None:
                    found[parameter] = gradient
        return loss, found

    def change_masks(self, program: Any, masks: Mapping[str, np.ndarray]) -> list[str]:
        """Put masks of as many survivors in place; return the names of those that were, and do nothing about others."""
        layers = list(self.weights)
        return [name for name, mask in masks.items() if program.change_mask(layers.index(name), mask)]

    def read_buffers(self, program: Any) -> dict[Buffer, np.ndarray]:
        """Return nothing: there are no buffers."""
        return {}

    def explain(self, sparse: dict[str, bool], batch_size: int) -> list[tuple[str, ...]]:
        """Return a table of the layers, headings first."""
        from tinyticket.compiler.mlp.explain import explain

        return explain(self.layers, [sparse[layer.name] for layer in self.layers], batch_size)
