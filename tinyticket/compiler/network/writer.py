"""Where passes write their rows, and what they share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyticket.compiler.network.graph import Operation, Value
from tinyticket.compiler.network.layout import Layout
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.network.turns import Turns
from tinyticket.kernels.cpu.arguments import even_bounds

Bounds = Callable[[int], np.ndarray]


def even(count: int, multiple: int = 1) -> Bounds:
    """Cut a number of jobs, all as much work, into equal shares."""
    return lambda threads: even_bounds(count, threads, multiple)


class Writer:
    """The rows of a network's programs as they come into being.

    Parameters
    ----------
    layout : Layout
    updates : bool
        Whether weights are updated, or gradients are all that is wanted.

    Attributes
    ----------
    prepare, forward, evaluate, backward, update : list of Row
        What brings weights into the order in which they are read, the forward pass as training and as evaluation have it, and the
        rest of a training step.
    packed : dict of Operation to two Blocks
        Weights of dense convolutions as forward pass and input gradient read them.
    statistics : dict of Operation to Blocks
        What a forward pass leaves for its backward pass.
    masks : list of (Operation, int)
        Dropouts, and where the bytes of their masks lie.
    """

    def __init__(self, layout: Layout, updates: bool = True):
        self.updates = updates
        self.layout, self.graph, self.tiles = layout, layout.graph, layout.tiles
        self.prepare: list[Row] = []
        self.forward: list[Row] = []
        self.evaluate: list[Row] = []
        self.backward: list[Row] = []
        self.update: list[Row] = []
        self.packed: dict[Operation, tuple[Block, Block]] = {}
        self.statistics: dict[Operation, tuple[Block, ...]] = {}
        self.masks: list[tuple[Operation, int]] = []
        self.begin = Turns(self.graph).begin

    def both(self, row: Row) -> None:
        """Note a row that training and evaluation have in common."""
        self.forward.append(row)
        self.evaluate.append(row)

    def planes(self, value: Value) -> Bounds:
        """Cut the channels of all tiles into equal shares."""
        return even(self.tiles * value.channels)

    def bias(self, operation: Operation) -> Block:
        """Return where a layer's bias lies, or zeros in its place."""
        bias = operation.parameters.get("bias")
        if bias is not None:
            return self.layout.weights[bias].master
        return self.layout.constant(*[0.0] * operation.parameters["weight"].shape[0])

    def sign(self, operation: Operation) -> None:
        """Say of all rows that are new whose they are."""
        for row in (*self.prepare, *self.forward, *self.evaluate, *self.backward, *self.update):
            row.owner = row.owner or operation
