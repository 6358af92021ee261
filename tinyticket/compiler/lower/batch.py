"""The batch, its loss, and the logits of a prediction as operations of kernels."""

from __future__ import annotations

from typing import Any

from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.op import FEED, Block, even
from tinyticket.kernels.cpu.gather import Gather, GatherLabels, Unpack
from tinyticket.kernels.cpu.gather_images import GatherImages
from tinyticket.kernels.cpu.loss import CrossEntropy, CrossEntropyEval, StoreLosses, SumLosses
from tinyticket.kernels.cpu.squared_error import MseLoss, MseLossEval
from tinyticket.kernels.geometry import LANES, Image


def gather(lower: Lowering) -> None:
    """Write down the gathering of a batch."""
    start, values = lower.layout.graph.start, lower.values
    x = values.value(start)
    if not values.is_mlp:
        # Features are gathered as an image of one row, which they are unless there are borders between them.
        alone = start.height * start.width == 1 and start.border == 0
        image = Image(1, 1, start.channels) if alone else values.image(start)
        lower.emit(GatherImages(x, image, FEED), even(values.tiles * image.channels), [], [x])
        return
    first, blocks = lower.layout.graph.operations[0], -(-start.size // LANES)
    both = lower.training and lower.updates and lower.weights(first).is_whole
    turned = x
    if both:
        turned = Block(values.tiles * values.lanes * blocks * LANES, private=values.is_private(start))
        lower.turned[first] = turned
    lower.emit(Gather(x, turned, both, values.features(start), FEED), even(blocks), [], [x, turned] if both else [x])


def loss(lower: Lowering) -> None:
    """Write down the loss of a batch, its sums, and its gradient if the program trains.

    Losses are added up batch by batch: a turn that evaluates a part of a batch of images leaves each sample's.
    """
    output, values = lower.layout.graph.output, lower.values
    private, shares, shape = values.is_private(output), even(values.vectors), values.features(output)
    logits, samples = values.value(output), values.tiles * values.lanes
    labels, losses, hits = (Block(samples, private=private) for _ in range(3))
    if lower.layout.graph.loss.numbers:
        _squared_error(lower, losses, hits)
        return
    lower.emit(GatherLabels(labels, FEED), shares, [], [labels], [labels])
    if lower.training:
        gradient = values.gradient(output)
        lower.begin(output)
        job: Any = CrossEntropy(logits, labels, gradient, losses, hits, shape, FEED)
        lower.emit(job, shares, [logits, labels], [gradient, losses, hits], [labels])
    else:
        job = CrossEntropyEval(logits, labels, 0, losses, hits, shape, FEED)
        lower.emit(job, shares, [logits, labels], [losses, hits], [labels])
    _result(lower, losses, hits)


def _result(lower: Lowering, losses: Block, hits: Block) -> None:
    values = lower.values
    is_part = not (lower.training or values.is_mlp) and values.tiles < lower.layout.tiles
    lower.emit((StoreLosses if is_part else SumLosses)(losses, hits, FEED), even(1), [losses, hits], [])


def _squared_error(lower: Lowering, losses: Block, hits: Block) -> None:
    """Write down the loss of targets that are numbers, which it reads from the data set itself."""
    output, values = lower.layout.graph.output, lower.values
    outputs, shape, shares = values.value(output), values.features(output), even(values.vectors)
    if lower.training:
        gradient = values.gradient(output)
        lower.begin(output)
        job: Any = MseLoss(outputs, gradient, losses, hits, shape, FEED)
        lower.emit(job, shares, [outputs], [gradient, losses, hits])
    else:
        job = MseLossEval(outputs, 0, losses, hits, shape, FEED)
        lower.emit(job, shares, [outputs], [losses, hits])
    _result(lower, losses, hits)


def unpack(lower: Lowering) -> None:
    """Write down the way of the logits back to samples."""
    output, values = lower.layout.graph.output, lower.values
    logits = values.value(output)
    lower.emit(Unpack(logits, values.features(output), FEED), even(values.tiles), [logits], [])
