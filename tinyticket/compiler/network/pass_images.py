"""Batch normalisation, pooling, joins, copies and dropout as rows of a program."""

from __future__ import annotations

from tinyticket.compiler.network.graph import Operation
from tinyticket.compiler.network.layout import image, inside
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.writer import Writer, even
from tinyticket.kernels.cpu.vector.machine import LANES


def batch_norm(writer: Writer, operation: Operation) -> None:
    """Write a batch normalisation, with what is added to it, in its two forms."""
    layout, x, y = writer.layout, operation.inputs[0], operation.output
    weight, bias, mean, inverse, dweight, dbias = (Block(x.channels) for _ in range(6))
    if operation.parameters:
        held = [layout.weights[operation.parameters[name]] for name in ("weight", "bias")]
        (weight, bias), (dweight, dbias) = [w.master for w in held], [w.gradient for w in held]
    else:
        weight, bias = layout.constant(*[1.0] * x.channels), layout.constant(*[0.0] * x.channels)
    writer.statistics[operation] = weight, bias, mean, inverse, dweight, dbias
    running = [layout.buffers[buffer] for buffer in operation.attributes["running"]]
    running = running or [Block(x.channels), Block(x.channels)]
    constants = layout.constant(operation.attributes["eps"], operation.attributes["momentum"])
    addend = operation.inputs[-1]
    values = [layout.value(x), layout.value(y), layout.value(addend)]
    flags = len(operation.inputs) > 1, operation.relu
    arguments = [*values, weight, bias, *running, mean, inverse, constants, *flags]
    arguments = [*arguments, *layout.elementwise(x, y), *image(addend)]
    reads = [values[0], values[2], weight, bias]
    writes = [values[1], *running, mean, inverse]
    over = [(values[2], values[1])] if len(operation.inputs) > 1 else []
    writer.forward.append(Row("normalise", arguments, even(x.channels), reads, writes, over))
    reads = [*reads, *running]
    writer.evaluate.append(Row("normalise_for_evaluation", arguments, even(x.channels), reads, [values[1]]))


def batch_norm_again(writer: Writer, operation: Operation) -> None:
    """Write a batch normalisation's result a second time, for the backward pass of what reads it."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    before, after, small = layout.value(x), layout.renew(y), writer.statistics[operation][:4]
    arguments = [before, after, *small, operation.relu, *layout.elementwise(x, y)]
    writer.backward.append(Row("normalise_again", arguments, even(x.channels), [before, *small], [after]))


def batch_norm_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradients of a batch normalisation and of what was added to it."""
    layout, x, y, addend = writer.layout, operation.inputs[0], operation.output, operation.inputs[-1]
    has_addend, small = len(operation.inputs) > 1, list(writer.statistics[operation])
    before, above, below = layout.value(x), layout.gradient(y), layout.gradient(x)
    flags, beside, passed, over = [*writer.begin(x), False, False], before, below, [(before, below)]
    if has_addend:
        flags[2:], passed = writer.begin(addend), layout.gradient(addend)
        # The addend is read only where a ReLU that made it is to be heeded.
        beside = layout.value(addend) if flags[3] else before
        over = [] if addend.root is x.root else [(before, below), (above, passed)]
    arguments = [before, above, below, beside, passed, *small, has_addend, *flags]
    arguments = [*arguments, *layout.elementwise(x, y), *image(addend)]
    reads, writes = [before, above, beside, *small[:4]], [below, passed, *small[4:]]
    writer.backward.append(Row("normalise_backward", arguments, even(x.channels), reads, writes, over))


def pool(writer: Writer, operation: Operation) -> None:
    """Write a pooling."""
    x, y = writer.layout.value(operation.inputs[0]), writer.layout.value(operation.output)
    name = operation.kind.removesuffix("2d")
    arguments = [x, y, *writer.layout.window(operation)]
    writer.both(Row(name, arguments, writer.planes(operation.output), [x], [y]))


def pool_backward(writer: Writer, operation: Operation) -> None:
    """Write a pooling's gradient."""
    layout, (below,), above = writer.layout, operation.inputs, operation.output
    values = [layout.value(below), layout.value(above), layout.gradient(above), layout.gradient(below)]
    name = operation.kind.removesuffix("2d") + "_back"
    arguments = [*values, *writer.begin(below), *layout.window(operation)]
    over = [(values[0], values[3])] if _reads_once(operation) else []
    writer.backward.append(Row(name, arguments, writer.planes(above), values[:3], values[3:], over))


def _reads_once(pooling: Operation) -> bool:
    """Return whether a pooling's gradient looks at each input once at most, in the place that it writes."""
    given = pooling.attributes
    disjoint = tuple(given["kernel"]) == (2, 2) and given["stride"] == 2 and given["padding"] == 0
    return pooling.kind == "avg_pool2d" or disjoint


def add(writer: Writer, operation: Operation) -> None:
    """Write an addition."""
    layout, (x, addend), y = writer.layout, operation.inputs, operation.output
    values = [layout.value(value) for value in (x, addend, y)]
    arguments = [*values, operation.relu, *layout.elementwise(x, y), *image(addend)]
    writer.both(Row("join", arguments, writer.planes(y), values[:2], values[2:]))


def add_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradients of both summands."""
    layout, (x, addend), y = writer.layout, operation.inputs, operation.output
    flags, above = [*writer.begin(x), *writer.begin(addend)], layout.gradient(y)
    results = [layout.gradient(x), layout.gradient(addend)]
    # Values are read only where a ReLU that made them is to be heeded.
    values = [layout.value(x) if flags[1] else above, layout.value(addend) if flags[3] else above, above]
    arguments = [*values, *results, *flags, *layout.elementwise(x, y), *image(addend)]
    over = [] if addend.root is x.root else [(above, results[0])]
    writer.backward.append(Row("join_backward", arguments, writer.planes(y), values, results, over))


def copy(writer: Writer, operation: Operation) -> None:
    """Write a copy, perhaps through a ReLU."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    values = [layout.value(x), layout.value(y)]
    arguments = [*values, operation.relu, *layout.elementwise(x, y)]
    writer.both(Row("copy", arguments, writer.planes(x), values[:1], values[1:]))


def copy_backward(writer: Writer, operation: Operation) -> None:
    """Write a copy's gradient."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    values = [layout.value(x), layout.value(y), layout.gradient(y), layout.gradient(x)]
    arguments = [*values, operation.relu, *writer.begin(x), *layout.elementwise(x, y)]
    writer.backward.append(Row("copy_back", arguments, writer.planes(x), values[:3], values[3:]))


def pad(writer: Writer, operation: Operation) -> None:
    """Write a copy into the middle of zeros, tile by tile, for channels may be padded too."""
    (x,), y = operation.inputs, operation.output
    before, after = writer.layout.value(x), writer.layout.value(y)
    window = inside(operation)
    for i, (source, target) in enumerate(writer.layout.corners(operation)):
        arguments = [(before, source), (after, target), False, *window]
        row = Row("copy", arguments, even(x.channels))
        if i == 0:  # the others touch the same blocks, but nothing that this one does
            row.reads, row.writes = [before], [after]
        writer.both(row)


def pad_backward(writer: Writer, operation: Operation) -> None:
    """Write the gradient of what lies within the zeros."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    values = [layout.value(x), layout.value(y), layout.gradient(y), layout.gradient(x)]
    flags, window = writer.begin(x), inside(operation)
    for i, (source, target) in enumerate(layout.corners(operation)):
        places = zip(values, (source, target, target, source), strict=True)
        row = Row("copy_back", [*places, False, *flags, *window], even(x.channels))
        if i == 0:
            row.reads, row.writes = values[:3], values[3:]
        writer.backward.append(row)


def dropout(writer: Writer, operation: Operation) -> None:
    """Write a dropout; evaluation copies."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    place = layout.bytes.take(writer.tiles * x.size * LANES)
    writer.masks.append((operation, place))
    scale = layout.constant(1 / (1 - operation.attributes["p"]))
    writer.statistics[operation] = (scale,)
    values, window = [layout.value(x), layout.value(y)], layout.elementwise(x, y)
    bounds = writer.planes(x)
    writer.forward.append(Row("drop", [values[0], place, values[1], scale, *window], bounds, values[:1], values[1:]))
    writer.evaluate.append(Row("copy", [*values, False, *window], bounds, values[:1], values[1:]))


def dropout_backward(writer: Writer, operation: Operation) -> None:
    """Write a dropout's gradient."""
    layout, (x,), y = writer.layout, operation.inputs, operation.output
    place, (scale,) = dict(writer.masks)[operation], writer.statistics[operation]
    before, above, below = layout.value(x), layout.gradient(y), layout.gradient(x)
    arguments = [before, place, above, below, scale, *writer.begin(x), *layout.elementwise(x, y)]
    writer.backward.append(Row("drop_backward", arguments, writer.planes(x), [before, above], [below]))
