"""Where passes of a device write their rows, and what they share."""

from __future__ import annotations

import numpy as np

from tinyticket.compiler.device.layout import DeviceLayout
from tinyticket.compiler.device.work import Feed, Work
from tinyticket.compiler.network.graph import Operation, Value
from tinyticket.compiler.network.program import Block
from tinyticket.compiler.network.turns import Turns

STATE = Feed(np.int32, 2)
"""Which turn of a call it is, and how many lanes hold samples: one row for the whole call."""


class Writer:
    """The rows of a network's programs as they come into being.

    Parameters
    ----------
    layout : DeviceLayout

    Attributes
    ----------
    forward, evaluate, backward : list of Work
        The forward pass as training and as evaluation have it, and the backward pass.
    statistics : dict of Operation to Blocks
        What a forward pass leaves for its backward pass.
    kept : dict of Operation to Feed
        Dropouts, and the masks that are drawn for them.
    """

    def __init__(self, layout: DeviceLayout):
        self.layout, self.graph = layout, layout.graph
        self.forward: list[Work] = []
        self.evaluate: list[Work] = []
        self.backward: list[Work] = []
        self.statistics: dict[Operation, tuple[Block, ...]] = {}
        self.kept: dict[Operation, Feed] = {}
        self._begin = Turns(self.graph).begin

    def begin(self, value: Value) -> tuple[int, int]:
        """Note that a value's gradient is written; return whether to add, and whether to apply a ReLU's gradient, as 0 or 1."""
        add, rectified = self._begin(value)
        return int(add), int(rectified)

    def both(self, work: Work) -> None:
        """Note a row that training and evaluation have in common."""
        self.forward.append(work)
        self.evaluate.append(work)

    def sign(self, operation: Operation) -> None:
        """Say of all rows that are new whose they are."""
        for work in (*self.forward, *self.evaluate, *self.backward):
            work.owner = work.owner or operation
