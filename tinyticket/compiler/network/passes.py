"""A network's programs: a training step and an evaluation, as rows."""

from __future__ import annotations

from typing import NamedTuple

from tinyticket.compiler.network import pass_convolution, pass_images, pass_linear
from tinyticket.compiler.network.graph import Graph, Operation, Value
from tinyticket.compiler.network.layout import Layout, image
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.weights import Weights
from tinyticket.compiler.network.writer import Writer, even
from tinyticket.kernels.cpu.image import Image
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.nn import Parameter


class Passes(NamedTuple):
    """What is done, row by row."""

    training: list[Row]
    evaluation: list[Row]
    masks: list[tuple[Operation, int]]  # dropouts, and where the bytes of their masks lie


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


def write_passes(layout: Layout) -> Passes:
    """Write a network's programs down: preparation, forward, loss, backward, update."""
    writer, operations = Writer(layout), layout.graph.operations
    gather = _gather(writer)
    for operation in operations:
        PASSES[operation.kind][0](writer, operation)
        writer.sign(operation)
    loss = _loss(writer)
    passing = _passing(layout.graph)
    for operation in reversed(operations):
        if operation.output.needs_gradient:
            for value in operation.inputs:
                if value in passing:
                    pass_images.batch_norm_again(writer, passing[value])
                    writer.sign(passing[value])
            PASSES[operation.kind][1](writer, operation)
            writer.sign(operation)
    for operation in operations:
        for parameter in operation.parameters.values():
            _update_weights(writer, layout.weights[parameter], parameter)
        writer.sign(operation)
    training = [*writer.prepare, gather, *writer.forward, *loss, *writer.backward, *writer.update]
    return Passes(training, [*writer.prepare, gather, *writer.evaluate, *loss], writer.masks)


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


def _update_weights(writer: Writer, weights: Weights, parameter: Parameter) -> None:
    # In dense linear layers the update is part of the weight gradient's row.
    if parameter.ndim != 2 or weights.pattern is not None:
        row = Row("update_weights", [weights.gradient, *weights.state()], even(weights.count, LANES))
        row.reads, row.writes = [weights.gradient], weights.blocks()
        writer.update.append(row)
