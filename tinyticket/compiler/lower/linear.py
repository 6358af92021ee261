"""A fully-connected layer as operations of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.lower.update import update_weights
from tinyticket.compiler.op import FEED, Block, Op, even
from tinyticket.kernels.cpu.convolution import Conv2dBiasGradient, PooledBiasGradient
from tinyticket.kernels.cpu.gather import TransposeSamples
from tinyticket.kernels.cpu.linear import ROWS, Linear, LinearInputGradient
from tinyticket.kernels.cpu.linear_weight import OUTER_ROWS, LinearBiasGradient, LinearUpdate, LinearWeightGradient
from tinyticket.kernels.cpu.sparse_linear import SparseLinear, SparseLinearGradient, SparseLinearWeightGradient
from tinyticket.kernels.cpu.update import State
from tinyticket.kernels.geometry import LANES


def linear(lower: Lowering, operation: Operation) -> None:
    """Write down a linear layer's forward pass."""
    weights, shape, values = lower.weights(operation), lower.values.shape(operation), lower.values
    x, y, bias = values.value(operation.inputs[0]), values.value(operation.output), lower.bias(operation)
    reads = [weights.values, bias, x]
    if weights.pattern is not None:
        job = SparseLinear(weights.rows, weights.values, bias, x, y, operation.relu, shape)
        # Weights that the optimizer updates row by row are read by the thread that updates them.
        own = [] if weights.by_column else [weights.values]
        lower.emit(job, weights.row_shares(), reads, [y], own)
        return
    if lower.training and values.is_mlp and operation.inputs[0].needs_gradient:
        _transpose(lower, operation, None)  # while other threads read it too, so that no thread waits for it later
    lower.emit(Linear(weights.values, bias, x, y, operation.relu, shape), even(shape.outputs, ROWS), reads, [y])


def linear_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a linear layer's gradients, and the update of its weights.

    The gradient of dense weights is part of their update's kernel, unless operations are lowered plainly; then it reads x as it is.
    """
    values, (below,) = lower.values, operation.inputs
    weights, shape = lower.weights(operation), values.shape(operation)
    x, dy, gradient = values.value(below), values.gradient(operation.output), lower.gradient(weights)
    bias_backward(lower, operation)
    if weights.pattern is not None and not below.needs_gradient:
        job: Any = SparseLinearWeightGradient(weights.rows, x, dy, gradient, shape)
        lower.emit(job, weights.row_shares(), [x, dy], [gradient], [gradient])
    elif below.needs_gradient:
        dx, (add, x_is_relu_output) = values.gradient(below), lower.begin(below)
        assert not add, "borders has seen to it"
        reads = [weights.master, x, dy]
        if weights.pattern is None:
            job = LinearInputGradient(weights.master, x, dy, dx, x_is_relu_output, shape)
            lower.emit(job, even(shape.inputs, ROWS), reads, [dx])
        else:
            given = weights.columns, weights.master, x, dy, dx, gradient, x_is_relu_output, shape
            own = [weights.master, gradient]
            lower.emit(SparseLinearGradient(*given), weights.column_shares(), reads, [dx, gradient], own)
    if weights.pattern is not None:
        update_weights(lower, operation, "weight", weights.survivor_shares())
    elif lower.layout.plain or lower.apart:
        if lower.apart:
            _transpose(lower, operation, None)
            x = lower.turned[operation]
        shares = even(shape.outputs)
        lower.emit(LinearWeightGradient(x, dy, gradient, shape, FEED), shares, [x, dy], [gradient])
        update_weights(lower, operation, "weight", shares.times(shape.inputs, weights.count))
    elif lower.updates:
        state = weights.master, weights.first, weights.second, weights.mask_bytes, weights.masked
        _update(lower, operation, state, weights.slot_blocks)


def linear_gradient(lower: Lowering, operation: Operation, gradient: Block) -> None:
    """Write down the gradient of all weights, as what becomes of zeros that SGD updates at a rate of -1."""
    none = Block(1, dtype=np.uint8)
    _update(lower, operation, (gradient, gradient, gradient, none, False), [gradient])


def bias_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradient of a layer's bias and its update, if it has one."""
    bias, y, values = operation.parameters.get("bias"), operation.output, lower.values
    if bias is None:
        return
    gradient, dy, shares = lower.gradient(lower.layout.weights[bias]), values.gradient(y), even(bias.size)
    readers = [o for o in lower.layout.graph.operations if any(x.root is y.root for x in o.inputs)]
    if values.is_mlp:
        shares = even(bias.size, 4)  # sums of four outputs are made together
        lower.emit(LinearBiasGradient(dy, gradient, values.shape(operation)), shares, [dy], [gradient], [gradient])
    elif [o.kind for o in readers] == ["max_pool2d"] and not lower.layout.plain:
        pooled = readers[0].output
        maxima, given, window = values.value(pooled), values.gradient(pooled), values.elementwise(pooled, pooled)
        job = PooledBiasGradient(maxima, given, gradient, y.is_relu_output, window)
        lower.emit(job, shares, [maxima, given], [gradient], [gradient])
    else:
        lower.emit(Conv2dBiasGradient(dy, gradient, values.elementwise(y, y)), shares, [dy], [gradient], [gradient])
    update_weights(lower, operation, "bias", shares)


def _transpose(lower: Lowering, operation: Operation, chain: list[Op] | None) -> None:
    """Write down the copy of a layer's input sample by sample, which its weight gradient reads."""
    values, (below,) = lower.values, operation.inputs
    x, shape, blocks = values.value(below), values.shape(operation), -(-below.size // LANES)
    kind = "samples", values.tiles * values.lanes, blocks, values.private
    turned = Block(values.tiles * values.lanes * blocks * LANES, kind=kind, private=values.private)
    lower.turned[operation] = turned
    lower.emit(TransposeSamples(x, turned, shape), even(blocks), [x], [turned], chain=chain)


def _update(lower: Lowering, operation: Operation, state: tuple, written: list[Block]) -> None:
    chain, dy = lower.chain(), lower.values.gradient(operation.output)
    if operation not in lower.turned:
        _transpose(lower, operation, chain)
    turned, shape = lower.turned[operation], lower.values.shape(operation)
    job = LinearUpdate(turned, dy, State(*state), lower.rule, shape, FEED)
    lower.emit(job, even(shape.outputs, OUTER_ROWS), [turned, dy, *written], written, chain=chain)
