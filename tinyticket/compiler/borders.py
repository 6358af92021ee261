"""Which values have a border of zeros, which share memory, and where a copy has to stand between the two."""

from __future__ import annotations

from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.kernels.geometry import gradient_border


def lay_out(graph: Graph) -> None:
    """Give all values their borders; turn what flattens into views, or into copies where a border is in the way."""
    for operation in graph.operations:
        if operation.kind == "conv2d":
            _surround(operation)
    for flatten in [operation for operation in graph.operations if operation.kind == "flatten"]:
        _flatten(graph, flatten)
    for linear in [operation for operation in graph.operations if operation.kind == "linear"]:
        _have_to_itself(graph, linear)


def _surround(convolution: Operation) -> None:
    """Give a convolution's images the zeros that its passes find beyond the edge."""
    (x,), y, given = convolution.inputs, convolution.output, convolution.attributes
    x.border = max(x.border, given["padding"])
    for size, kernel in zip((x.height, x.width), given["kernel"], strict=True):
        y.border = max(y.border, gradient_border(size, kernel, given["stride"], given["padding"]))


def _flatten(graph: Graph, flatten: Operation) -> None:
    """Let the result share its input's memory if that has no border and no other operation adds to its gradient."""
    (x,), y = flatten.inputs, flatten.output
    alone = len(graph.consumers()[x]) == 1 or not x.needs_gradient
    if x.border == 0 and alone:
        y.view_of, y.is_relu_output = x, x.is_relu_output
        graph.operations.remove(flatten)
    else:
        flatten.kind = "copy"


def _have_to_itself(graph: Graph, linear: Operation) -> None:
    """Let a linear layer be the first to write its input's gradient, since its kernels do not add to one.

    Backward passes come in the opposite order, so it must be the last to read the value; else it gets a copy.
    """
    (x,) = linear.inputs
    if x.needs_gradient and graph.consumers()[x][-1] is not linear:
        own = Value(x.channels, x.height, x.width, needs_gradient=True)
        linear.inputs = [own]
        graph.operations.insert(graph.operations.index(linear), Operation("copy", linear.where, [x], own))
