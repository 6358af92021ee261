"""A network's programs: a training step, an evaluation and a prediction, as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tinyticket.compiler.network import pass_convolution, pass_images, pass_linear
from tinyticket.compiler.network.graph import Graph, Operation, Value
from tinyticket.compiler.network.layout import Layout, image
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.weights import Weights
from tinyticket.compiler.network.writer import Writer, even
from tinyticket.kernels.geometry import Image
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.nn import Parameter

Masks = list[tuple[Operation, int]]  # dropouts, and where the bytes of their masks lie


class Passes(NamedTuple):
    """What is done, row by row; a prediction is an evaluation without the loss, and leaves its logits in their block."""

    training: list[Row]
    evaluation: list[Row]
    prediction: list[Row]
    logits: Block
    masks: Masks


class Gradients(NamedTuple):
    """What is done, row by row, to have the gradients of all weights, and where those of pruned ones are too."""

    rows: list[Row]
    masks: Masks
    whole: dict[Parameter, Block]


PASSES = {
    "conv2d": (pass_convolution.conv2d, pass_convolution.conv2d_backward),
    "linear": (pass_linear.linear, pass_linear.linear_backward),
    "batch_norm": (pass_images.batch_norm, pass_images.batch_norm_backward),
    "max_pool2d": (pass_images.pool, pass_images.pool_backward),
    "avg_pool2d": (pass_images.pool, pass_images.pool_backward),
    "add": (pass_images.add, pass_images.add_backward),
    "copy": (pass_images.copy, pass_images.copy_backward),
    "pad2d": (pass_images.pad, pass_images.pad_backward),
    "dropout": (pass_images.dropout, pass_images.dropout_backward),
}
"""By the kind of an operation, what writes the rows of its forward and of its backward pass."""


WHOLE = {"conv2d": pass_convolution.conv2d_gradient, "linear": pass_linear.linear_gradient}
"""What writes the gradients of all weights where some are pruned, or are updated while they are computed."""


def write_passes(layout: Layout, penalties: Mapping[Parameter, float]) -> Passes:
    """Write a network's programs down: preparation, forward, loss, backward, and update under L1 penalties of some parameters."""
    writer = Writer(layout)
    gather, loss = _forward(writer)
    logits = layout.value(layout.graph.output)
    for operation in _backward(writer):
        PASSES[operation.kind][1](writer, operation)
        writer.sign(operation)
    for operation in layout.graph.operations:
        for parameter in operation.parameters.values():
            _update_weights(writer, layout.weights[parameter], parameter, penalties.get(parameter, 0.0))
        writer.sign(operation)
    training = [*writer.prepare, gather, *writer.forward, *loss, *writer.backward, *writer.update]
    prediction = [*writer.prepare, gather, *writer.evaluate]
    return Passes(training, [*prediction, *loss], prediction, logits, writer.masks)


def write_gradients(layout: Layout) -> Gradients:
    """Write a training step down that updates nothing: sparse layers run as they do, but for the gradient of all weights.

    Its values lie where those of the training step of this layout do, which has been written before.
    """
    writer, whole = Writer(layout, updates=False), dict[Parameter, Block]()
    gather, loss = _forward(writer)
    for operation in _backward(writer):
        weight = operation.parameters.get("weight")
        if weight is not None and operation.kind in WHOLE and _leaves_none(layout, operation):
            whole[weight] = Block(weight.size)
            WHOLE[operation.kind](writer, operation, whole[weight])
        PASSES[operation.kind][1](writer, operation)
        writer.sign(operation)
    return Gradients([*writer.prepare, gather, *writer.forward, *loss, *writer.backward], writer.masks, whole)


def _leaves_none(layout: Layout, operation: Operation) -> bool:
    """Return whether no backward pass leaves the gradient of all of a layer's weights in memory."""
    return operation.kind == "linear" or layout.weights[operation.parameters["weight"]].pattern is not None


def _forward(writer: Writer) -> tuple[Row, list[Row]]:
    """Write all rows before the backward pass; return those that gather the batch and compute the loss."""
    writer.layout.restart()
    gather = _gather(writer)
    for operation in writer.graph.operations:
        PASSES[operation.kind][0](writer, operation)
        writer.sign(operation)
    return gather, _loss(writer)


def _backward(writer: Writer) -> Iterator[Operation]:
    """Yield the operations that have a backward pass, last first, once what they read has been made again if it was not kept."""
    passing = _passing(writer.graph)
    for operation in reversed(writer.graph.operations):
        if operation.output.needs_gradient:
            for value in operation.inputs:
                if value in passing:
                    pass_images.batch_norm_again(writer, passing[value])
                    writer.sign(passing[value])
            yield operation


def _passing(graph: Graph) -> dict[Value, Operation]:
    """Return the values that are not kept for the backward pass, because making them again is cheap, and what makes them.

    They are the results of batch normalisations that one operation alone reads; the normalisation keeps its own input, from which
    one pass makes them. So a network of convolutions and normalisations keeps one value for each pair, not two.
    """
    consumers = graph.consumers()
    alone = [o for o in graph.operations if o.kind == "batch_norm" and len(o.inputs) == 1]
    return {o.output: o for o in alone if len(consumers[o.output]) == 1 and consumers[o.output][0].kind == "conv2d"}


def _gather(writer: Writer) -> Row:
    start, block = writer.graph.start, writer.layout.value(writer.graph.start)
    # Features in one row are gathered as an image of one row.
    alone = start.height * start.width == 1
    geometry = Image(1, 1, start.channels) if alone else image(start)
    return Row("gather_batch", [block, *geometry], even(writer.tiles * geometry.channels), [], [block])


def _loss(writer: Writer) -> list[Row]:
    output, spots = writer.graph.output, writer.tiles * LANES
    labels, losses, hits = Block(spots), Block(spots), Block(spots)
    logits, gradient = writer.layout.value(output), writer.layout.gradient(output)
    shape = writer.tiles, output.channels, output.channels, LANES
    writer.begin(output)
    loss = Row(
        "loss_of_tiles",
        [logits, gradient, labels, losses, hits, *shape],
        even(writer.tiles),
        [logits],
        [gradient, labels, losses, hits],
    )
    return [loss, Row("sum_losses", [losses, hits], even(1), [losses, hits], [])]


def _update_weights(writer: Writer, weights: Weights, parameter: Parameter, penalty: float) -> None:
    # In dense linear layers the update is part of the weight gradient's row.
    if parameter.ndim != 2 or weights.pattern is not None:
        if penalty:
            strength, whole = writer.layout.constant(penalty), even(weights.count, LANES)
            row = Row("penalise", [weights.gradient, weights.master, strength], whole)
            row.reads, row.writes = [weights.gradient, weights.master], [weights.gradient]
            writer.update.append(row)
        row = Row("update_weights", [weights.gradient, *weights.state()], even(weights.count, LANES))
        row.reads, row.writes = [weights.gradient], weights.blocks()
        writer.update.append(row)
