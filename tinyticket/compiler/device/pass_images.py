"""Batch normalisation, pooling, joins, copies and dropout as rows of a device's program."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.compiler.device.layout import corner, image
from tinyticket.compiler.device.work import Feed, Work
from tinyticket.compiler.device.writer import STATE, Writer
from tinyticket.compiler.network.graph import Operation, Value
from tinyticket.compiler.network.program import Block
from tinyticket.kernels.cuda import batch_norm as norm
from tinyticket.kernels.cuda import elementwise, pooling
from tinyticket.kernels.cuda.geometry import Geometry, plane, row


def batch_norm(writer: Writer, operation: Operation) -> None:
    """Write a batch normalisation, with what is added to it, in its two forms."""
    layout, x, y = writer.layout, operation.inputs[0], operation.output
    weight, bias, mean, inverse, dweight, dbias = (Block(x.channels) for _ in range(6))
    if operation.parameters:
        held = [layout.weights[operation.parameters[name]] for name in ("weight", "bias")]
        (weight, bias), (dweight, dbias) = [w.master for w in held], [w.gradient for w in held]
    else:
        weight, bias = layout.constant(x.channels, 1.0), layout.constant(x.channels, 0.0)
    writer.statistics[operation] = weight, mean, inverse, dweight, dbias
    running = [layout.buffers[buffer] for buffer in operation.attributes["running"]]
    running = running or [Block(x.channels), Block(x.channels)]
    eps, momentum = (np.float32(operation.attributes[name]) for name in ("eps", "momentum"))
    g, relu = layout.elementwise(x, y), int(operation.relu)
    beside: tuple[Any, ...] = (None, 0, 0, 0)
    if len(operation.inputs) > 1:
        beside = _surrounded(writer, operation.inputs[1])
    values = *layout.value(x), *beside, *layout.value(y), weight, bias, *running
    scratch = _scratch(g)
    writer.forward.append(Work(norm.train, *values, mean, inverse, scratch, g, STATE, eps, momentum, relu))
    writer.evaluate.append(Work(norm.evaluate, *values, g, eps, relu))


def batch_norm_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradients of a batch normalisation and of what was added to it."""
    layout, x, y = writer.layout, operation.inputs[0], operation.output
    values = layout.value(x)[0], layout.value(y)[0], *layout.gradient(y), *layout.gradient(x)
    g, small = layout.elementwise(x, y), writer.statistics[operation]
    # The ReLU behind it is not its own any more: who reads its result has set the gradient to zero there.
    writer.backward.append(Work(norm.gradient, *values, *small, _scratch(g), g, STATE, 0, *writer.begin(x)))
    if len(operation.inputs) > 1:
        _pass_on(writer, operation, operation.inputs[1])


def _scratch(g: Geometry) -> Block:
    """Return room for what the two launches of a batch normalisation hand over."""
    size = norm.scratch_size(g)
    return Block(size, kind=("scratch", size))


def _surrounded(writer: Writer, value: Value) -> tuple[Block, int, int, int]:
    """Return where a value of another border lies: its block, the pixels to its first one, to the one below, to the next plane."""
    return *writer.layout.value(value), row(image(value)), plane(image(value))


def _pass_on(writer: Writer, operation: Operation, value: Value) -> None:
    """Write the gradient of a summand, or of what is copied: that of the result, through the ReLU unless its readers heed it."""
    layout, y = writer.layout, operation.output
    read = *layout.gradient(y), layout.value(y)[0], layout.value(value)[0]
    flags = int(operation.relu and not y.root.rectified), *writer.begin(value)
    g = layout.elementwise(value, y)
    writer.backward.append(Work(elementwise.copy_gradient, *read, *layout.gradient(value), g, *flags))


def pool(writer: Writer, operation: Operation) -> None:
    """Write a pooling."""
    x, y = writer.layout.value(operation.inputs[0]), writer.layout.value(operation.output)
    kernel = pooling.max_pool if operation.kind == "max_pool2d" else pooling.avg_pool
    writer.both(Work(kernel, *x, *y, writer.layout.geometry(operation)))


def pool_backward(writer: Writer, operation: Operation) -> None:
    """Write a pooling's gradient."""
    layout, (below,), above = writer.layout, operation.inputs, operation.output
    dy, dx, x = layout.gradient(above), layout.gradient(below), layout.value(below)[0]
    last = layout.geometry(operation), *writer.begin(below)
    if operation.kind == "max_pool2d":
        work = Work(pooling.max_pool_gradient, x, layout.value(above)[0], *dy, *dx, *last)
    else:
        work = Work(pooling.avg_pool_gradient, *dy, x, *dx, *last)
    writer.backward.append(work)


def add(writer: Writer, operation: Operation) -> None:
    """Write an addition."""
    layout, (x, addend), y = writer.layout, operation.inputs, operation.output
    values = *layout.value(x), *_surrounded(writer, addend), *layout.value(y)
    writer.both(Work(elementwise.add, *values, layout.elementwise(x, y), int(operation.relu)))


def add_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradients of both summands."""
    for value in operation.inputs:
        _pass_on(writer, operation, value)


def copy(writer: Writer, operation: Operation) -> None:
    """Write a copy, perhaps through a ReLU."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    g = layout.elementwise(x, y)
    writer.both(Work(elementwise.copy, *layout.value(x), *layout.value(y), g, int(operation.relu)))


def copy_backward(writer: Writer, operation: Operation) -> None:
    """Write a copy's gradient."""
    _pass_on(writer, operation, operation.inputs[0])


def pad(writer: Writer, operation: Operation) -> None:
    """Write a copy into the middle of zeros."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    block, first = layout.value(y)
    there = block, first + corner(operation)
    writer.both(Work(elementwise.copy, *layout.value(x), *there, layout.inside(operation), 0))


def pad_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradient of what lies within the zeros."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    block, first = layout.gradient(y)
    there = block, first + corner(operation)
    values = *there, layout.value(y)[0], layout.value(x)[0], *layout.gradient(x)
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
