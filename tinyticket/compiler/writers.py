"""Who writes a value's gradient first, later and last.

Gradients of a value that several operations read add up: the first to write starts it, the others add, and the last one applies
the gradient of the ReLU that the value came out of.
"""

from __future__ import annotations

from collections import Counter

from tinyticket.compiler.graph import Graph, Value


class Writers:
    """Knows of every value whether its gradient has been begun, and how many operations are still to write it.

    Parameters
    ----------
    graph : Graph
        Laid out: values that are views count as what they are views of.
    """

    def __init__(self, graph: Graph):
        self._to_come = _writers(graph)
        self._begun: set[Value] = set()

    def begin(self, value: Value) -> tuple[bool, bool]:
        """Note that something writes a value's gradient; return whether it adds and whether it applies a ReLU's gradient."""
        root = value.root
        add = root in self._begun
        self._begun.add(root)
        self._to_come[root] -= 1
        return add, root.is_relu_output and self._to_come[root] == 0


def _writers(graph: Graph) -> Counter[Value]:
    """Count for every value those that will write its gradient."""
    counts: Counter[Value] = Counter()
    counts[graph.output.root] += 1
    for operation in graph.operations:
        skips = operation.kind in ("conv2d", "linear")
        for value in operation.inputs:
            if operation.output.needs_gradient and (value.needs_gradient or not skips):
                counts[value.root] += 1
    return counts
