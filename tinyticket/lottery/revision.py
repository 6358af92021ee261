"""How masks and connections change while a training goes on, of methods that find them so; those of tickets do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.nn import Connections, Move


class Revision:
    """How masks, and connections of layers that were never dense, change while a training goes on."""

    iterations: tuple[int, ...] = ()  # of the training, after which they change
    gradients = 0  # of how many steps before each change `see` is shown the dense gradients
    reads: tuple[str, ...] = ()  # parameters that are looked at besides the weights that can be pruned
    takes_step = False  # whether the change takes the place of the last step before it
    draw: Callable[[np.random.Generator], State]  # generator -> freshly drawn weights; given to it where it works

    @property
    def settled(self) -> int:
        """The iteration from which on the network is the one asked for: what is reported is what it did from then on."""
        return max(self.iterations, default=0)

    @property
    def penalties(self) -> dict[str, float]:
        """Strengths of L1 penalties on parameters, by name, as they are at the moment: they may change when masks do."""
        return {}

    def sees(self, iteration: int) -> bool:
        """Whether the steps up to an iteration, of a call that begins within no window, are shown to `see`."""
        return any(change - self.gradients < iteration <= change for change in self.iterations)

    def candidates(self, connections: Mapping[str, Connections]) -> Mapping[str, Connections]:
        """Return places without a connection, of layers by the names of their weights, whose gradients `see` wants instead."""
        return {}

    def see(self, gradients: State) -> None:
        """Take in the dense gradients of one step."""

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        """Return the masks with which training goes on. A weight that they revive starts at 0, and so do its optimizer slots.

        Every method that gives `iterations` defines this; without iterations it is not called.
        """
        raise NotImplementedError

    def moves(self, iteration: int, weights: State, connections: Mapping[str, Connections]) -> Mapping[str, Move]:
        """Return the moves of connections by the names of their layers' weights; connections of other layers stay."""
        return {}

    def fresh(self) -> State | None:
        """Return the values at which revived weights start; None if they start at 0."""
        return None

    def record(self) -> dict[str, Any]:
        """Return the file's record of the changes, in JSON values."""
        return {}

    def state(self) -> tuple[dict[str, Any], State] | None:
        """Return the state on which later changes depend, JSON values and arrays; None without one: no such training is kept."""
        return None if self.iterations else ({}, {})

    def restore(self, values: dict[str, Any], arrays: State) -> None:
        """Go on from what `state` returned; raise KeyError, TypeError or ValueError if something is missing."""
