"""Convolutions and fully-connected layers as operations of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.lower import narrow, single
from tinyticket.compiler.lower.lowering import Lowering, filled
from tinyticket.compiler.op import FEED, Block, Op, Shares, even
from tinyticket.compiler.weights import NarrowWeights
from tinyticket.kernels.cpu import convolution
from tinyticket.kernels.cpu.convolution.parameters import ROWS as GRADIENT_ROWS
from tinyticket.kernels.cpu.gather import TransposeSamples
from tinyticket.kernels.cpu.linear import ROWS, Linear, LinearInputGradient
from tinyticket.kernels.cpu.linear_weight import OUTER_ROWS, LinearBiasGradient, LinearUpdate, LinearWeightGradient
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2d, SparseConv2dGradient, SparseConv2dWeightGradient
from tinyticket.kernels.cpu.sparse_linear import SparseLinear, SparseLinearGradient, SparseLinearWeightGradient
from tinyticket.kernels.cpu.update import State
from tinyticket.kernels.geometry import LANES

SPARSE = {
    "conv2d": (SparseConv2d, SparseConv2dGradient, SparseConv2dWeightGradient),
    "linear": (SparseLinear, SparseLinearGradient, SparseLinearWeightGradient),
}
"""Jobs of pruned layers: forward, both gradients, and the weight's alone."""


def layer(lower: Lowering, operation: Operation) -> None:
    """Write down a layer's forward pass."""
    if single.is_single(lower, operation):
        single.layer(lower, operation)
        return
    if isinstance(lower.weights(operation), NarrowWeights):
        narrow.layer(lower, operation)
        return
    weights, known, own = lower.weights(operation), _known(lower, operation), list[Block]()
    if weights.pattern is not None:
        kernel, source, shares = SPARSE[operation.kind][0], weights.values, weights.row_shares()
        own = [source]  # rows are read by the thread that updates them, or that brings their new values there
    elif operation.kind == "conv2d":
        kernel, source, shares = convolution.Conv2d, weights.packed, even(convolution.conv2d_shares(known["window"]))
        if weights.winograd:
            kernel, shares = convolution.WinogradConv2d, even(convolution.winograd_conv2d_shares(known["window"]))
    else:
        if lower.training and lower.values.is_mlp and operation.inputs[0].needs_gradient:
            _transpose(lower, operation, None)  # while other threads read it too, so that no thread waits for it later
        kernel, source, shares = Linear, weights.master, even(known["shape"].outputs, ROWS)
    reads = [source, known["bias"], known["x"]]
    lower.emit(filled(kernel, known, values=source), shares, reads, [known["y"]], own)


def layer_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a layer's gradients, and the update of its weights."""
    if isinstance(lower.weights(operation), NarrowWeights):
        narrow.layer_backward(lower, operation)
        return
    known, (below,) = _known(lower, operation), operation.inputs
    if below.needs_gradient:
        known["add"], known["x_is_relu_output"] = lower.begin(below)
    _bias_backward(lower, operation)
    if lower.weights(operation).pattern is not None:
        _sparse_backward(lower, operation, known)
    elif operation.kind == "conv2d":
        _conv2d_backward(lower, operation, known)
    else:
        _linear_backward(lower, operation, known)


def _sparse_backward(lower: Lowering, operation: Operation, known: dict[str, Any]) -> None:
    weights, (_, both, weight_alone) = lower.weights(operation), SPARSE[operation.kind]
    x, dy, dx, master, gradient = (known[name] for name in ("x", "dy", "dx", "values", "gradient"))
    if operation.inputs[0].needs_gradient:
        # Columns of a convolution in several blocks read x again after they have begun dx.
        over = [(x, dx)] if operation.kind == "conv2d" and known["columns"].blocks == 1 else []
        own, shares = [master, gradient], weights.column_shares()
        lower.emit(filled(both, known), shares, [master, x, dy], [dx, gradient], own, over)
    else:
        lower.emit(filled(weight_alone, known), weights.row_shares(), [x, dy], [gradient], [gradient])
    lower.update(operation, "weight", weights.survivor_shares(weights.by_column))


def _conv2d_backward(lower: Lowering, operation: Operation, known: dict[str, Any]) -> None:
    weights, window = lower.weights(operation), known["window"]
    if weights.winograd:
        shares, rows = _winograd_gradient(lower, known), 1
    else:
        shares, rows = conv2d_gradient(lower, operation, known["gradient"]), GRADIENT_ROWS
    lower.update(operation, "weight", shares.times(rows * (weights.count // weights.shape[0]), weights.count))
    if operation.inputs[0].needs_gradient:
        back, x, dy, dx = (known[name] for name in ("packed_back", "x", "dy", "dx"))
        kernel: Any = convolution.Conv2dInputGradient
        shares = even(convolution.conv2d_input_gradient_shares(window))
        if weights.winograd:
            kernel = convolution.WinogradConv2dInputGradient
            shares = even(convolution.winograd_conv2d_input_gradient_shares(window))
        lower.emit(filled(kernel, known), shares, [back, x, dy], [dx], may_overwrite=[(x, dx)])


def _winograd_gradient(lower: Lowering, known: dict[str, Any]) -> Shares:
    """Write down the gradient of a convolution's weights by Winograd's algorithm; return how its outputs are cut."""
    window, x, dy, gradient = (known[name] for name in ("window", "x", "dy", "gradient"))
    size, private = convolution.winograd_sums_size(window), lower.values.private
    sums = Block(size, kind=("sums", size, private), private=private)
    cut = even(convolution.winograd_sums_shares(window))
    lower.emit(filled(convolution.WinogradSums, known, sums=sums), cut, [x, dy], [sums])
    shares = even(window.outputs)
    job = convolution.WinogradConv2dWeightGradient(sums, gradient, window)
    lower.emit(job, shares, [sums], [gradient], [gradient])
    return shares


def conv2d_gradient(lower: Lowering, operation: Operation, gradient: Block) -> Shares:
    """Write down the gradient of all of a convolution's weights, pruned ones included; return how it is cut."""
    known = _known(lower, operation)
    shares = even(convolution.conv2d_weight_gradient_shares(known["window"]))
    job, reads = filled(convolution.Conv2dWeightGradient, known, gradient=gradient), [known["x"], known["dy"]]
    lower.emit(job, shares, reads, [gradient], [gradient])
    return shares


def _linear_backward(lower: Lowering, operation: Operation, known: dict[str, Any]) -> None:
    """Write down the gradients of a dense linear layer.

    That of the weights is part of their update's kernel, unless operations are lowered plainly; then it reads x as it is.
    """
    weights, (below,), shape = lower.weights(operation), operation.inputs, known["shape"]
    x, dy, dx, gradient = (known[name] for name in ("x", "dy", "dx", "gradient"))
    if below.needs_gradient:
        assert not known["add"], "`fuse.lay_out` has seen to it"
        lower.emit(filled(LinearInputGradient, known), even(shape.inputs, ROWS), [weights.master, x, dy], [dx])
    if lower.layout.plain or lower.apart:
        if lower.apart:
            if operation not in lower.turned:
                _transpose(lower, operation, None)
            x = lower.turned[operation]
        shares = even(shape.outputs)
        lower.emit(LinearWeightGradient(x, dy, gradient, shape, FEED), shares, [x, dy], [gradient])
        lower.update(operation, "weight", shares.times(shape.inputs, weights.count))
    elif lower.updates:
        _update(lower, operation, weights.state, weights.slot_blocks)


def linear_gradient(lower: Lowering, operation: Operation, gradient: Block) -> None:
    """Write down the gradient of all weights, as what becomes of zeros that SGD updates at a rate of -1."""
    nothing = Block(1, dtype=np.uint8)
    _update(lower, operation, State(gradient, gradient, gradient, nothing, False), [gradient])


def _update(lower: Lowering, operation: Operation, state: State, written: list[Block]) -> None:
    chain, dy = lower.chain(), lower.values.gradient(operation.output)
    if operation not in lower.turned:
        _transpose(lower, operation, chain)
    turned, shape = lower.turned[operation], lower.values.shape(operation)
    job = LinearUpdate(turned, dy, state, lower.rule, shape, FEED)
    lower.emit(job, even(shape.outputs, OUTER_ROWS), [turned, dy, *written], written, chain=chain)


def _transpose(lower: Lowering, operation: Operation, chain: list[Op] | None) -> None:
    """Write down the copy of a layer's input sample by sample, which its weight gradient reads."""
    values, (below,) = lower.values, operation.inputs
    x, shape, blocks = values.value(below), values.shape(operation), -(-below.size // LANES)
    kind = "samples", values.tiles * values.lanes, blocks, values.private
    turned = Block(values.tiles * values.lanes * blocks * LANES, kind=kind, private=values.private)
    lower.turned[operation] = turned
    lower.emit(TransposeSamples(x, turned, shape), even(blocks), [x], [turned], chain=chain)


def _bias_backward(lower: Lowering, operation: Operation) -> None:
    """Write down the gradient of a layer's bias and its update, if it has one."""
    bias, y, values = operation.parameters.get("bias"), operation.output, lower.values
    if bias is None:
        return
    gradient, shares = lower.gradient(lower.layout.weights[bias]), even(bias.size)
    reads = [dy] = [values.gradient(y)]
    readers = [o for o in lower.layout.graph.operations if any(x.root is y.root for x in o.inputs)]
    if values.is_mlp:
        shares = even(bias.size, 4)  # sums of four outputs are made together
        job: Any = LinearBiasGradient(dy, gradient, values.shape(operation))
    elif [o.kind for o in readers] == ["max_pool2d"] and not lower.layout.plain:
        pooled = readers[0].output
        reads = [maxima, dy] = [values.value(pooled), values.gradient(pooled)]
        job = convolution.PooledBiasGradient(maxima, dy, gradient, y.is_relu_output, values.elementwise(pooled, pooled))
    else:
        job = convolution.Conv2dBiasGradient(dy, gradient, values.elementwise(y, y))
    lower.emit(job, shares, reads, [gradient], [gradient])
    lower.update(operation, "bias", shares)


def _known(lower: Lowering, operation: Operation) -> dict[str, Any]:
    """Return what jobs of a layer call by these names; a layer without a bias has zeros in its place."""
    values, weights, (below,), y = lower.values, lower.weights(operation), operation.inputs, operation.output
    bias = operation.parameters.get("bias")
    known: dict[str, Any] = {"x": values.value(below), "y": values.value(y), "relu": operation.relu}
    known |= {"dx": values.gradient(below), "dy": values.gradient(y), "gradient": lower.gradient(weights)}
    known |= {"weight": weights.master, "values": weights.master}
    known |= {"packed": weights.packed, "packed_back": weights.packed_back}
    known["bias"] = Block(operation.output.channels) if bias is None else lower.layout.weights[bias].master
    if weights.pattern is not None:
        known |= {"rows": weights.rows, "columns": weights.columns}
    if operation.kind == "linear":
        return known | {"shape": values.shape(operation)}
    return known | {"window": values.window(operation), "room": lower.layout.room, "parts": 1}
