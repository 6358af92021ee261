"""Batch normalisation, pooling, additions, copies, activations and dropout as operations of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.layout import corners, inside
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.lower.update import update_weights
from tinyticket.compiler.op import FEED, Block, Part, even
from tinyticket.kernels.cpu.activations import (
    LeakyReLU,
    LeakyReLUGradient,
    Sigmoid,
    SigmoidGradient,
    Tanh,
    TanhGradient,
)
from tinyticket.kernels.cpu.batch_norm import BatchNorm, BatchNormAgain, BatchNormEval
from tinyticket.kernels.cpu.batch_norm_gradient import BatchNormGradient
from tinyticket.kernels.cpu.elementwise import Add, AddGradient, Copy, CopyGradient, Dropout, DropoutGradient
from tinyticket.kernels.cpu.pooling import AvgPool2d, AvgPool2dGradient, MaxPool2d, MaxPool2dGradient


def batch_norm(lower: Lowering, operation: Operation) -> None:
    """Write down a batch normalisation, with what is added to it, by the batch's statistics or by the running ones."""
    values, layout = lower.values, lower.layout
    x, y, addend, given = operation.inputs[0], operation.output, operation.inputs[-1], operation.attributes
    if operation.parameters:
        weight, bias = (layout.weights[operation.parameters[name]].master for name in ("weight", "bias"))
    else:
        weight, bias = Block(x.channels, fill=1.0), Block(x.channels)
    running = [layout.buffers[buffer] for buffer in given["running"]]
    running = running or [Block(x.channels), Block(x.channels)]
    before, after, beside = values.value(x), values.value(y), values.value(addend)
    has_addend, window, other = len(operation.inputs) > 1, values.elementwise(x, y), values.image(addend)
    epsilon, shares = float(np.float32(given["eps"])), even(x.channels)
    arrays: Any = (before, after, beside, weight, bias, *running)
    reads = [before, beside, weight, bias]
    if not lower.training:
        arrays = *arrays, epsilon, has_addend, operation.relu, window, other
        job: Any = BatchNormEval(*arrays)
        lower.emit(job, shares, [*reads, *running], [after])
        return
    mean, inverse = Block(x.channels), Block(x.channels)
    lower.statistics[operation] = weight, bias, mean, inverse
    flags = epsilon, float(np.float32(given["momentum"])), has_addend, operation.relu
    arrays = *arrays, mean, inverse, *flags, window, other, FEED
    job = BatchNorm(*arrays)
    small = [*running, mean, inverse]
    over = [(beside, after)] if has_addend else []
    lower.emit(job, shares, [*reads, *running], [after, *small], [weight, bias, *small], over)


def batch_norm_again(lower: Lowering, operation: Operation) -> None:
    """Write down a batch normalisation's result a second time, for the backward pass of what reads it."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after, small = values.value(x), values.renew(y), lower.statistics[operation]
    given: Any = before, after, *small, operation.relu, values.elementwise(x, y)
    job = BatchNormAgain(*given)
    lower.emit(job, even(x.channels), [before, *small], [after], list(small))


def batch_norm_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradients of a batch normalisation and of what was added to it."""
    values, x, y, addend = lower.values, operation.inputs[0], operation.output, operation.inputs[-1]
    weight, bias, mean, inverse = lower.statistics[operation]
    held = [lower.layout.weights[parameter].gradient for parameter in operation.parameters.values()]
    dweight, dbias = held or (Block(x.channels), Block(x.channels))
    has_addend, shares = len(operation.inputs) > 1, even(x.channels)
    before, above, below = values.value(x), values.gradient(y), values.gradient(x)
    flags, beside, passed, over = (*lower.begin(x), False, False), before, below, [(before, below)]
    if has_addend:
        flags, passed = (*flags[:2], *lower.begin(addend)), values.gradient(addend)
        # The addend is read only where a ReLU that made it is to be heeded.
        beside = values.value(addend) if flags[3] else before
        over = [] if addend.root is x.root else [(before, below), (above, passed)]
    # Consumers of the output have seen to its ReLU, so that there is none here, and y is not read.
    small = weight, bias, mean, inverse, dweight, dbias
    arrays: Any = before, above, above, below, beside, passed, *small
    geometry = values.elementwise(x, y), values.image(addend)
    arrays = *arrays, has_addend, False, *flags, *geometry, FEED
    job = BatchNormGradient(*arrays)
    writes = [below, passed, dweight, dbias]
    lower.emit(job, shares, [before, above, beside, weight, bias, mean, inverse], writes, list(small), over)
    for name in operation.parameters:
        update_weights(lower, operation, name, shares)


def pool(lower: Lowering, operation: Operation) -> None:
    """Write down a pooling."""
    values, kernel = lower.values, MaxPool2d if operation.kind == "max_pool2d" else AvgPool2d
    x, y = values.value(operation.inputs[0]), values.value(operation.output)
    lower.emit(kernel(x, y, values.window(operation)), lower.planes(operation.output), [x], [y])


def pool_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a pooling's gradient."""
    values, (below,), above = lower.values, operation.inputs, operation.output
    x, dy, dx = values.value(below), values.gradient(above), values.gradient(below)
    last, over = (*lower.begin(below), values.window(operation)), [(x, dx)] if _reads_once(operation) else []
    if operation.kind == "max_pool2d":
        y = values.value(above)
        lower.emit(MaxPool2dGradient(x, y, dy, dx, *last), lower.planes(above), [x, y, dy], [dx], may_overwrite=over)
    else:
        lower.emit(AvgPool2dGradient(x, dy, dy, dx, *last), lower.planes(above), [x, dy], [dx], may_overwrite=over)


def _reads_once(pooling: Operation) -> bool:
    """Return whether a pooling's gradient looks at each input once at most, in the place that it writes."""
    given = pooling.attributes
    disjoint = tuple(given["kernel"]) == (2, 2) and given["stride"] == 2 and given["padding"] == 0
    return pooling.kind == "avg_pool2d" or disjoint


def add(lower: Lowering, operation: Operation) -> None:
    """Write down an addition."""
    values, (x, addend), y = lower.values, operation.inputs, operation.output
    blocks = [values.value(value) for value in (x, addend, y)]
    given: Any = *blocks, operation.relu, values.elementwise(x, y), values.image(addend)
    job = Add(*given)
    lower.emit(job, lower.planes(y), blocks[:2], blocks[2:])


def add_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradients of both summands."""
    values, (x, addend), y = lower.values, operation.inputs, operation.output
    flags, above = (*lower.begin(x), *lower.begin(addend)), values.gradient(y)
    results = [values.gradient(x), values.gradient(addend)]
    # Values are read only where a ReLU that made them is to be heeded; consumers of the result have seen to its own.
    reads = [values.value(x) if flags[1] else above, values.value(addend) if flags[3] else above, above]
    window, image = values.elementwise(x, y), values.image(addend)
    given: Any = reads[0], above, above, results[0], *flags[:2], window, False, reads[1], results[1], *flags[2:], image
    job = AddGradient(*given)
    over = [] if addend.root is x.root else [(above, results[0])]
    lower.emit(job, lower.planes(y), reads, results, may_overwrite=over)


def copy(lower: Lowering, operation: Operation) -> None:
    """Write down a copy, perhaps through a ReLU."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after = values.value(x), values.value(y)
    job = Copy(before, after, values.elementwise(x, y), operation.relu)
    lower.emit(job, lower.planes(x), [before], [after])


def copy_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a copy's gradient."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    reads = [values.value(x), values.value(y), values.gradient(y)]
    dx = values.gradient(x)
    given: Any = *reads, dx, *lower.begin(x), values.elementwise(x, y), operation.relu
    job = CopyGradient(*given)
    lower.emit(job, lower.planes(x), reads, [dx])


def pad(lower: Lowering, operation: Operation) -> None:
    """Write down a copy into the middle of zeros, tile by tile, for channels may be padded too."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after, window = values.value(x), values.value(y), inside(operation, values.shared)
    for i, (source, target) in enumerate(corners(operation, values.tiles, values.shared)):
        job = Copy(Part(before, source), Part(after, target), window)
        # The others touch the same blocks, but nothing that the first does.
        reads, writes = ([before], [after]) if i == 0 else ([], [])
        lower.emit(job, even(x.channels), reads, writes)


def pad_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradient of what lies within the zeros."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    blocks = [values.value(x), values.value(y), values.gradient(y), values.gradient(x)]
    flags, window = lower.begin(x), inside(operation, values.shared)
    for i, (source, target) in enumerate(corners(operation, values.tiles, values.shared)):
        parts = [Part(*place) for place in zip(blocks, (source, target, target, source), strict=True)]
        given: Any = *parts, *flags, window
        job = CopyGradient(*given)
        reads, writes = (blocks[:3], blocks[3:]) if i == 0 else ([], [])
        lower.emit(job, even(x.channels), reads, writes)


def activation(lower: Lowering, operation: Operation) -> None:
    """Write down an activation."""
    values, (x,), y, kind = lower.values, operation.inputs, operation.output, operation.kind
    before, after, window = values.value(x), values.value(y), values.elementwise(x, y)
    if kind == "leaky_relu":
        job: Any = LeakyReLU(before, after, window, slope=_slope(operation))
    else:
        job = (Tanh if kind == "tanh" else Sigmoid)(before, after, window)
    lower.emit(job, lower.planes(x), [before], [after])


def activation_backward(lower: Lowering, operation: Operation) -> None:
    """Write down an activation's gradient."""
    values, (x,), y, kind = lower.values, operation.inputs, operation.output, operation.kind
    before, after, above, below = values.value(x), values.value(y), values.gradient(y), values.gradient(x)
    given: Any = before, after, above, below, *lower.begin(x), values.elementwise(x, y)
    job: Any = TanhGradient(*given) if kind == "tanh" else SigmoidGradient(*given)
    if kind == "leaky_relu":
        job = LeakyReLUGradient(*given)._replace(slope=_slope(operation))
    lower.emit(job, lower.planes(x), [before, after, above], [below])


def _slope(operation: Operation) -> float:
    return float(np.float32(operation.attributes["negative_slope"]))


def dropout(lower: Lowering, operation: Operation) -> None:
    """Write down a dropout; evaluation copies."""
    if not lower.training:
        copy(lower, operation)
        return
    values, (x,), y = lower.values, operation.inputs, operation.output
    lower.kept[operation] = lower.kept_size
    lower.kept_size += values.tiles * values.lanes * x.size
    before, after = values.value(x), values.value(y)
    job = Dropout(before, after, values.elementwise(x, y), **_mask(lower, operation))
    lower.emit(job, lower.planes(x), [before], [after])


def dropout_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a dropout's gradient."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, above, below = values.value(x), values.gradient(y), values.gradient(x)
    given: Any = before, above, above, below, *lower.begin(x), values.elementwise(x, y)
    job = DropoutGradient(*given, **_mask(lower, operation))
    lower.emit(job, lower.planes(x), [before, above], [below])


def _mask(lower: Lowering, operation: Operation) -> dict[str, Any]:
    """Return the fields of a dropout's mask; the scale is 1 / (1 - p), by which kept elements are multiplied."""
    scale = float(np.float32(1 / (1 - operation.attributes["p"])))
    return {"scale": scale, "place": lower.kept[operation], "feed": FEED}
