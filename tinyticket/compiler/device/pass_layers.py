"""Convolutions and linear layers, dense and sparse, as rows of a device's program: one family of kernels serves both."""

from __future__ import annotations

from tinyticket.compiler.device.work import Work
from tinyticket.compiler.device.writer import Writer
from tinyticket.compiler.network.graph import Operation
from tinyticket.compiler.network.program import Block
from tinyticket.kernels.cuda import bias, dense, sparse, sparse_tiles


def layer(writer: Writer, operation: Operation) -> None:
    """Write a layer's forward pass."""
    layout = writer.layout
    weights, g = layout.weights[operation.parameters["weight"]], layout.geometry(operation)
    x, y = layout.value(operation.inputs[0]), layout.value(operation.output)
    shift, relu = _bias(writer, operation), int(operation.relu)
    if weights.lines is None:
        writer.both(Work(dense.forward, *x, weights.master, shift, *y, g, relu))
    else:
        writer.both(Work(sparse.forward, *x, weights.master, weights.lines.rows, shift, *y, g, relu))


def layer_backward(writer: Writer, operation: Operation) -> None:
    """Write a layer's gradients."""
    layout, (below,) = writer.layout, operation.inputs
    weights, g = layout.weights[operation.parameters["weight"]], layout.geometry(operation)
    x, dy, lines = layout.value(below), layout.gradient(operation.output), weights.lines
    shift = operation.parameters.get("bias")
    if shift is not None:
        writer.backward.append(Work(bias.bias_gradient, *dy, layout.weights[shift].gradient, g))
    if lines is None:
        splits = dense.splits_for(g)
        writer.backward.append(Work(dense.weight_gradient, *x, *dy, weights.cut(splits), g, splits))
    elif weights.count:
        splits = sparse_tiles.splits_for(g)
        writer.backward.append(Work(sparse.weight_gradient, *x, *dy, lines.products, weights.cut(splits), g, splits))
    if not below.needs_gradient:
        return
    dx, flags = layout.gradient(below), writer.begin(below)
    if lines is None:
        writer.backward.append(Work(dense.input_gradient, *dy, weights.master, x[0], *dx, g, *flags))
    else:
        assert lines.columns is not None
        by_column = Block(weights.count, kind=("survivors", weights.count))
        writer.backward.append(Work(sparse.reorder, weights.master, lines.to_row, by_column))
        writer.backward.append(Work(sparse.input_gradient, *dy, by_column, lines.columns, x[0], *dx, g, *flags))


def _bias(writer: Writer, operation: Operation) -> Block | None:
    """Return where a layer's bias lies, if it has one."""
    bias = operation.parameters.get("bias")
    return None if bias is None else writer.layout.weights[bias].master
