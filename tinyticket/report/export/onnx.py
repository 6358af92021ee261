"""ONNX: a network as a graph of operators with its weights, which onnxruntime and others run.

The input `x` is (N, shape of an example), the output `logits` (N, classes), both float32. Pruned weights are there as zeros.
The numbers of fields are those of the specification, onnx.proto3; a message is a row of fields, as protocol buffers write them.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tinyticket._version import __version__
from tinyticket.nn import Module, Residual
from tinyticket.report.export.network import Network
from tinyticket.report.export.walk import Value, Walk, zeros_around

IR_VERSION = 8
OPSET = 13  # of 2020: all that is needed, and read by every runtime since
FLOAT, INT64 = 1, 7  # types of tensors
AS_FLOAT, AS_INT, AS_STRING, AS_INTS = 1, 2, 3, 7  # types of attributes
VARINT, BYTES, FIXED = 0, 2, 5  # kinds of fields
Field = int | float | str | bytes
INPUT, OUTPUT, BATCH = "x", "logits", "N"


def to_onnx(network: Network) -> bytes:
    """Return a network as an ONNX model; InputError says that it cannot be expressed."""
    graph = Graph()
    model, shape = network.model("ONNX"), network.input_shape
    end = graph.through(model, "", Value(INPUT, shape))
    graph.node("Identity", "", [end.place], output=OUTPUT)
    fields: list[tuple[int, Field]] = [*((1, node) for node in graph.nodes), (2, "ticket")]
    fields += [(5, tensor) for tensor in graph.tensors.values()]
    fields += [(11, _declared(INPUT, shape)), (12, _declared(OUTPUT, end.shape))]
    opset = _message((1, ""), (2, OPSET))
    words = " ".join(network.words())
    return _message(
        (1, IR_VERSION), (2, "tinyticket"), (3, __version__), (6, words), (7, _message(*fields)), (8, opset)
    )


class Graph(Walk):
    """The nodes and tensors of a network."""

    format = "ONNX"

    def __init__(self):
        self.nodes: list[bytes] = []
        self.tensors: dict[str, bytes] = {}

    def node(self, operator: str, name: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        output = output or f"{name}:{operator}:{len(self.nodes)}"
        parts = [(5, _attribute(key, value)) for key, value in attributes.items()]
        named = [(1, source) for source in inputs]
        self.nodes.append(_message(*named, (2, output), (3, f"{name}:{len(self.nodes)}"), (4, operator), *parts))
        return output

    def tensor(self, name: str, value: np.ndarray) -> str:
        """Add values that are given and return their name."""
        whole = value.dtype.kind == "i"
        raw = value.astype("<i8" if whole else "<f4").tobytes()
        dimensions = [(1, length) for length in value.shape]
        self.tensors[name] = _message(*dimensions, (2, INT64 if whole else FLOAT), (8, name), (9, raw))
        return name

    def owned(self, layer: Module, name: str, *which: str) -> list[str]:
        """Add the arrays of a layer that are there, and return their names."""
        found = [(own, getattr(layer, own)) for own in which]
        return [self.tensor(f"{name}.{own}", array.data) for own, array in found if array is not None]

    # -- layers

    def linear(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("Gemm", name, [value.place, *self.owned(layer, name, "weight", "bias")], transB=1)

    def conv2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        left, right, top, bottom = zeros_around(layer)
        options = {"strides": layer.stride, "dilations": layer.dilation, "pads": (top, left, bottom, right)}
        return self.node(
            "Conv", name, [value.place, *self.owned(layer, name, "weight", "bias")], group=layer.groups, **options
        )

    def batchnorm1d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        start = [
            array.data if array is not None else np.full(layer.num_features, default, np.float32)
            for array, default in ((layer.weight, 1), (layer.bias, 0))
        ]
        scaled = [self.tensor(f"{name}.{own}", array) for own, array in zip(("weight", "bias"), start, strict=True)]
        statistics = self.owned(layer, name, "running_mean", "running_var")
        return self.node("BatchNormalization", name, [value.place, *scaled, *statistics], epsilon=layer.eps)

    batchnorm2d = batchnorm1d

    def relu(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("Relu", name, [value.place])

    def leakyrelu(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("LeakyRelu", name, [value.place], alpha=layer.negative_slope)

    def tanh(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("Tanh", name, [value.place])

    def sigmoid(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("Sigmoid", name, [value.place])

    def maxpool2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        options = {"dilations": layer.dilation, "ceil_mode": int(layer.ceil_mode)}
        return self.node("MaxPool", name, [value.place], **_windows(layer), **options)

    def avgpool2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("AveragePool", name, [value.place], **_windows(layer), count_include_pad=1)

    def globalavgpool2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("Flatten", name, [self.node("GlobalAveragePool", name, [value.place])], axis=1)

    def flatten(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        return self.node("Flatten", name, [value.place], axis=1)

    def zeropad2d(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        left, right, top, bottom = layer.padding
        return self._pad(name, value, [0, 0, top, left, 0, 0, bottom, right])

    def zeropadchannels(self, layer: Any, name: str, value: Value, shape: tuple) -> str:
        before, after = layer.padding
        return self._pad(name, value, [0, before, 0, 0, 0, after, 0, 0])

    def _pad(self, name: str, value: Value, counts: list[int]) -> str:
        return self.node("Pad", name, [value.place, self.tensor(f"{name}.counts", np.array(counts))])

    def residual(self, block: Residual, name: str, value: Value) -> Value:
        """Add a block's two ways."""
        body = self.through(block.body, f"{name}.body", value)
        other = value if block.shortcut is None else self.through(block.shortcut, f"{name}.shortcut", value)
        return Value(self.node("Relu", name, [self.node("Add", name, [body.place, other.place])]), body.shape)


def _windows(layer: Any) -> dict[str, Any]:
    return {"kernel_shape": layer.kernel_size, "strides": layer.stride, "pads": (*layer.padding, *layer.padding)}


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        return _message((1, name), (2, value), (20, AS_FLOAT))
    if isinstance(value, str):
        return _message((1, name), (4, value), (20, AS_STRING))
    if isinstance(value, int):
        return _message((1, name), (3, value), (20, AS_INT))
    return _message((1, name), *((8, number) for number in value), (20, AS_INTS))


def _declared(name: str, shape: tuple[int, ...]) -> bytes:
    """Return an input or output of a batch of any size."""
    sizes = [(1, _message((2, BATCH))), *((1, _message((1, length))) for length in shape)]
    return _message((1, name), (2, _message((1, _message((1, FLOAT), (2, _message(*sizes)))))))


def _message(*fields: tuple[int, Field]) -> bytes:
    """Return a message of fields (number, value), where a message inside is its bytes."""
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: Field) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | FIXED) + struct.pack("<f", value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | BYTES) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    """Return a whole number from 0 on, seven bits to a byte, the lowest first."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
