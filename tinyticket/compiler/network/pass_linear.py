"""A fully-connected layer as rows of a program."""

from __future__ import annotations

from tinyticket.compiler.network.graph import Operation
from tinyticket.compiler.network.pass_convolution import bias_backward, scatter
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.writer import Writer, even
from tinyticket.kernels.cpu.dense_passes import OUTER_ROWS, ROWS
from tinyticket.kernels.cpu.vector.machine import LANES


def linear(writer: Writer, operation: Operation) -> None:
    """Write a linear layer's forward pass."""
    weights, shape = writer.layout.weights[operation.parameters["weight"]], writer.layout.shape(operation)
    x, y, bias = writer.layout.value(operation.inputs[0]), writer.layout.value(operation.output), writer.bias(operation)
    lines: tuple[int, ...] = ()
    if weights.pattern is None:
        name, bounds = "linear_forward", even(shape.outputs, ROWS)
    else:
        scatter(writer, operation)
        name, lines, bounds = "sparse_linear_forward", weights.rows, weights.row_bounds
    arguments = [weights.values, bias, x, y, operation.relu, *lines, *shape]
    writer.both(Row(name, arguments, bounds, [weights.values, bias, x], [y]))


def linear_backward(writer: Writer, operation: Operation) -> None:
    """Write a linear layer's gradients, and the update of dense weights."""
    layout, (below,) = writer.layout, operation.inputs
    weights, shape = layout.weights[operation.parameters["weight"]], layout.shape(operation)
    x, dy, pattern = layout.value(below), layout.gradient(operation.output), weights.pattern
    bias_backward(writer, operation)
    if pattern is not None and not below.needs_gradient:
        arguments = [x, dy, weights.gradient, *weights.rows, *shape]
        row = Row("sparse_linear_gradient", arguments, weights.row_bounds, [x, dy], [weights.gradient])
        writer.backward.append(row)
        return
    if below.needs_gradient:
        dx, (add, rectified) = layout.gradient(below), writer.begin(below)
        assert not add, "borders has seen to it"
        reads, writes = [weights.master, x, dy], [dx]
        if pattern is None:
            arguments, bounds = [weights.master, x, dy, dx, rectified, *shape], even(shape.inputs, ROWS)
            writer.backward.append(Row("linear_backward", arguments, bounds, reads, writes))
        else:
            arguments = [weights.master, x, dy, dx, weights.gradient, rectified, *weights.columns, *shape]
            row = Row("sparse_linear_backward", arguments, weights.column_bounds, reads, [dx, weights.gradient])
            writer.backward.append(row)
    if pattern is None and writer.updates:
        _dense_update(writer, operation, weights.state(), weights.blocks())


def linear_gradient(writer: Writer, operation: Operation, gradient: Block) -> None:
    """Write the gradient of all weights, as what becomes of zeros that SGD updates at a rate of -1."""
    _dense_update(writer, operation, [gradient, gradient, gradient, 0, False], [gradient])


def _dense_update(writer: Writer, operation: Operation, state: list[int | Block], written: list[Block]) -> None:
    layout = writer.layout
    shape, x, dy = layout.shape(operation), layout.value(operation.inputs[0]), layout.gradient(operation.output)
    blocks = -(-shape.inputs // LANES)
    turned = Block(writer.tiles * LANES * blocks * LANES, kind=("samples", writer.tiles, blocks))
    writer.backward.append(Row("linear_transpose", [x, turned, *shape], even(blocks), [x], [turned]))
    row = Row("linear_update", [turned, dy, *state, *shape], even(shape.outputs, OUTER_ROWS))
    row.reads, row.writes = [turned, dy], written
    writer.backward.append(row)
