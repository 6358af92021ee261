"""What one kernel does at once: an operation with the ReLU behind it, a batch normalisation with the addition behind it."""

from __future__ import annotations

from tinyticket.compiler.graph import Graph, Operation, Value

WITH_RELU = ("conv2d", "linear", "batch_norm", "add")
"""Operations whose kernels end in a ReLU if they are asked to; its gradient falls to the operations that read their output."""


def fuse(graph: Graph) -> None:
    """Join operations in place, and make every ReLU that is left a copy that ends in one."""
    _join_additions(graph)
    _join_relus(graph)


def _join_additions(graph: Graph) -> None:
    """Let a batch normalisation add what is added to nothing but its result; it then takes the addition's place."""
    consumers, producers = graph.consumers(), {operation.output: operation for operation in graph.operations}
    for addition in [operation for operation in graph.operations if operation.kind == "add"]:
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
    for relu in [operation for operation in graph.operations if operation.kind == "relu"]:
        (value,) = relu.inputs
        before = producers.get(value)
        if _may_end_in_relu(before, value, relu.output, consumers, graph):
            assert before is not None
            before.output, before.relu = relu.output, True
            relu.output.is_relu_output = True
            producers[relu.output] = before
            graph.operations.remove(relu)
        else:
            relu.kind, relu.relu = "copy", True


def _may_end_in_relu(
    before: Operation | None, value: Value, output: Value, consumers: dict[Value, list[Operation]], graph: Graph
) -> bool:
    if before is None or before.kind not in WITH_RELU or before.relu or len(consumers[value]) != 1:
        return False
    # Nobody reads the logits but the loss, which knows no ReLU.
    return graph.output not in (value, output)
