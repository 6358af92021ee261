"""The update of weights, and what is renewed when they have changed."""

from __future__ import annotations

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.layout import window_of
from tinyticket.compiler.lower.lowering import Lowering
from tinyticket.compiler.op import FEED, Op, Shares, even
from tinyticket.compiler.weights import Weights
from tinyticket.kernels.cpu.convolution import PackConv2d, pack_conv2d_shares
from tinyticket.kernels.cpu.sparse_linear import ReorderSurvivors
from tinyticket.kernels.cpu.update import L1Gradient, StorePart, Update
from tinyticket.kernels.geometry import LANES


def update_weights(lower: Lowering, operation: Operation, name: str, shares: Shares) -> None:
    """Write down the update of a parameter of a layer, whose gradient has been cut into such shares of its numbers."""
    if not lower.updates:
        return
    parameter = operation.parameters[name]
    weights, chain = lower.layout.weights[parameter], lower.chain()
    gradient, blocks = weights.gradient, weights.slot_blocks
    if lower.apart:
        own = lower.gradient(weights)
        lower.emit(StorePart(own, gradient, weights.count, FEED), even(weights.count, LANES), [own], [gradient])
    if penalty := lower.penalties.get(parameter, 0.0):
        reads = [gradient, weights.master]
        lower.emit(L1Gradient(weights.master, gradient, penalty), shares, reads, [gradient], reads, chain=chain)
    job = Update(gradient, weights.state, lower.rule, weights.count, FEED)
    lower.emit(job, shares, [gradient, *blocks], blocks, [gradient, *blocks], chain=chain)
    if name == "weight":
        chain += refreshed(weights, operation)


def refreshed(weights: Weights, operation: Operation) -> list[Op]:
    """Return what brings a layer's weights into the orders that its passes read, after the optimizer has changed them."""
    if weights.by_column:
        shares = weights.survivor_shares()
        job = ReorderSurvivors(weights.master, weights.values, weights.to_row)
        return [Op(job, shares, [weights.master], [weights.values], [weights.master], [], operation)]
    if weights.packed is not weights.master:
        packed, back, window = weights.packed, weights.packed_back, window_of(operation, 1)
        pack = PackConv2d(weights.master, packed, back, window)
        return [Op(pack, even(pack_conv2d_shares(window)), [weights.master], [packed, back], [], [], operation)]
    return []
