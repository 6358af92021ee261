"""The C program of a network: what is called for each layer, in which buffers."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np

from tinyticket.nn import BatchNorm1d, BatchNorm2d, Conv2d, Linear, Module, Residual
from tinyticket.report.export.c import weights
from tinyticket.report.export.c.helpers import HELPERS
from tinyticket.report.export.walk import Value, Walk, inside, zeros_around

Normalisation = tuple[np.ndarray, np.ndarray]
"""What a batch normalisation multiplies channels by, and adds then, in float64."""

HEAD = """\
 *
 * void ticket(const float *x, float *logits) computes one example. It allocates nothing, and works in static buffers of {floats}
 * floats, so that one call is to end before the next begins. Weights that are zero are not there.
 */

#include <stddef.h>
#include <stdint.h>
"""
INCLUDES = {"FLT_MAX": "#include <float.h>\n", "expf(": "#include <math.h>\n", "tanhf(": "#include <math.h>\n"}


INPUT = "x"
"""The caller's array, which is only read."""


class Buffers:
    """The arrays that a program computes in, with how many floats each holds at most."""

    def __init__(self):
        self.sizes: dict[str, int] = {}
        self._readers: dict[str, int] = {}

    def take(self, size: int) -> str:
        """Return a buffer that nobody reads, of so many floats at least, with one reader to come."""
        free = [name for name in self.sizes if not self._readers[name]]
        name = max(free, key=self.sizes.__getitem__, default=f"buffer{len(self.sizes)}")
        self.sizes[name] = max(size, self.sizes.get(name, 0))
        self._readers[name] = 1
        return name

    def keep(self, name: str) -> None:
        """Let a buffer have one more reader."""
        if name != INPUT:
            self._readers[name] += 1

    def drop(self, name: str) -> None:
        """Say that a reader has done."""
        if name != INPUT:
            self._readers[name] -= 1

    def may_change(self, name: str) -> bool:
        """Whether its only reader may write into it."""
        return name != INPUT and self._readers[name] == 1


class Program(Walk):
    """The layers, helpers and calls of a network."""

    format = "C"

    def __init__(self, input_shape: tuple[int, ...]):
        self.buffers = Buffers()
        self._layers: list[str] = []
        self._helpers: dict[str, None] = {}  # those that are called
        self._calls: list[str] = []
        self._names: set[str] = set()
        self._norm: Normalisation | None = None  # behind the layer that is being written

    def text(self, words: list[str], end: Value) -> str:
        """Return the whole file; `words` say what it is."""
        self._call("copy", end.place, "logits", _count(end))
        floats = sum(self.buffers.sizes.values())
        comment = "\n".join(f" * {line.replace('*/', '* /')}" for line in words)
        buffers = "".join(f"static float {name}[{size}];\n" for name, size in self.buffers.sizes.items())
        helpers = "".join(HELPERS[name] for name in self._helpers)
        needed = dict.fromkeys(line for word, line in INCLUDES.items() if word in helpers)
        calls = "".join(f"    {call}\n" for call in self._calls)
        ticket = (
            f"void ticket(const float *x, float *logits);\n\nvoid ticket(const float *x, float *logits) {{\n{calls}}}\n"
        )
        head = f"/*\n{comment}\n{HEAD.format(floats=f'{floats:,}')}{''.join(needed)}"
        return "\n".join([head, *self._layers, buffers, helpers.strip("\n"), "", ticket])

    # -- layers of weights, with the normalisation behind them

    def sequence(self, layers: list[tuple[str, Module]], name: str, value: Value) -> Value:
        """Write layers down; a batch normalisation behind a layer of weights becomes part of that."""
        at = 0
        while at < len(layers):
            (own, layer), behind = layers[at], layers[at + 1][1] if at + 1 < len(layers) else None
            self._norm = None
            if isinstance(layer, Linear | Conv2d) and isinstance(behind, BatchNorm1d | BatchNorm2d):
                self._norm, at = _normalisation(behind), at + 1
            value, at = self.through(layer, inside(name, own), value), at + 1
        return value

    def linear(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        called = self._identifier(name)
        self._layers.append(weights.linear(called, *self._folded(layer)))
        return self._move(f"{called}_layer", value, shape)

    def conv2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        called, folded = self._identifier(name), self._folded(layer)
        left, right, top, bottom = zeros_around(layer)
        channels, height, width = value.shape
        padded = (channels, height + top + bottom, width + left + right)
        if padded != value.shape:
            value = Value(self._padded(value, padded, left, right, top, bottom), padded)
        self._layers.append(weights.convolution(called, layer, *folded, padded, shape))
        return self._move(f"{called}_layer", value, shape)

    def batchnorm1d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        called, (scale, shift) = self._identifier(name), _normalisation(layer)
        arrays = [(f"{called}_scale", scale), (f"{called}_shift", shift)]
        self._layers += [weights.array(each, values.astype(np.float32)) for each, values in arrays]
        return self._change("scale_channels", value, *(each for each, _ in arrays), shape[0], math.prod(shape[1:]))

    batchnorm2d = batchnorm1d

    def _folded(self, layer: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a layer's weight and bias, with the normalisation that follows in them."""
        weight, bias = layer.weight.data, None if layer.bias is None else layer.bias.data
        if self._norm is not None:
            scale, shift = self._norm
            weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
            bias = shift if bias is None else bias * scale + shift
        return weight.astype(np.float32), None if bias is None else bias.astype(np.float32)

    # -- other layers

    def relu(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self._change("relu", value, _count(value))

    def leakyrelu(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self._change("leaky_relu", value, _count(value), weights.number(layer.negative_slope))

    def tanh(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self._change("hyperbolic", value, _count(value))

    def sigmoid(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self._change("sigmoid", value, _count(value))

    def maxpool2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        windows = *layer.kernel_size, *layer.stride, *layer.padding, *layer.dilation
        return self._move("max_pool", value, shape, *value.shape, *shape[1:], *windows)

    def avgpool2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        windows = *layer.kernel_size, *layer.stride, *layer.padding
        return self._move("average_pool", value, shape, *value.shape, *shape[1:], *windows)

    def globalavgpool2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self._move("average", value, shape, shape[0], math.prod(value.shape[1:]))

    def flatten(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return value.place

    def zeropad2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self._padded(value, shape, *layer.padding)

    def zeropadchannels(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        before, after = (count * math.prod(shape[1:]) for count in layer.padding)
        return self._move("pad_channels", value, shape, _count(value), before, after)

    def residual(self, block: Residual, name: str, value: Value) -> Value:
        """Write both ways of a block down, the body first, while the shortcut's input waits."""
        self.buffers.keep(value.place)
        body = self.through(block.body, inside(name, "body"), value)
        other = value if block.shortcut is None else self.through(block.shortcut, inside(name, "shortcut"), value)
        added = self._change("add", body, other.place, _count(body))
        self.buffers.drop(other.place)
        return Value(self._change("relu", Value(added, body.shape), _count(body)), body.shape)

    # -- calls

    def _call(self, function: str, *arguments: Any) -> None:
        if function in HELPERS:
            self._helpers[function] = None
        self._calls.append(f"{function}({', '.join(map(str, arguments))});")

    def _move(self, function: str, value: Value, shape: tuple, *arguments: Any) -> str:
        """Call a function from one buffer to another one."""
        place = self.buffers.take(math.prod(shape))
        self._call(function, value.place, place, *arguments)
        self.buffers.drop(value.place)
        return place

    def _change(self, function: str, value: Value, *arguments: Any) -> str:
        """Call a function that changes a buffer, or a copy where another layer reads it too."""
        place = value.place
        if not self.buffers.may_change(place):
            place = self._move("copy", value, value.shape, _count(value))
        self._call(function, place, *arguments)
        return place

    def _padded(self, value: Value, shape: tuple, *counts: int) -> str:
        return self._move("pad", value, shape, *value.shape, *counts)

    def _identifier(self, name: str) -> str:
        """Return a layer's name as one in C, of its own."""
        cleaned = re.sub(r"\W", "_", name, flags=re.ASCII)
        base = cleaned if re.match(r"[A-Za-z]", cleaned) else f"layer_{cleaned}"
        names = (f"{base}_{number}" if number else base for number in itertools.count())
        found = next(name for name in names if name not in self._names)
        self._names.add(found)
        return found


def _count(value: Value) -> int:
    return math.prod(value.shape)


def _normalisation(layer: Any) -> Normalisation:
    mean, variance = (array.data.astype(np.float64) for array in (layer.running_mean, layer.running_var))
    scale = 1 / np.sqrt(variance + layer.eps)
    if layer.weight is not None:
        scale = scale * layer.weight.data
    return scale, (0 if layer.bias is None else layer.bias.data) - mean * scale
