"""Changes to a graph before it is laid out: what one kernel does at once is joined, and values get borders and share memory."""

from __future__ import annotations

from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.kernels.geometry import gradient_border

WITH_RELU = ("conv2d", "linear", "batch_norm", "add")
"""Operations whose kernels end in a ReLU if they are asked to; its gradient falls to the operations that read their output."""


def fuse(graph: Graph) -> None:
    """Join operations in place, and make every ReLU that is left a copy that ends in one."""
    _join_additions(graph)
    _join_relus(graph)


def _join_additions(graph: Graph) -> None:
    """Let a batch normalisation add what is added to nothing but its result; it then takes the addition's place."""
    consumers, producers = graph.consumers(), {operation.output: operation for operation in graph.operations}
    for addition in graph.of_kind("add"):
        for value, other in (addition.inputs, addition.inputs[::-1]):
            before = producers.get(value)
            if before and before.kind == "batch_norm" and len(before.inputs) == 1 and len(consumers[value]) == 1:
                before.inputs, before.output = [*before.inputs, other], addition.output
                graph.operations.remove(before)
                graph.operations[graph.operations.index(addition)] = before
                producers[before.output] = before
                break


def _join_relus(graph: Graph) -> None:
    consumers, producers = graph.consumers(), {operation.output: operation for operation in graph.operations}
    for relu in graph.of_kind("relu"):
        (value,) = relu.inputs
        before = producers.get(value)
        # The loss, which alone reads the logits, knows no ReLU.
        joins = len(consumers[value]) == 1 and graph.output not in (value, relu.output)
        if joins and before is not None and before.kind in WITH_RELU and not before.relu:
            before.output, before.relu = relu.output, True
            relu.output.is_relu_output = True
            producers[relu.output] = before
            graph.operations.remove(relu)
        else:
            relu.kind, relu.relu = "copy", True


def lay_out(graph: Graph) -> None:
    """Give all values their borders; turn what flattens into views, or into copies where a border is in the way."""
    for operation in graph.of_kind("conv2d"):
        _surround(operation)
    for flatten in graph.of_kind("flatten"):
        _flatten(graph, flatten)
    for linear in graph.of_kind("linear"):
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
