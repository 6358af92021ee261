"""Lowering: from a network's graph to the lists of operations of its programs, once for every back end.

`layers` and `images` write down the forward and the backward pass of the operations of a graph, `batch` what is before and behind
them, `lowering` the update of weights; each operation is a kernel's job with blocks of memory where addresses will be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.compiler.layout import Layout, Values
from tinyticket.compiler.lower import batch, images, layers, single
from tinyticket.compiler.lower.lowering import Lowering, Program, refreshed
from tinyticket.compiler.op import Block
from tinyticket.nn import Parameter

__all__ = [
    "Program",
    "evaluation",
    "gradients",
    "prediction",
    "prediction_of_one",
    "refresh",
    "training",
    "training_apart",
]

Pass = Callable[[Lowering, Operation], None]

PASSES: dict[str, tuple[Pass, Pass]] = {
    "conv2d": (layers.layer, layers.layer_backward),
    "linear": (layers.layer, layers.layer_backward),
    "batch_norm": (images.batch_norm, images.batch_norm_backward),
    "srelu": (images.srelu, images.srelu_backward),
    "add": (images.add, images.add_backward),
    "pad2d": (images.pad, images.pad_backward),
    **dict.fromkeys(images.PLANE_BY_PLANE, (images.plane_by_plane, images.plane_by_plane_backward)),
}
"""By the kind of an operation, what writes down its forward and its backward pass."""

WHOLE = {"conv2d": layers.conv2d_gradient, "linear": layers.linear_gradient}
"""What writes down the gradients of all weights where some are pruned, or are updated while they are computed."""


def training(layout: Layout, values: Values, rule: int, penalties: Mapping[Parameter, float]) -> Program:
    """Return a training step: forward, loss, backward, and the update by an optimizer's rule under L1 penalties."""
    return _forth_and_back(Lowering(layout=layout, values=values, training=True, rule=rule, penalties=penalties))


def training_apart(layout: Layout, values: Values, rule: int) -> tuple[Program, Program]:
    """Return a training step in turns of one tile each, which leave parts of the gradients, and the update by their sum."""
    turns = _forth_and_back(Lowering(layout=layout, values=values, training=True, rule=rule, apart=True))
    updates, turns.chains = Program(chains=turns.chains), []
    return turns, updates


def gradients(layout: Layout, values: Values) -> Program:
    """Return a training step that updates nothing: sparse layers run as they do, but for the gradient of all weights.

    Its values lie where those of the training step of this layout do, which has been lowered before.
    """
    return _forth_and_back(Lowering(layout=layout, values=values, training=True, updates=False))


def evaluation(layout: Layout, values: Values) -> Program:
    """Return an evaluation: forward by running statistics, and the loss."""
    return _forward(Lowering(layout=layout, values=values, training=False), batch.loss)


def prediction(layout: Layout, values: Values) -> Program:
    """Return a prediction: an evaluation that writes the logits out instead of their loss."""
    return _forward(Lowering(layout=layout, values=values, training=False), batch.unpack)


def prediction_of_one(layout: Layout, values: Values) -> Program:
    """Return a prediction whose turns are single samples of float32."""
    return _forward(Lowering(layout=layout, values=values, training=False, single=True), batch.unpack)


def refresh(layout: Layout) -> Program:
    """Return what brings weights into the orders that passes read, once they have been written from outside."""
    return Program([op for o in layout.graph.weighted() for op in refreshed(layout.weights[o.parameters["weight"]], o)])


def _forth_and_back(lower: Lowering) -> Program:
    """Write down a training step."""
    _forward(lower, batch.loss)
    for operation in _backward(lower):
        # The backward pass of a dense convolution leaves the gradient of all weights in memory; others do not.
        is_dense = operation.kind == "conv2d" and lower.weights(operation).pattern is None
        if not lower.updates and operation.kind in WHOLE and not is_dense:
            weight = operation.parameters["weight"]
            lower.whole[weight] = Block(weight.size)
            WHOLE[operation.kind](lower, operation, lower.whole[weight])
        PASSES[operation.kind][1](lower, operation)
    return lower


def _forward(lower: Lowering, end: Callable[[Lowering], None]) -> Program:
    """Write down the way forward, from a batch to the loss or whatever is at the end."""
    lower.values.restart()
    operations = lower.layout.graph.operations
    if not single.is_single(lower, operations[0]):
        batch.gather(lower)
    for operation in operations:
        lower.layer = operation
        PASSES[operation.kind][0](lower, operation)
    lower.layer = None
    if not single.is_single(lower, operations[-1]):
        end(lower)
    return lower


def _backward(lower: Lowering) -> Iterator[Operation]:
    """Yield the operations that have a backward pass, last first, once what they read has been made again if it was not kept."""
    passing = {} if lower.layout.plain else _passing(lower.layout.graph)
    for operation in reversed(lower.layout.graph.operations):
        if operation.output.needs_gradient:
            for value in operation.inputs:
                if value in passing:
                    lower.layer = passing[value]
                    images.batch_norm_again(lower, passing[value])
            lower.layer = operation
            yield operation
    lower.layer = None


def _passing(graph: Graph) -> dict[Value, Operation]:
    """Return the values that are not kept for the backward pass, because making them again is cheap, and what makes them.

    They are the results of batch normalisations that one operation alone reads; the normalisation keeps its own input, from which
    one pass makes them. So a network of convolutions and normalisations keeps one value for each pair, not two.
    """
    consumers = graph.consumers()
    alone = [o for o in graph.of_kind("batch_norm") if len(o.inputs) == 1]
    return {o.output: o for o in alone if len(consumers[o.output]) == 1 and consumers[o.output][0].kind == "conv2d"}
