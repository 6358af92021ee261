"""Batch normalisation, pooling, joins, copies and dropout as rows of a device's program."""

from __future__ import annotations

import numpy as np

from tinyticket.compiler.device.work import Feed, Work
from tinyticket.compiler.device.writer import STATE, Writer
from tinyticket.compiler.network.graph import Operation, Value
from tinyticket.compiler.network.layout import corner, image
from tinyticket.compiler.network.program import Block
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.kernels.cuda import batch_norm as norm
from tinyticket.kernels.cuda import elementwise, pooling
from tinyticket.kernels.cuda.geometry import origin, plane, row

POOLS = {
    "max_pool2d": (pooling.max_pool, pooling.max_pool_gradient),
    "avg_pool2d": (pooling.avg_pool, pooling.avg_pool_gradient),
}


def batch_norm(writer: Writer, operation: Operation) -> None:
    """Write a batch normalisation, with what is added to it, in its two forms."""
    layout, x, y = writer.layout, operation.inputs[0], operation.output
    weight, bias, mean, inverse, dweight, dbias = (Block(x.channels) for _ in range(6))
    if operation.parameters:
        held = [layout.weights[operation.parameters[name]] for name in ("weight", "bias")]
        (weight, bias), (dweight, dbias) = [w.master for w in held], [w.gradient for w in held]
    else:
        weight, bias = layout.constant(x.channels, 1.0), layout.constant(x.channels, 0.0)
    writer.statistics[operation] = weight, bias, mean, inverse, dweight, dbias
    running = [layout.buffers[buffer] for buffer in operation.attributes["running"]]
    running = running or [Block(x.channels), Block(x.channels)]
    eps, momentum = (np.float32(operation.attributes[name]) for name in ("eps", "momentum"))
    values = *layout.value(x), *layout.value(y), *_addend(writer, operation), weight, bias, *running
    g, relu = layout.elementwise(x, y), int(operation.relu)
    writer.forward.append(Work(norm.train, *values, mean, inverse, eps, momentum, g, STATE, relu))
    writer.evaluate.append(Work(norm.evaluate, *values, eps, g, relu))


def batch_norm_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradients of a batch normalisation and of what was added to it."""
    layout, x, y, addend = writer.layout, operation.inputs[0], operation.output, operation.inputs[-1]
    flags = [int(operation.relu), *writer.begin(x)]
    beside, place = _addend(writer, operation)
    if beside is None:
        flags, d_addend = [*flags, 0, 0], None
    else:
        flags, d_addend = [*flags, *writer.begin(addend)], layout.gradient(addend)[0]
    values = layout.value(x)[0], layout.value(y)[0], *layout.gradient(y), *layout.gradient(x)
    small = writer.statistics[operation]
    g = layout.elementwise(x, y)
    writer.backward.append(Work(norm.gradient, *values, beside, d_addend, place, *small, g, STATE, *flags))


def _addend(writer: Writer, operation: Operation) -> tuple[Block | None, tuple[int, int, int]]:
    """Return where what is added to a batch normalisation lies, if anything is."""
    if len(operation.inputs) == 1:
        return None, (0, 0, 0)
    return writer.layout.value(operation.inputs[-1])[0], _place(operation.inputs[-1])


def _place(value: Value) -> tuple[int, int, int]:
    """Return the pixels to a value's first one, to the one below, and from channel to channel."""
    return origin(image(value)), row(image(value)), plane(image(value))


def pool(writer: Writer, operation: Operation) -> None:
    """Write a pooling."""
    x, y = writer.layout.value(operation.inputs[0]), writer.layout.value(operation.output)
    writer.both(Work(POOLS[operation.kind][0], *x, *y, writer.layout.geometry(operation)))


def pool_backward(writer: Writer, operation: Operation) -> None:
    """Write a pooling's gradient."""
    layout, (below,), above = writer.layout, operation.inputs, operation.output
    read = [layout.value(below)[0]]
    if operation.kind == "max_pool2d":
        read.append(layout.value(above)[0])
    gradients = *layout.gradient(above), *layout.gradient(below)
    g, flags = layout.geometry(operation), writer.begin(below)
    writer.backward.append(Work(POOLS[operation.kind][1], *read, *gradients, g, *flags))


def add(writer: Writer, operation: Operation) -> None:
    """Write an addition."""
    layout, (x, addend), y = writer.layout, operation.inputs, operation.output
    beside = layout.value(addend)[0], _place(addend)
    g = layout.elementwise(x, y)
    writer.both(Work(elementwise.add, *layout.value(x), *beside, *layout.value(y), g, int(operation.relu)))


def add_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradients of both summands."""
    layout, (x, addend), y = writer.layout, operation.inputs, operation.output
    flags = int(operation.relu), *writer.begin(x), *writer.begin(addend)
    values = (layout.value(value)[0] for value in (x, addend, y))
    results = *layout.gradient(x), layout.gradient(addend)[0], _place(addend)
    g = layout.elementwise(x, y)
    writer.backward.append(Work(elementwise.add_gradient, *values, *layout.gradient(y), *results, g, *flags))


def copy(writer: Writer, operation: Operation) -> None:
    """Write a copy, perhaps through a ReLU."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    g = layout.elementwise(x, y)
    writer.both(Work(elementwise.copy, *layout.value(x), *layout.value(y), g, int(operation.relu)))


def copy_backward(writer: Writer, operation: Operation) -> None:
    """Write a copy's gradient."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    values = layout.value(x)[0], layout.value(y)[0], *layout.gradient(y), *layout.gradient(x)
    g, flags = layout.elementwise(x, y), writer.begin(x)
    writer.backward.append(Work(elementwise.copy_gradient, *values, g, int(operation.relu), *flags))


def pad(writer: Writer, operation: Operation) -> None:
    """Write a copy into the middle of zeros."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    block, first = layout.value(y)
    there = block, first + corner(operation) // LANES
    writer.both(Work(elementwise.copy, *layout.value(x), *there, layout.inside(operation), 0))


def pad_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradient of what lies within the zeros."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    block, first = layout.gradient(y)
    there = block, first + corner(operation) // LANES
    values = layout.value(x)[0], layout.value(y)[0], *there, *layout.gradient(x)
    g, flags = layout.inside(operation), writer.begin(x)
    writer.backward.append(Work(elementwise.copy_gradient, *values, g, 0, *flags))


def dropout(writer: Writer, operation: Operation) -> None:
    """Write a dropout; evaluation copies."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    writer.kept[operation] = Feed(np.uint8, x.size * layout.lanes)
    g = layout.elementwise(x, y)
    scale = _scale(operation)
    kept = writer.kept[operation]
    writer.forward.append(Work(elementwise.dropout, *layout.value(x), kept, *layout.value(y), scale, g, STATE))
    writer.evaluate.append(Work(elementwise.copy, *layout.value(x), *layout.value(y), g, 0))


def dropout_backward(writer: Writer, operation: Operation) -> None:
    """Write a dropout's gradient."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    read = *layout.gradient(y), writer.kept[operation], layout.value(x)[0]
    g, flags = layout.elementwise(x, y), writer.begin(x)
    shared = _scale(operation), g, STATE, *flags
    writer.backward.append(Work(elementwise.dropout_gradient, *read, *layout.gradient(x), *shared))


def _scale(operation: Operation) -> np.float32:
    """Return what is kept is multiplied by."""
    return np.float32(1 / (1 - operation.attributes["p"]))
