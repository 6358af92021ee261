"""Where lowering writes its operations, and what the passes of a network's operations share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyticket.compiler.graph import Operation, Value
from tinyticket.compiler.layout import Layout, Values
from tinyticket.compiler.op import Block, Op, Shares, even
from tinyticket.compiler.weights import Weights
from tinyticket.compiler.writers import Writers
from tinyticket.nn import Parameter


class Lowering:
    """The operations of a program as they come into being.

    Parameters
    ----------
    layout : Layout
    values : Values
    training : bool
        Whether it is a training step; else batch normalisation uses running statistics, and dropout keeps everything.
    rule : int
        The optimizer's, of `kernels.cpu.update.RULES`.
    penalties : mapping of Parameter to float
        Strengths of L1 penalties.
    updates : bool
        Whether weights are updated, or gradients are all that is wanted.
    apart : bool
        Whether a step is several turns that threads take apart, each of which leaves a part of the gradients.

    Attributes
    ----------
    ops : list of Op
    chains : list of lists of Op
        Operations that change weights, and what follows from that; `schedule` puts them where no thread waits for them.
    turned : dict of Operation to Block
        The input of a dense linear layer sample by sample, as its weight gradient reads it.
    statistics : dict of Operation to Blocks
        What a batch normalisation leaves for its backward pass.
    kept : dict of Operation to int
        Dropouts, and where the bytes of their masks begin among those of a turn.
    kept_size : int
        Bytes of all dropouts' masks in a turn.
    """

    def __init__(
        self,
        layout: Layout,
        values: Values,
        training: bool,
        rule: int = 0,
        penalties: Mapping[Parameter, float] | None = None,
        updates: bool = True,
        apart: bool = False,
    ):
        self.layout, self.values, self.training, self.updates = layout, values, training, updates
        self.rule, self.penalties, self.apart = rule, penalties or {}, apart
        self._own: dict[Weights, Block] = {}
        self.ops: list[Op] = []
        self.chains: list[list[Op]] = []
        self.turned: dict[Operation, Block] = {}
        self.statistics: dict[Operation, tuple[Block, ...]] = {}
        self.kept: dict[Operation, int] = {}
        self.kept_size = 0
        self.layer: Operation | None = None
        self.begin = Writers(layout.graph).begin

    def emit(
        self,
        job: Any,
        shares: Shares,
        reads: list[Block],
        writes: list[Block],
        own: list[Block] | None = None,
        may_overwrite: list[tuple[Block, Block]] | None = None,
        chain: list[Op] | None = None,
    ) -> None:
        """Write down the next operation, of the program or of a chain of its."""
        over = [] if self.layout.plain else may_overwrite or []
        op = Op(job, shares, reads, writes, own or [], over, self.layer)
        (self.ops if chain is None else chain).append(op)

    def chain(self) -> list[Op]:
        """Begin a chain of operations."""
        self.chains.append([])
        return self.chains[-1]

    def weights(self, operation: Operation) -> Weights:
        """Return the blocks of a layer's weight."""
        return self.layout.weights[operation.parameters["weight"]]

    def gradient(self, weights: Weights) -> Block:
        """Return where a turn leaves the gradient of a parameter."""
        if not self.apart:
            return weights.gradient
        if weights not in self._own:
            self._own[weights] = Block(weights.count, private=True)
        return self._own[weights]

    def planes(self, value: Value) -> Shares:
        """Cut the channels of all tiles into equal shares."""
        return even(self.values.tiles * self.values.image(value).channels)

    def bias(self, operation: Operation) -> Block:
        """Return where a layer's bias lies, or zeros in its place."""
        bias = operation.parameters.get("bias")
        if bias is not None:
            return self.layout.weights[bias].master
        return Block(operation.parameters["weight"].shape[0])
