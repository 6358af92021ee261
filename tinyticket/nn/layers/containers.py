"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Mapping

from tinyticket.autograd import Tensor
from tinyticket.nn import functional
from tinyticket.nn.module import Module


class Sequential(Module):
    """Modules one after the other, given as arguments or as one mapping from names to modules."""

    def __init__(self, *layers: Module | Mapping[str, Module]):
        named = (
            layers[0]
            if len(layers) == 1 and isinstance(layers[0], Mapping)
            else {str(i): layer for i, layer in enumerate(layers)}
        )
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential wants Modules; {name} is a {type(layer).__name__}")
            if hasattr(Module, name) or "." in name or "/" in name:
                raise ValueError(f"{name!r} cannot name a layer")
        vars(self).update(named)

    def __iter__(self):
        return (layer for _, layer in self.children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]

    def forward(self, x) -> Tensor:
        """Pass x through every layer in turn."""
        for layer in self:
            x = layer(x)
        return x


class Residual(Module):
    """relu(body(x) + shortcut(x)), the block of residual networks (He et al. 2016, equations 1 and 2).

    Parameters
    ----------
    body : Module
        What is learned beside the shortcut.
    shortcut : Module, optional
        What brings x to the shape of body(x); x itself if not given.
    """

    def __init__(self, body: Module, shortcut: Module | None = None):
        for name, part in (("body", body), ("shortcut", shortcut)):
            if not (isinstance(part, Module) or (part is None and name == "shortcut")):
                raise TypeError(f"Residual wants Modules; {name} is a {type(part).__name__}")
        self.body, self.shortcut = body, shortcut

    def forward(self, x) -> Tensor:
        """Add both ways, which have one shape, and apply ReLU."""
        y, x = self.body(x), x if self.shortcut is None else self.shortcut(x)
        if y.shape != x.shape:
            raise ValueError(f"Residual: the body gives shape {y.shape}, the shortcut {x.shape}; they must agree")
        return functional.relu(y + x)
