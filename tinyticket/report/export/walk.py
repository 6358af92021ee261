"""Going through a network's layers in the order in which they compute, with the shapes between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.errors import InputError
from tinyticket.nn import Conv2d, Module, Residual, Sequential


class Value(NamedTuple):
    """What is between layers: where it is found, and its shape without the batch."""

    place: str
    shape: tuple[int, ...]


class Walk:
    """Writes a network down, layer by layer: a subclass has a method for each kind of layer, called as its class in small letters.

    Such a method gets the layer, its name, the value that it reads and the shape that it makes of it, and returns where that is.
    """

    format: str  # what is written, in messages

    def through(self, layer: Module, name: str, value: Value) -> Value:
        """Write a layer down, or those inside it, and return what comes of a value there."""
        if type(layer) is Sequential:
            return self.sequence(list(layer.children()), name, value)
        if type(layer) is Residual:
            return self.residual(layer, name, value)
        write = getattr(self, type(layer).__name__.lower(), None)
        if write is None:
            raise InputError(f"{self.format} cannot express the layer {name}, {type(layer).__name__}")
        try:
            shape = _shape(layer, value.shape)
        except ValueError as error:  # a damaged file has another shape of examples than its network
            raise InputError(f"the layer {name} takes no input of shape {value.shape}: {error}") from error
        if type(layer).__name__ == "Linear" and len(value.shape) != 1:
            raise InputError(f"{self.format} takes vectors for the layer {name}; its input has the shape {value.shape}")
        return Value(write(layer, name, value, shape), shape)

    def sequence(self, layers: list[tuple[str, Module]], name: str, value: Value) -> Value:
        """Write layers down one after the other."""
        for own, layer in layers:
            value = self.through(layer, inside(name, own), value)
        return value

    def dropout(self, layer: Module, name: str, value: Value, shape: tuple) -> str:
        """Write nothing: dropout does nothing after training."""
        return value.place

    def residual(self, block: Residual, name: str, value: Value) -> Value:
        """Write a block of a body and a shortcut down."""
        raise NotImplementedError


def inside(name: str, own: str) -> str:
    """Return the name of a layer in another one."""
    return f"{name}.{own}" if name else own


def zeros_around(layer: Conv2d) -> tuple[int, int, int, int]:
    """Return columns and rows of zeros: left, right, top, bottom; of "same" the odd one is on the right or below."""
    if layer.padding == "valid":
        return 0, 0, 0, 0
    if layer.padding == "same":
        rows, columns = (step * (size - 1) for step, size in zip(layer.dilation, layer.kernel_size, strict=True))
        return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2
    rows, columns = layer.padding
    return columns, columns, rows, rows


def _shape(layer: Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    with no_grad():
        return layer(Tensor(np.zeros((1, *shape), np.float32))).shape[1:]
