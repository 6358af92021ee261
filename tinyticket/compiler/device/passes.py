"""A network's programs on a device: a training step and an evaluation, as rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinyticket.compiler.device import pass_images, pass_layers
from tinyticket.compiler.device.layout import DeviceLayout
from tinyticket.compiler.device.work import Feed, Work
from tinyticket.compiler.device.writer import STATE, Writer
from tinyticket.compiler.network.graph import Operation
from tinyticket.compiler.network.program import Block
from tinyticket.kernels.cuda import softmax

PASSES = {
    "conv2d": (pass_layers.layer, pass_layers.layer_backward),
    "linear": (pass_layers.layer, pass_layers.layer_backward),
    "batch_norm": (pass_images.batch_norm, pass_images.batch_norm_backward),
    "max_pool2d": (pass_images.pool, pass_images.pool_backward),
    "avg_pool2d": (pass_images.pool, pass_images.pool_backward),
    "add": (pass_images.add, pass_images.add_backward),
    "copy": (pass_images.copy, pass_images.copy_backward),
    "pad2d": (pass_images.pad, pass_images.pad_backward),
    "dropout": (pass_images.dropout, pass_images.dropout_backward),
}
"""By the kind of an operation, what writes the rows of its forward and of its backward pass."""


class Passes(NamedTuple):
    """What is done between a batch and the sums of its losses, row by row.

    Attributes
    ----------
    training, evaluation : list of Work
        Behind the gathering of a batch, and but for the update of a training step and the end of both.
    logits : Block
        As (classes, lanes); an evaluation leaves them there.
    losses : tuple of Blocks
        Each lane's loss and whether it is right, which `end` sums.
    kept : dict of Operation to Feed
        Dropouts, and the masks that are drawn for them.
    indices, draws, scalars, results : Feed
    """

    training: list[Work]
    evaluation: list[Work]
    logits: Block
    losses: tuple[Block, Block]
    kept: dict[Operation, Feed]
    indices: Feed
    draws: Feed
    scalars: Feed
    results: Feed

    def end(self) -> Work:
        """Return the last row: the sums of the losses are written down, and the next turn begins."""
        return Work(softmax.finish, *self.losses, self.results, STATE)


def write_passes(layout: DeviceLayout, targets: Any) -> Passes:
    """Write a network's programs down: forward, loss, backward; `targets` is an int32 device array of the lanes."""
    writer, operations, lanes = Writer(layout), layout.graph.operations, layout.lanes
    for operation in operations:
        PASSES[operation.kind][0](writer, operation)
        writer.sign(operation)
    output, losses = layout.graph.output, (Block(lanes), Block(lanes))
    logits, gradient = layout.value(output)[0], layout.gradient(output)[0]
    writer.begin(output)
    shared = *losses, STATE, output.channels, lanes
    loss = Work(softmax.softmax_cross_entropy, logits, targets, gradient, *shared)
    score = Work(softmax.softmax_cross_entropy, logits, targets, None, *shared)
    for operation in reversed(operations):
        if operation.output.needs_gradient:
            PASSES[operation.kind][1](writer, operation)
            writer.sign(operation)
    feeds = Feed(np.int32, lanes), Feed(np.int32, 3 * lanes), Feed(np.float32, 8), Feed(np.float32, 2)
    training, evaluation = [*writer.forward, loss, *writer.backward], [*writer.evaluate, score]
    return Passes(training, evaluation, logits, losses, writer.kept, *feeds)
