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
    """Return a model, given the shape of one example, as a graph of operations that have compiled kernels.

    If the model does something else, the UnsupportedError names the layer.
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
            if node.name not in _READERS:
                raise self.tape.refusal(node, f"there is no compiled kernel for {node.name} here")
            _READERS[node.name](self, node)
        return Graph(self.operations, self.start, self.values[self.tape.nodes[-1]], self.tape.names)

    def value(self, node: Node, tensor: Tensor) -> Value:
        """Return the value behind an input; constants and parameters are none."""
        if tensor is self.tape.start:
            return self.start
        if tensor.node is None:
            raise self.tape.refusal(node, f"{node.name} uses a tensor that is no result of the input")
        return self.values[tensor.node]

    def put(self, node: Node, kind: str, inputs: int = 1, parameters: tuple[str, ...] = (), **attributes: Any) -> None:
        """Note an operation: its first inputs are values, the others parameters."""
        values = [self.value(node, tensor) for tensor in node.inputs[:inputs]]
        tensors = zip(parameters, node.inputs[inputs:], strict=False)
        held: dict[str, Parameter] = {name: self.tape.parameter(node, tensor) for name, tensor in tensors}
        output = _value(self.shapes[node])
        output.needs_gradient = bool(held) or any(value.needs_gradient for value in values)
        self.values[node] = output
        self.operations.append(Operation(kind, self.tape.where(node), values, output, held, attributes))

    def square(self, node: Node) -> dict[str, Any]:
        """Return a stride and a padding that are the same in both directions."""
        found = {}
        for name in ("stride", "padding"):
            found[name], columns = node.attributes[name]
            if found[name] != columns:
                words = f"for rows and columns, not {found[name]} and {columns}"
                raise self.tape.refusal(node, f"compiled kernels want the same {name} {words}")
        return found


def _value(shape: tuple[int, ...]) -> Value:
    channels, *sides = shape[1:]
    height, width = sides or (1, 1)
    return Value(channels, height, width)


def _conv2d(reader: _Reader, node: Node) -> None:
    reader.put(node, "conv2d", 1, ("weight", "bias"), kernel=node.inputs[1].shape[2:], **reader.square(node))


def _linear(reader: _Reader, node: Node) -> None:
    if len(node.inputs[0].shape) != 2:
        raise reader.tape.refusal(node, "compiled linear layers take (N, features)")
    reader.put(node, "linear", 1, ("weight", "bias"))


def _batch_norm(reader: _Reader, node: Node) -> None:
    given = node.attributes
    running = given["running"] or ()
    if any(id(buffer) not in reader.tape.names for buffer in running):
        raise reader.tape.refusal(node, "its running statistics are no buffers of the model")
    reader.put(node, "batch_norm", 1, ("weight", "bias"), eps=given["eps"], momentum=given["momentum"], running=running)


def _pool(reader: _Reader, node: Node) -> None:
    if node.name == "global_avg_pool2d":
        reader.put(node, "avg_pool2d", kernel=node.inputs[0].shape[2:], stride=1, padding=0)
    else:
        reader.put(node, node.name, kernel=node.attributes["kernel_size"], **reader.square(node))


def _add(reader: _Reader, node: Node) -> None:
    shapes = [tensor.shape for tensor in node.inputs]
    if shapes[0] != shapes[1]:
        raise reader.tape.refusal(node, f"compiled additions want equal shapes, not {shapes}")
    reader.put(node, "add", 2)


def _same(reader: _Reader, node: Node) -> None:
    defaults = {"negative_slope": 0.01} if node.name == "leaky_relu" else {}
    reader.put(node, node.name, **defaults | node.attributes)


def _flatten(reader: _Reader, node: Node) -> None:
    before, after = node.inputs[0].shape, reader.shapes[node]
    if len(after) != 2 or after[0] != before[0]:
        raise reader.tape.refusal(node, f"compiled steps reshape {before} to one row an example only")
    reader.put(node, "flatten")


def _dropout(reader: _Reader, node: Node) -> None:
    _, module = reader.tape.module_of(node)
    if not isinstance(module, Dropout):
        raise reader.tape.refusal(node, "compiled steps draw for nn.Dropout only, not for functional.dropout")
    reader.put(node, "dropout", module=module, p=node.attributes["p"])


_READERS: dict[str, Callable[[_Reader, Node], None]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "global_avg_pool2d": _pool,
    "add": _add,
    "relu": _same,
    "leaky_relu": _same,
    "tanh": _same,
    "sigmoid": _same,
    "flatten": _flatten,
    "reshape": _flatten,
    "pad2d": _same,
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
    statistics = [id(buffer) for buffer in graph.buffers()]
    if len(set(statistics)) < len(statistics):
        raise UnsupportedError("two layers share running statistics")
