"""From the tape of one pass to a graph: which operations, on values of which shape, with which parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinyticket.autograd.tape import Node
from tinyticket.compiler.fuse import fuse
from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.compiler.tape import Tape, UnsupportedError, record
from tinyticket.nn import Dropout, Module, SparseLinear

Shape = tuple[int, ...]
Attributes = dict[str, Any]


def read_graph(model: Module, input_shape: Shape) -> Graph:
    """Return a model, given the shape of one example, as a graph of operations that have compiled kernels.

    If the model does something else, the UnsupportedError names the layer.
    """
    tape = record(model, input_shape)
    graph = _graph(tape)
    _check(model, tape, graph)
    fuse(graph)
    return graph


def _graph(tape: Tape) -> Graph:
    """Turn node after node into operations: the first inputs of each are values, the others parameters."""
    shapes = {tensor.node: tensor.shape for node in tape.nodes for tensor in node.inputs if tensor.node}
    shapes[tape.nodes[-1]] = tape.output.shape
    start, values, operations = _value(tape.start.shape), dict[Node | None, Value](), list[Operation]()
    for node in tape.nodes:
        if node.name not in _READERS:
            raise tape.refusal(node, f"there is no compiled kernel for {node.name} here")
        kind, count = _KINDS.get(node.name, node.name), 2 if node.name == "add" else 1
        attributes = _READERS[node.name](tape, node, shapes[node])
        inputs = [start if tensor is tape.start else values.get(tensor.node) for tensor in node.inputs[:count]]
        known = [value for value in inputs if value is not None]
        if len(known) < count:
            raise tape.refusal(node, f"{node.name} uses a tensor that is no result of the input")
        tensors = zip(_PARAMETERS.get(kind, ("weight", "bias")), node.inputs[count:], strict=False)
        held = {name: tape.parameter(node, tensor) for name, tensor in tensors}
        output = values[node] = _value(shapes[node])
        output.needs_gradient = bool(held) or any(value.needs_gradient for value in known)
        operations.append(Operation(kind, tape.where(node), known, output, held, attributes))
    return Graph(operations, start, output, tape.names)


def _value(shape: Shape) -> Value:
    if not 2 <= len(shape) <= 4:
        raise UnsupportedError(f"compiled kernels take features, sequences or images, not values of shape {shape}")
    channels, *sides = shape[1:]
    height, width = (1, 1, *sides)[-2:]  # a sequence is an image of one row
    return Value(channels, height, width)


def _square(tape: Tape, node: Node) -> Attributes:
    """Return a stride and a padding that are the same in both directions, of windows without peculiarities."""
    for name, usual in (("dilation", (1, 1)), ("groups", 1), ("ceil_mode", False)):
        if node.attributes.get(name, usual) != usual:
            raise tape.refusal(node, f"compiled kernels know no {name}")
    for name in ("stride", "padding"):
        rows, columns = node.attributes[name]
        if rows != columns:
            words = f"for rows and columns, not {rows} and {columns}"
            raise tape.refusal(node, f"compiled kernels want the same {name} {words}")
    return {name: node.attributes[name][0] for name in ("stride", "padding")}


def _conv2d(tape: Tape, node: Node, shape: Shape) -> Attributes:
    return {"kernel": node.inputs[1].shape[2:], **_square(tape, node)}


def _linear(tape: Tape, node: Node, shape: Shape) -> Attributes:
    if len(node.inputs[0].shape) != 2:
        raise tape.refusal(node, "compiled linear layers take (N, features)")
    return {}


def _sparse_linear(tape: Tape, node: Node, shape: Shape) -> Attributes:
    _, module = tape.module_of(node)
    if not isinstance(module, SparseLinear):
        raise tape.refusal(node, "compiled steps know the connections of nn.SparseLinear only")
    return {"connected": module, **_linear(tape, node, shape)}


def _batch_norm(tape: Tape, node: Node, shape: Shape) -> Attributes:
    running = node.attributes["running"] or ()
    if any(id(buffer) not in tape.names for buffer in running):
        raise tape.refusal(node, "its running statistics are no buffers of the model")
    return {"eps": node.attributes["eps"], "momentum": node.attributes["momentum"], "running": running}


def _pool(tape: Tape, node: Node, shape: Shape) -> Attributes:
    if node.name == "global_avg_pool2d":
        return {"kernel": node.inputs[0].shape[2:], "stride": 1, "padding": 0}
    return {"kernel": node.attributes["kernel_size"], **_square(tape, node)}


def _add(tape: Tape, node: Node, shape: Shape) -> Attributes:
    shapes = [tensor.shape for tensor in node.inputs]
    if shapes[0] != shapes[1]:
        raise tape.refusal(node, f"compiled additions want equal shapes, not {shapes}")
    return {}


def _same(tape: Tape, node: Node, shape: Shape) -> Attributes:
    defaults = {"negative_slope": 0.01} if node.name == "leaky_relu" else {}
    return defaults | node.attributes


def _flatten(tape: Tape, node: Node, shape: Shape) -> Attributes:
    before = node.inputs[0].shape
    if len(shape) != 2 or shape[0] != before[0]:
        raise tape.refusal(node, f"compiled steps reshape {before} to one row an example only")
    return {}


def _dropout(tape: Tape, node: Node, shape: Shape) -> Attributes:
    _, module = tape.module_of(node)
    if not isinstance(module, Dropout):
        raise tape.refusal(node, "compiled steps draw for nn.Dropout only, not for functional.dropout")
    return {"module": module, "p": node.attributes["p"]}


_READERS: dict[str, Callable[[Tape, Node, Shape], Attributes]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "sparse_linear": _sparse_linear,
    "batch_norm": _batch_norm,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "global_avg_pool2d": _pool,
    "add": _add,
    "relu": _same,
    "leaky_relu": _same,
    "tanh": _same,
    "sigmoid": _same,
    "srelu": _same,
    "flatten": _flatten,
    "reshape": _flatten,
    "pad2d": _same,
    "dropout": _dropout,
}
"""By the name of a node, what returns the attributes of its operation, given the shape of its result."""

_KINDS = {"global_avg_pool2d": "avg_pool2d", "reshape": "flatten", "sparse_linear": "linear"}
"""Kinds of operations that are not called as their nodes are."""

_PARAMETERS = {"srelu": ("t_left", "a_left", "t_right", "a_right")}
"""By the kind of an operation, the names of its parameters, where these are no weight and bias."""


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
