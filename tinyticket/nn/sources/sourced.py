"""A network some of whose parameters come from sources, which put them into its layers for the length of a forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tinyticket.autograd import Tensor, no_grad
from tinyticket.nn.module import Module


class Source(Module):
    """Gives a layer's parameter; `forward()` takes nothing and returns a tensor of the parameter's shape."""


class Sourced(Module):
    """A network whose layers take parameters from sources.

    In training, the sources are asked before every forward pass. Evaluation asks them once, when `eval()` begins it, so that all
    examples of a data set meet the same network.

    Parameters
    ----------
    model : Module
        Its own parameters stay as they are; outside a forward pass its layers hold them as ever.
    sources : mapping from names of parameters, such as "fc1.weight", to Source

    Raises
    ------
    ValueError
        If a name is no parameter's.
    """

    def __init__(self, model: Module, sources: Mapping[str, Source]):
        parameters = dict(model.named_parameters())
        if unknown := sources.keys() - parameters.keys():
            raise ValueError(f"the model has no parameter {sorted(unknown)[0]!r}")
        self.model, self.sources = model, list(sources.values())
        held = [(vars(module), name) for _, module in model.named_modules() for name in vars(module)]
        self._places = [[(of, name) for of, name in held if of[name] is parameters[at]] for at in sources]
        self._held: list[Tensor] | None = None

    def forward(self, *inputs: Any) -> Tensor:
        """Pass the inputs through the model with the sources' parameters."""
        given = [source() for source in self.sources] if self._held is None else self._held
        with self._in_place(given):
            return self.model(*inputs)

    def train(self, mode: bool = True) -> Sourced:
        """Set training mode; for evaluation (False), compute the parameters that all its passes use."""
        super().train(mode)
        self._held = None
        if not mode:
            with no_grad():
                self._held = [source() for source in self.sources]
        return self

    @contextlib.contextmanager
    def _in_place(self, given: Sequence[Tensor]) -> Iterator[None]:
        """Let the layers hold these tensors. One pass at a time: threads would see each other's."""
        places = [(*place, tensor) for several, tensor in zip(self._places, given, strict=True) for place in several]
        own = [attributes[name] for attributes, name, _ in places]
        try:
            for attributes, name, tensor in places:
                attributes[name] = tensor
            yield
        finally:
            for (attributes, name, _), parameter in zip(places, own, strict=True):
                attributes[name] = parameter
