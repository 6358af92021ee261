"""From the tape of one pass to a graph: which operations, on values of which shape, with which parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinyticket.autograd import Tensor
from tinyticket.autograd.tape import Node
from tinyticket.compiler.fuse import fuse
from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.compiler.tape import Tape, UnsupportedError, record
from tinyticket.nn import Dropout, Module, Parameter


def read_graph(model: Module, input_shape: tuple[int, ...]) -> Graph:
    """Return a model as a graph of operations that have compiled kernels.

    Parameters
    ----------
    model
    input_shape
        Of one example.

    Raises
    ------
    UnsupportedError
        If the model does something else; the message names the layer.
    """
    tape = record(model, input_shape)
    graph = _Reader(tape).graph()
    _check(model, tape, graph)
    fuse(graph)
    return graph


class _Reader:
    """Turns node after node into operations."""

    def __init__(self, tape: Tape):
        self.tape = tape
        self.shapes = {tensor.node: tensor.shape for node in tape.nodes for tensor in node.inputs if tensor.node}
        self.shapes[tape.nodes[-1]] = tape.output.shape
        self.start = _value(tape.start.shape)
        self.values: dict[Node, Value] = {}
        self.operations: list[Operation] = []

    def graph(self) -> Graph:
        for node in self.tape.nodes:
            read = _READERS.get(node.name)
            if read is None:
                raise UnsupportedError(f"{self.tape.where(node)}: there is no compiled kernel for {node.name} here")
            read(self, node)
        return Graph(self.operations, self.start, self.values[self.tape.nodes[-1]], self.tape.names)

    def value(self, node: Node, tensor: Tensor) -> Value:
        """Return the value behind an input; constants and parameters are none."""
        if tensor is self.tape.start:
            return self.start
        if tensor.node is None:
            raise UnsupportedError(f"{self.tape.where(node)}: {node.name} uses a tensor that is no result of the input")
        return self.values[tensor.node]

    def put(self, node: Node, kind: str, inputs: int = 1, parameters: tuple[str, ...] = (), **attributes: Any) -> None:
        """Note an operation: its first inputs are values, the others parameters."""
        values = [self.value(node, tensor) for tensor in node.inputs[:inputs]]
        held: dict[str, Parameter] = {
            name: self.tape.parameter(node, tensor)
            for name, tensor in zip(parameters, node.inputs[inputs:], strict=False)
        }
        output = _value(self.shapes[node])
        output.needs_gradient = bool(held) or any(value.needs_gradient for value in values)
        self.values[node] = output
        self.operations.append(Operation(kind, self.tape.where(node), values, output, held, attributes))

    def square(self, node: Node, name: str) -> int:
        """Return a stride or a padding that is the same in both directions."""
        rows, columns = node.attributes[name]
        if rows != columns:
            raise UnsupportedError(
                f"{self.tape.where(node)}: compiled kernels want the same {name} for rows and columns, "
                f"not {rows} and {columns}"
            )
        return rows


def _value(shape: tuple[int, ...]) -> Value:
    channels, *sides = shape[1:]
    height, width = sides or (1, 1)
    return Value(channels, height, width)


def _conv2d(reader: _Reader, node: Node) -> None:
    stride, padding = reader.square(node, "stride"), reader.square(node, "padding")
    reader.put(node, "conv2d", 1, ("weight", "bias"), kernel=node.inputs[1].shape[2:], stride=stride, padding=padding)


def _linear(reader: _Reader, node: Node) -> None:
    if len(node.inputs[0].shape) != 2:
        raise UnsupportedError(f"{reader.tape.where(node)}: compiled linear layers take (N, features)")
    reader.put(node, "linear", 1, ("weight", "bias"))


def _batch_norm(reader: _Reader, node: Node) -> None:
    given = node.attributes
    running = given["running"] or ()
    if any(id(buffer) not in reader.tape.names for buffer in running):
        raise UnsupportedError(f"{reader.tape.where(node)}: its running statistics are no buffers of the model")
    reader.put(node, "batch_norm", 1, ("weight", "bias"), eps=given["eps"], momentum=given["momentum"], running=running)


def _pool(kind: str) -> Callable[[_Reader, Node], None]:
    def read(reader: _Reader, node: Node) -> None:
        stride, padding = reader.square(node, "stride"), reader.square(node, "padding")
        reader.put(node, kind, kernel=node.attributes["kernel_size"], stride=stride, padding=padding)

    return read


def _global_pool(reader: _Reader, node: Node) -> None:
    reader.put(node, "avg_pool2d", kernel=node.inputs[0].shape[2:], stride=1, padding=0)


def _add(reader: _Reader, node: Node) -> None:
    shapes = [tensor.shape for tensor in node.inputs]
    if shapes[0] != shapes[1]:
        raise UnsupportedError(f"{reader.tape.where(node)}: compiled additions want equal shapes, not {shapes}")
    reader.put(node, "add", 2)


def _leaky_relu(reader: _Reader, node: Node) -> None:
    reader.put(node, "leaky_relu", negative_slope=node.attributes.get("negative_slope", 0.01))


def _plain(kind: str) -> Callable[[_Reader, Node], None]:
    return lambda reader, node: reader.put(node, kind)


def _flatten(reader: _Reader, node: Node) -> None:
    before, after = node.inputs[0].shape, reader.shapes[node]
    if len(after) != 2 or after[0] != before[0]:
        raise UnsupportedError(f"{reader.tape.where(node)}: compiled steps reshape {before} to one row an example only")
    reader.put(node, "flatten")


def _pad(reader: _Reader, node: Node) -> None:
    reader.put(node, "pad2d", padding=node.attributes["padding"])


def _dropout(reader: _Reader, node: Node) -> None:
    _, module = reader.tape.module_of(node)
    if not isinstance(module, Dropout):
        raise UnsupportedError(
            f"{reader.tape.where(node)}: compiled steps draw for nn.Dropout only, not for functional.dropout"
        )
    reader.put(node, "dropout", module=module, p=node.attributes["p"])


_READERS: dict[str, Callable[[_Reader, Node], None]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "max_pool2d": _pool("max_pool2d"),
    "avg_pool2d": _pool("avg_pool2d"),
    "global_avg_pool2d": _global_pool,
    "add": _add,
    "relu": _plain("relu"),
    "leaky_relu": _leaky_relu,
    "tanh": _plain("tanh"),
    "sigmoid": _plain("sigmoid"),
    "flatten": _flatten,
    "reshape": _flatten,
    "pad2d": _pad,
    "dropout": _dropout,
}


def _check(model: Module, tape: Tape, graph: Graph) -> None:
    if not graph.weighted():
        raise UnsupportedError("the model has no convolution and no linear layer")
    if len(tape.output.shape) != 2:
        raise UnsupportedError(f"the model's output has the shape {tape.output.shape}, not (N, classes)")
    used = [id(parameter) for parameter in graph.parameters()]
    if len(set(used)) < len(used):
        raise UnsupportedError("two layers share a parameter")
    if unused := [name for name, parameter in model.named_parameters() if id(parameter) not in used]:
        raise UnsupportedError(f"{unused[0]}: a parameter that the output does not depend on")
    statistics = [id(buffer) for op in graph.operations for buffer in op.attributes.get("running", ())]
    if len(set(statistics)) < len(statistics):
        raise UnsupportedError("two layers share running statistics")
