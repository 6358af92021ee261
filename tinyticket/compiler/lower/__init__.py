"""Lowering: from a network's graph to the lists of operations of its programs, once for every back end.

`linear`, `convolution` and `images` write down the forward and the backward pass of the operations of a graph, `batch` what is
before and behind them, `update` what becomes of weights; each operation is a kernel's job with blocks of memory where addresses
will be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.compiler.layout import Layout, Values
from tinyticket.compiler.lower import batch, convolution, images, linear
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.lower.update import refreshed
from tinyticket.compiler.op import Block, Op
from tinyticket.nn import Parameter

PASSES = {
    "conv2d": (convolution.conv2d, convolution.conv2d_backward),
    "linear": (linear.linear, linear.linear_backward),
    "batch_norm": (images.batch_norm, images.batch_norm_backward),
    "max_pool2d": (images.pool, images.pool_backward),
    "avg_pool2d": (images.pool, images.pool_backward),
    "add": (images.add, images.add_backward),
    "copy": (images.copy, images.copy_backward),
    "pad2d": (images.pad, images.pad_backward),
    "dropout": (images.dropout, images.dropout_backward),
    "leaky_relu": (images.activation, images.activation_backward),
    "tanh": (images.activation, images.activation_backward),
    "sigmoid": (images.activation, images.activation_backward),
}
"""By the kind of an operation, what writes down its forward and its backward pass."""

WHOLE = {"conv2d": convolution.conv2d_gradient, "linear": linear.linear_gradient}
"""What writes down the gradients of all weights where some are pruned, or are updated while they are computed."""


class Program(NamedTuple):
    """What is done in a turn.

    Attributes
    ----------
    ops : list of Op
    chains : list of lists of Op
        What may be done between them: `schedule` says where.
    kept : dict of Operation to int
        Dropouts, and where their masks begin among the bytes of a turn, `kept_size` in all.
    whole : dict of Parameter to Block
        Where the gradients of all weights of a parameter are, if that is not where its survivors' are.
    """

    ops: list[Op]
    chains: list[list[Op]]
    kept: dict[Operation, int]
    kept_size: int
    whole: dict[Parameter, Block]


def training(layout: Layout, values: Values, rule: int, penalties: Mapping[Parameter, float]) -> Program:
    """Return a training step: forward, loss, backward, and the update by an optimizer's rule under L1 penalties."""
    lower = Lowering(layout, values, training=True, rule=rule, penalties=penalties)
    _forward(lower)
    batch.loss(lower)
    for operation in _backward(lower):
        PASSES[operation.kind][1](lower, operation)
    return _program(lower)


def training_apart(layout: Layout, values: Values, rule: int) -> tuple[Program, Program]:
    """Return a training step in turns of one tile each, which leave parts of the gradients, and the update by their sum."""
    lower = Lowering(layout, values, training=True, rule=rule, apart=True)
    _forward(lower)
    batch.loss(lower)
    for operation in _backward(lower):
        PASSES[operation.kind][1](lower, operation)
    turns = _program(lower)
    return turns._replace(chains=[]), Program([], turns.chains, {}, 0, {})


def gradients(layout: Layout, values: Values) -> Program:
    """Return a training step that updates nothing: sparse layers run as they do, but for the gradient of all weights.

    Its values lie where those of the training step of this layout do, which has been lowered before.
    """
    lower, whole = Lowering(layout, values, training=True, updates=False), dict[Parameter, Block]()
    _forward(lower)
    batch.loss(lower)
    for operation in _backward(lower):
        weight = operation.parameters.get("weight")
        if weight is not None and operation.kind in WHOLE and _leaves_none(layout, operation):
            whole[weight] = Block(weight.size)
            WHOLE[operation.kind](lower, operation, whole[weight])
        PASSES[operation.kind][1](lower, operation)
    return _program(lower, whole)


def evaluation(layout: Layout, values: Values) -> Program:
    """Return an evaluation: forward by running statistics, and the loss."""
    lower = Lowering(layout, values, training=False)
    _forward(lower)
    batch.loss(lower)
    return _program(lower)


def prediction(layout: Layout, values: Values) -> Program:
    """Return a prediction: an evaluation that writes the logits out instead of their loss."""
    lower = Lowering(layout, values, training=False)
    _forward(lower)
    batch.unpack(lower)
    return _program(lower)


def refresh(layout: Layout) -> Program:
    """Return what brings weights into the orders that passes read, once they have been written from outside."""
    ops = [op for o in layout.graph.weighted() for op in refreshed(layout.weights[o.parameters["weight"]], o)]
    return Program(ops, [], {}, 0, {})


def _program(lower: Lowering, whole: dict[Parameter, Block] | None = None) -> Program:
    return Program(lower.ops, lower.chains, lower.kept, lower.kept_size, whole or {})


def _leaves_none(layout: Layout, operation: Operation) -> bool:
    """Return whether no backward pass leaves the gradient of all of a layer's weights in memory."""
    return operation.kind == "linear" or layout.weights[operation.parameters["weight"]].pattern is not None


def _forward(lower: Lowering) -> None:
    """Write down everything before the loss."""
    lower.values.restart()
    batch.gather(lower)
    for operation in lower.layout.graph.operations:
        lower.layer = operation
        PASSES[operation.kind][0](lower, operation)
    lower.layer = None


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
    alone = [o for o in graph.operations if o.kind == "batch_norm" and len(o.inputs) == 1]
    return {o.output: o for o in alone if len(consumers[o.output]) == 1 and consumers[o.output][0].kind == "conv2d"}
