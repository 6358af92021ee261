"""Batch normalisation, pooling, additions, copies, activations and dropout as operations of kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.layout import image
from tinyticket.compiler.lower.lowering import Lowering, filled
from tinyticket.compiler.op import FEED, Block, Part, even
from tinyticket.kernels.cpu import activations
from tinyticket.kernels.cpu.batch_norm import BatchNorm, BatchNormAgain, BatchNormEval
from tinyticket.kernels.cpu.batch_norm_gradient import BatchNormGradient
from tinyticket.kernels.cpu.elementwise import Add, AddGradient, Copy, CopyGradient, Dropout, DropoutGradient
from tinyticket.kernels.cpu.pooling import AvgPool2d, AvgPool2dGradient, MaxPool2d, MaxPool2dGradient
from tinyticket.kernels.cpu.srelu import SReLU, SReLUGradient
from tinyticket.kernels.geometry import LANES, Window, make_window, plane, row

PLANE_BY_PLANE: dict[str, tuple[type, type]] = {
    "max_pool2d": (MaxPool2d, MaxPool2dGradient),
    "avg_pool2d": (AvgPool2d, AvgPool2dGradient),
    "copy": (Copy, CopyGradient),
    "dropout": (Dropout, DropoutGradient),
    "leaky_relu": (activations.LeakyReLU, activations.LeakyReLUGradient),
    "tanh": (activations.Tanh, activations.TanhGradient),
    "sigmoid": (activations.Sigmoid, activations.SigmoidGradient),
}
"""By the kind of an operation that makes each plane of a value by itself: the jobs of its forward and its backward pass."""

READS_RESULT = ("max_pool2d", "copy", "tanh", "sigmoid")
"""Of those, the kinds whose gradients look at the result."""


def plane_by_plane(lower: Lowering, operation: Operation) -> None:
    """Write down an operation that makes each plane by itself; a dropout copies in an evaluation."""
    values, (x,), (job, _) = lower.values, operation.inputs, PLANE_BY_PLANE[operation.kind]
    if job is Dropout and lower.training:
        lower.kept[operation] = lower.kept_size
        lower.kept_size += values.tiles * values.lanes * x.size
    elif job is Dropout:
        job = Copy
    before, after = values.value(x), values.value(operation.output)
    lower.emit(filled(job, _given(lower, operation), x=before, y=after), lower.planes(x), [before], [after])


def plane_by_plane_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradient of an operation that makes each plane by itself."""
    values, (x,), y, (_, job) = lower.values, operation.inputs, operation.output, PLANE_BY_PLANE[operation.kind]
    blocks = {"x": values.value(x), "y": values.value(y), "dy": values.gradient(y)}
    if operation.kind not in READS_RESULT:
        blocks["y"] = blocks["dy"]
    dx, (add, x_is_relu_output) = values.gradient(x), lower.begin(x)
    over = [(blocks["x"], dx)] if _reads_once(operation) else []
    known = blocks | {"dx": dx, "add": add, "x_is_relu_output": x_is_relu_output}
    reads, job = [*dict.fromkeys(blocks.values())], filled(job, known, **_given(lower, operation))
    lower.emit(job, lower.planes(x), reads, [dx], may_overwrite=over)


def _given(lower: Lowering, operation: Operation) -> dict[str, Any]:
    """Return what jobs call by these names besides blocks and flags; those of dropout and leaky ReLU take float32."""
    given, values, x, y = operation.attributes, lower.values, operation.inputs[0], operation.output
    window = values.window(operation) if "kernel" in given else values.elementwise(x, y)
    known = {"relu": operation.relu, "window": window, "slope": 0.0, "scale": 0.0, "place": 0, "feed": FEED}
    if operation.kind == "leaky_relu":
        known["slope"] = float(np.float32(given["negative_slope"]))
    if operation.kind == "dropout":
        scale = float(np.float32(1 / (1 - given["p"])))  # of kept elements
        known |= {"scale": scale, "place": lower.kept.get(operation, 0)}
    return known


def _reads_once(operation: Operation) -> bool:
    """Return whether it is a pooling whose gradient looks at each input once at most, in the place that it writes."""
    given = operation.attributes
    if operation.kind != "max_pool2d":
        return operation.kind == "avg_pool2d"
    return tuple(given["kernel"]) == (2, 2) and given["stride"] == 2 and given["padding"] == 0


def add(lower: Lowering, operation: Operation) -> None:
    """Write down an addition."""
    values, (x, addend), y = lower.values, operation.inputs, operation.output
    blocks = {"x": values.value(x), "addend": values.value(addend), "y": values.value(y)}
    *reads, after = blocks.values()
    job = filled(Add, blocks, **_given(lower, operation), addend_image=values.image(addend))
    lower.emit(job, lower.planes(y), reads, [after])


def add_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradients of both summands."""
    values, (x, addend), y = lower.values, operation.inputs, operation.output
    flags, above = (*lower.begin(x), *lower.begin(addend)), values.gradient(y)
    dx, d_addend = values.gradient(x), values.gradient(addend)
    # Values are read only where a ReLU that made them is to be heeded; consumers of the result have seen to its own.
    before, beside = values.value(x) if flags[1] else above, values.value(addend) if flags[3] else above
    geometry = values.elementwise(x, y), values.image(addend)
    first, second = (before, above, above, dx, *flags[:2]), (beside, d_addend, *flags[2:])
    job = AddGradient(*first, geometry[0], False, *second, geometry[1])
    over = [] if addend.root is x.root else [(above, dx)]
    lower.emit(job, lower.planes(y), [before, beside, above], [dx, d_addend], may_overwrite=over)


def pad(lower: Lowering, operation: Operation) -> None:
    """Write down a copy into the middle of zeros, tile by tile, for channels may be padded too."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after = values.value(x), values.value(y)
    for i, (source, target, window) in enumerate(_insides(lower, operation)):
        # The others touch the same blocks, but nothing that the first does.
        reads, writes = ([before], [after]) if i == 0 else ([], [])
        lower.emit(Copy(Part(before, source), Part(after, target), window), even(x.channels), reads, writes)


def pad_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradient of what lies within the zeros."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after, dy, dx = values.value(x), values.value(y), values.gradient(y), values.gradient(x)
    flags = lower.begin(x)
    for i, (source, target, window) in enumerate(_insides(lower, operation)):
        arrays = Part(before, source), Part(after, target), Part(dy, target), Part(dx, source)
        reads, writes = ([before, after, dy], [dx]) if i == 0 else ([], [])
        lower.emit(CopyGradient(*arrays, *flags, window), even(x.channels), reads, writes)


def _insides(lower: Lowering, padding: Operation) -> Iterator[tuple[int, int, Window]]:
    """Yield for every tile where the input begins, where it comes to lie in the padded output, and the work of copying it."""
    before, after = (image(value, lower.values.shared) for value in (padding.inputs[0], padding.output))
    window = make_window(1, before, before, (1, 1))._replace(y_row=row(after), y_plane=plane(after))
    (channels, _), (rows, _), (columns, _) = padding.attributes["padding"]
    corner = channels * plane(after) + rows * row(after) + columns * LANES
    for tile in range(lower.values.tiles):
        yield tile * before.channels * plane(before), tile * after.channels * plane(after) + corner, window


def batch_norm(lower: Lowering, operation: Operation) -> None:
    """Write down a batch normalisation, with what is added to it, by the batch's statistics or by the running ones."""
    values, layout, given = lower.values, lower.layout, operation.attributes
    x, y, addend, has_addend = operation.inputs[0], operation.output, operation.inputs[-1], len(operation.inputs) > 1
    held = [layout.weights[parameter].master for parameter in operation.parameters.values()]
    weight, bias = held or (Block(x.channels, fill=1.0), Block(x.channels))
    mean, inverse = Block(x.channels), Block(x.channels)
    running = [layout.buffers[buffer] for buffer in given["running"]] or [Block(x.channels), Block(x.channels)]
    before, after, beside = values.value(x), values.value(y), values.value(addend)
    known: dict[str, Any] = {"x": before, "y": after, "addend": beside, "has_addend": has_addend}
    known |= {"weight": weight, "bias": bias, "running_mean": running[0], "running_variance": running[1]}
    known |= {"mean": mean, "inverse": inverse, "addend_image": values.image(addend), **_given(lower, operation)}
    known |= {name: float(np.float32(given[key])) for name, key in (("epsilon", "eps"), ("momentum", "momentum"))}
    reads, shares = [before, beside, weight, bias, *running], even(x.channels)
    if lower.training:
        lower.statistics[operation] = weight, bias, mean, inverse
        written, over = [*running, mean, inverse], [(beside, after)] if has_addend else []
        lower.emit(filled(BatchNorm, known), shares, reads, [after, *written], [weight, bias, *written], over)
    else:
        lower.emit(filled(BatchNormEval, known), shares, reads, [after])


def batch_norm_again(lower: Lowering, operation: Operation) -> None:
    """Write down a batch normalisation's result a second time, for the backward pass of what reads it."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after, small = values.value(x), values.renew(y), lower.statistics[operation]
    given: Any = before, after, *small, operation.relu, values.elementwise(x, y)
    lower.emit(BatchNormAgain(*given), even(x.channels), [before, *small], [after], list(small))


def batch_norm_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradients of a batch normalisation and of what was added to it."""
    values, x, y, addend = lower.values, operation.inputs[0], operation.output, operation.inputs[-1]
    held = [lower.layout.weights[parameter].gradient for parameter in operation.parameters.values()]
    small, written = lower.statistics[operation], held or [Block(x.channels), Block(x.channels)]
    has_addend, shares = len(operation.inputs) > 1, even(x.channels)
    before, above, below = values.value(x), values.gradient(y), values.gradient(x)
    flags, beside, passed, over = (*lower.begin(x), False, False), before, below, [(before, below)]
    if has_addend:
        flags, passed = (*flags[:2], *lower.begin(addend)), values.gradient(addend)
        # The addend is read only where a ReLU that made it is to be heeded.
        beside = values.value(addend) if flags[3] else before
        over = [] if addend.root is x.root else [(before, below), (above, passed)]
    # Consumers of the output have seen to its ReLU, so that there is none here, and y is not read.
    arrays, geometry = (before, above, above, below, beside, passed), (values.elementwise(x, y), values.image(addend))
    given: Any = *arrays, *small, *written, has_addend, False, *flags, *geometry, FEED
    reads, own = [before, above, beside, *small], [*small, *written]
    lower.emit(BatchNormGradient(*given), shares, reads, [below, passed, *written], own, over)
    for name in operation.parameters:
        lower.update(operation, name, shares)


def srelu(lower: Lowering, operation: Operation) -> None:
    """Write down an S-shaped ReLU."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, after = values.value(x), values.value(y)
    held = [lower.layout.weights[parameter].master for parameter in operation.parameters.values()]
    job = SReLU._make((before, after, *held, values.elementwise(x, y)))
    lower.emit(job, even(x.channels), [before, *held], [after], held)


def srelu_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradients of an S-shaped ReLU by its input and its parameters, and the update of these."""
    values, (x,), y = lower.values, operation.inputs, operation.output
    before, above, below = values.value(x), values.gradient(y), values.gradient(x)
    weights, shares = [lower.layout.weights[parameter] for parameter in operation.parameters.values()], even(x.channels)
    held, gradients = [each.master for each in weights], [lower.gradient(each) for each in weights]
    own, over = [*held, *gradients], [(before, below)]
    job = SReLUGradient._make((before, above, below, *own, *lower.begin(x), values.elementwise(x, y)))
    lower.emit(job, shares, [before, above, *held], [below, *gradients], own, over)
    for name in operation.parameters:
        lower.update(operation, name, shares)
