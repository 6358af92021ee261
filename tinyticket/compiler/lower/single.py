"""Fully-connected layers for single samples: what they make and read of each other are features beside each other.

They read the example, and write the logits, where the caller has them. Other operations have activations of sixteen lanes, of which
such a layer reads and writes the first; nothing else reads what it leaves in the others.
"""

from __future__ import annotations

from tinyticket.compiler.graph import Operation, Value
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.op import FEED, Block
from tinyticket.kernels.cpu.sparse_single import SparseLinearSingle

ASIDE = 4
"""By how much places are shifted where a feature is the first of sixteen lanes."""


def is_single(lower: Lowering, operation: Operation | None) -> bool:
    """Whether an operation is a layer for a single sample."""
    if not lower.single or operation is None or operation.kind != "linear":
        return False
    return lower.weights(operation).slices is not None


def layer(lower: Lowering, operation: Operation) -> None:
    """Write down a layer's forward pass."""
    weights, graph, (below,), above = lower.weights(operation), lower.layout.graph, operation.inputs, operation.output
    first, last = below.root is graph.start.root, above.root is graph.output.root
    # An address of 0 stands for the feed's.
    x, x_shift = (None, 0) if first else _place(lower, below, graph.maker(below))
    y, y_shift = (None, 0) if last else _place(lower, above, graph.reader(above))
    bias = operation.parameters.get("bias")
    shift = Block(above.channels) if bias is None else lower.layout.weights[bias].master
    arrays = weights.sliced_values, shift, x or 0, y or 0, x_shift, y_shift
    job = SparseLinearSingle(weights.sliced, *arrays, operation.relu, weights.is_whole, first, last, FEED)
    lower.emit(job, weights.slice_shares(), [weights.sliced_values, shift, *([x] if x else [])], [y] if y else [])


def _place(lower: Lowering, value: Value, other: Operation | None) -> tuple[Block, int]:
    """Return where a value lies that another operation makes or reads, and by how much places in it are shifted."""
    if not is_single(lower, other):
        return lower.values.value(value), ASIDE
    private = lower.values.private
    block = Block(value.size, kind=("single", value.size, private), private=private)
    return lower.narrow_values.setdefault(value.root, block), 0
