"""A network some of whose weights come from sources, which put them into its layers for the length of a forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tinyticket.autograd import Tensor, no_grad
from tinyticket.nn.module import Module, Prunable


class Source(Module):
    """Gives a layer's weight; `forward()` takes nothing and returns a tensor of the weight's shape."""


class Sourced(Module):
    """A network whose layers take weights from sources.

    In training, the sources are asked before every forward pass. Evaluation asks them once, when `eval()` begins it, so that all
    examples of a data set meet the same network.

    Parameters
    ----------
    model : Module
        Its own weights stay as they are; outside a forward pass its layers hold them as ever.
    sources : mapping from names of weights, such as "fc1.weight", to Source
        The weights belong to Linear or Conv2d layers.

    Raises
    ------
    ValueError
        If a name is no such weight.
    """

    def __init__(self, model: Module, sources: Mapping[str, Source]):
        prunable = model.prunable()
        if unknown := sources.keys() - prunable.keys():
            raise ValueError(f"the model has no weight {sorted(unknown)[0]!r} of a Linear or Conv2d layer")
        self.model, self.sources = model, list(sources.values())
        layers = [module for _, module in model.named_modules() if isinstance(module, Prunable)]
        self._layers = [[layer for layer in layers if layer.weight is prunable[name]] for name in sources]
        self._held: list[Tensor] | None = None

    def forward(self, *inputs: Any) -> Tensor:
        """Pass the inputs through the model with the sources' weights."""
        weights = [source() for source in self.sources] if self._held is None else self._held
        with self._in_place(weights):
            return self.model(*inputs)

    def train(self, mode: bool = True) -> Sourced:
        """Set training mode; for evaluation (False), compute the weights that all its passes use."""
        super().train(mode)
        self._held = None
        if not mode:
            with no_grad():
                self._held = [source() for source in self.sources]
        return self

    @contextlib.contextmanager
    def _in_place(self, weights: Sequence[Tensor]) -> Iterator[None]:
        """Let the layers hold these weights. One pass at a time: threads would see each other's."""
        places = [(layer, weight) for layers, weight in zip(self._layers, weights, strict=True) for layer in layers]
        own = [layer.weight for layer, _ in places]
        try:
            for layer, weight in places:
                vars(layer)["weight"] = weight
            yield
        finally:
            for (layer, _), weight in zip(places, own, strict=True):
                layer.weight = weight
