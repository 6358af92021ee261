"""What a control is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.start import Start

Draw = Callable[[np.random.Generator], State]


@dataclass(frozen=True)
class Ticket:
    """A ticket, and what it was chosen from.

    Attributes
    ----------
    start : Start
        Where the ticket itself starts.
    source : dict of arrays
        The weights of which the ticket has kept some: theta_0, theta_K, or those of the network before pruning where they stay.
    among : dict of boolean arrays
        Which weights another mask may choose from: all, or the survivors of the network before where weights stay.
    inverted : callable
        () -> masks of the ticket's counts that keep what its criterion would have removed first.
    initial : dict of arrays
        theta_0.
    draw : callable
        generator -> another theta_0.
    """

    start: Start
    source: State
    among: Masks
    inverted: Callable[[], Masks]
    initial: State
    draw: Draw

    @property
    def counts(self) -> dict[str, int]:
        """How many weights survive in each layer."""
        return self.start.counts
