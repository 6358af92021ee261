"""A convolution as operations of kernels."""

from __future__ import annotations

from typing import Any

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.lower.linear import bias_backward
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.lower.update import update_weights
from tinyticket.compiler.op import Block, even
from tinyticket.kernels.cpu.convolution import (
    Conv2d,
    Conv2dInputGradient,
    Conv2dWeightGradient,
    conv2d_input_gradient_shares,
    conv2d_shares,
    conv2d_weight_gradient_shares,
)
from tinyticket.kernels.cpu.convolution.parameters import ROWS
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2d, SparseConv2dGradient, SparseConv2dWeightGradient


def conv2d(lower: Lowering, operation: Operation) -> None:
    """Write down a convolution's forward pass."""
    weights, window, values = lower.weights(operation), lower.values.window(operation), lower.values
    x, y, bias = values.value(operation.inputs[0]), values.value(operation.output), lower.bias(operation)
    if weights.pattern is not None:
        job: Any = SparseConv2d(weights.rows, weights.values, bias, x, y, operation.relu, window)
        own = [] if weights.by_column else [weights.values]
        lower.emit(job, weights.row_shares(), [weights.values, bias, x], [y], own)
        return
    job = Conv2d(weights.packed, bias, x, y, operation.relu, window)
    lower.emit(job, even(conv2d_shares(window)), [weights.packed, bias, x], [y])


def conv2d_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a convolution's gradients."""
    values, (below,) = lower.values, operation.inputs
    weights, window = lower.weights(operation), values.window(operation)
    x, dy, gradient = values.value(below), values.gradient(operation.output), lower.gradient(weights)
    bias_backward(lower, operation)
    if weights.pattern is None:
        conv2d_gradient(lower, operation, gradient)
        each = weights.count // operation.parameters["weight"].shape[0]
        shares = _weight_gradient_shares(lower, operation).times(ROWS * each, weights.count)
        update_weights(lower, operation, "weight", shares)
        if below.needs_gradient:
            dx, flags, back = values.gradient(below), lower.begin(below), weights.packed_back
            job: Any = Conv2dInputGradient(back, x, dy, dx, *flags, window)
            shares = even(conv2d_input_gradient_shares(window))
            lower.emit(job, shares, [back, x, dy], [dx], may_overwrite=[(x, dx)])
        return
    if not below.needs_gradient:
        job = SparseConv2dWeightGradient(weights.rows, x, dy, gradient, window)
        lower.emit(job, weights.row_shares(), [x, dy], [gradient], [gradient])
    else:
        dx, flags = values.gradient(below), lower.begin(below)
        job = SparseConv2dGradient(weights.columns, weights.master, x, dy, dx, gradient, *flags, window)
        # Columns in several blocks read x again after they have begun dx.
        over = [(x, dx)] if weights.pattern.columns.blocks == 1 else []
        own = [weights.master, gradient]
        lower.emit(job, weights.column_shares(), [weights.master, x, dy], [dx, gradient], own, over)
    update_weights(lower, operation, "weight", weights.survivor_shares())


def conv2d_gradient(lower: Lowering, operation: Operation, gradient: Block) -> None:
    """Write down the gradient of all weights, pruned ones included."""
    values = lower.values
    x, dy = values.value(operation.inputs[0]), values.gradient(operation.output)
    job = Conv2dWeightGradient(x, dy, gradient, values.window(operation))
    lower.emit(job, _weight_gradient_shares(lower, operation), [x, dy], [gradient], [gradient])


def _weight_gradient_shares(lower: Lowering, operation: Operation):
    return even(conv2d_weight_gradient_shares(lower.values.window(operation)))
