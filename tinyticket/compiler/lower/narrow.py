"""Layers of some connections for batches of few samples: what such layers make and read of each other is narrow.

Other operations have activations in whole vectors; values are narrowed and widened where the two kinds meet. Evaluations take
sixteen samples, for which narrow activations are packed ones.
"""

from __future__ import annotations

from typing import Any

from tinyticket.compiler.graph import Operation, Value
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.op import FEED, Block, even
from tinyticket.compiler.weights import NarrowWeights
from tinyticket.kernels.cpu.narrow import LinearNarrowBiasGradient, Narrow, Widen
from tinyticket.kernels.cpu.sparse_narrow import (
    SparseLinearNarrow,
    SparseLinearNarrowGradient,
    SparseLinearNarrowUpdate,
    SparseLinearNarrowWeightGradient,
    SparseLinearNarrowWeightUpdate,
)
from tinyticket.kernels.geometry import LANES


def layer(lower: Lowering, operation: Operation) -> None:
    """Write down a layer's forward pass."""
    weights, (below,), y = _weights(lower, operation), operation.inputs, operation.output
    lanes, bias = _lanes(lower), operation.parameters.get("bias")
    x = _narrowed(lower, below, lower.narrow_values, lower.values.value(below))
    narrow = _place(lower, y, lower.narrow_values, lower.values.value(y))
    shift = Block(y.channels) if bias is None else lower.layout.weights[bias].master
    job = SparseLinearNarrow(weights.blocked, weights.master, shift, x, narrow, operation.relu, lanes)
    lower.emit(job, even(weights.blocked.height), [weights.master, shift, x], [narrow])
    if lanes < LANES and not _is_narrow(lower, lower.layout.graph.reader(y)):
        wide = lower.values.value(y)
        lower.emit(Widen(narrow, wide, lanes), even(y.size), [narrow], [wide])


def layer_backward(lower: Lowering, operation: Operation) -> None:
    """Write down a layer's gradients, and the update of its weights."""
    weights, (below,), y = _weights(lower, operation), operation.inputs, operation.output
    lanes, gradient = _lanes(lower), lower.gradient(weights)
    x = _narrowed(lower, below, lower.narrow_values, lower.values.value(below))
    dy = _narrowed(lower, y, lower.narrow_gradients, lower.values.gradient(y))
    if (bias := operation.parameters.get("bias")) is not None:
        own, shares = lower.gradient(lower.layout.weights[bias]), even(bias.size)
        lower.emit(LinearNarrowBiasGradient(dy, own, lanes), shares, [dy], [own], [own])
        lower.update(operation, "bias", shares)
    fuses = lower.updates and not lower.penalties.get(operation.parameters["weight"])
    step, written = (weights.state, lower.rule, FEED), weights.slot_blocks
    if below.needs_gradient:
        add, masks = lower.begin(below)
        assert not add, "nothing else reads what a layer of a chain reads"
        dx = _place(lower, below, lower.narrow_gradients, lower.values.gradient(below))
        arrays, blocks = (weights.master, x, dy, dx), even(weights.blocked.blocks)
        job: Any = SparseLinearNarrowGradient(weights.blocked, *arrays, gradient, masks, lanes)
        if fuses:
            job = SparseLinearNarrowUpdate(weights.blocked, *arrays, masks, lanes, *step)
        lower.emit(job, blocks, [*written, x, dy], [dx, *(written if fuses else [gradient])])
        if lanes < LANES and not _is_narrow(lower, lower.layout.graph.maker(below)):
            wide = lower.values.gradient(below)
            lower.emit(Widen(dx, wide, lanes), even(below.size), [dx], [wide])
    else:
        job = SparseLinearNarrowWeightGradient(weights.blocked, x, dy, gradient, lanes)
        if fuses:
            job = SparseLinearNarrowWeightUpdate(weights.blocked, x, dy, lanes, *step)
        lower.emit(job, even(weights.blocked.height), [*written, x, dy], written if fuses else [gradient])
    if not fuses:
        lower.update(operation, "weight", even(weights.count, LANES))


def _lanes(lower: Lowering) -> int:
    return lower.layout.narrow if lower.training else LANES


def _weights(lower: Lowering, operation: Operation) -> NarrowWeights:
    weights = lower.weights(operation)
    assert isinstance(weights, NarrowWeights)
    return weights


def _is_narrow(lower: Lowering, operation: Operation | None) -> bool:
    """Whether an operation is a layer that reads and writes narrow activations."""
    weight = operation.parameters.get("weight") if operation else None
    return weight is not None and isinstance(lower.layout.weights[weight], NarrowWeights)


def _place(lower: Lowering, value: Value, known: dict[Value, Block], wide: Block) -> Block:
    """Return where a narrow value, or gradient, is to be written."""
    lanes = _lanes(lower)
    if lanes == LANES:
        return wide
    return known.setdefault(value.root, Block(value.size * lanes, kind=("narrow", value.size)))


def _narrowed(lower: Lowering, value: Value, known: dict[Value, Block], wide: Block) -> Block:
    """Return a narrow value, or gradient, narrowing it if it was made by another kind of operation."""
    if value.root in known:
        return known[value.root]
    narrow, lanes = _place(lower, value, known, wide), _lanes(lower)
    if lanes < LANES:
        lower.emit(Narrow(wide, narrow, lanes), even(value.size), [wide], [narrow])
    return narrow
