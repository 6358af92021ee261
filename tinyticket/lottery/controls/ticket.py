"""What a control is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.start import Start
from tinyticket.nn import Module


@dataclass(frozen=True)
class Ticket:
    """A ticket, and what it was chosen from."""

    start: Start  # of the ticket itself
    source: State  # the weights of which it has kept some: theta_0, theta_K, or those before pruning where they stay
    among: Masks  # what another mask may choose from: all, or the survivors of the network before where weights stay
    inverted: Callable[[], Masks]  # masks of the ticket's counts that keep what its criterion would have removed first
    initial: State  # theta_0
    draw: Callable[[np.random.Generator], State]  # generator -> another theta_0
    trained: State  # the weights at the end of the training that the mask came of
    network: Callable[[], Module]  # -> one of the experiment's networks, with whatever weights, to be changed
