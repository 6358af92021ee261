"""How the mask of a sparse network moves while it trains (SET, RigL, SNFS): the updates of one training.

RigL spends an iteration on an update, as its paper says; the others update after one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket import prune
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.start import Revision

DECAY, WINDOW = 0.9, 30
"""Momentum is summed over so many gradients before an update: what lies further back weighs DECAY**WINDOW, 4%, at most, and a
dense gradient costs more than a sparse step."""


class Dynamic(Revision):
    """The updates of one network's mask.

    Parameters
    ----------
    method : str
        "set", "set-original", "rigl", "snfs" or "snfs-grow".
    iterations : tuple of int
        After how many iterations the mask moves.
    rest : int
        Where the fraction to drop has fallen to nothing.
    drop : float
        The first fraction.
    rng : Generator
        For SET, with which `set-original` also draws weights.
    """

    def __init__(self, method: str, iterations: tuple[int, ...], rest: int, drop: float, rng: np.random.Generator):
        self.method, self.iterations, self._rest, self._drop, self._rng = method, iterations, rest, drop, rng
        self._momentum, self._grown = dict[str, np.ndarray](), 0
        self.gradients = {"rigl": 1, "snfs": WINDOW, "snfs-grow": WINDOW}.get(method, 0)
        self.gradients = min(self.gradients, iterations[0])  # a window reaches back to the update before, not beyond
        self.takes_step = method == "rigl"

    @property
    def settled(self) -> int:
        """Iteration 0: the network has its density from the start."""
        return 0

    def see(self, gradients: State) -> None:
        """Take in the dense gradients of a batch before an update."""
        for name, gradient in gradients.items():
            before = self._momentum.get(name)
            self._momentum[name] = gradient if before is None else DECAY * before + gradient

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        """Return the masks after `iteration` iterations."""
        # A momentum seen over a window begins anew for each update.
        momentum, self._momentum = {name: self._momentum[name] for name in masks if self._momentum}, {}
        weights = {name: weights[name] for name in masks}
        fraction = (
            self._drop if self.method == "set-original" else prune.drop_fraction(iteration, self._rest, self._drop)
        )
        if self.method in ("set", "set-original"):
            moved = prune.set_masks(weights, masks, fraction, self._rng, by_sign=self.method == "set-original")
        elif self.method == "rigl":
            moved = prune.rigl_masks(weights, masks, momentum, fraction)
        else:
            moved = prune.snfs_masks(weights, masks, momentum, fraction, redistribute=self.method == "snfs")
        self._grown += sum(int(np.count_nonzero(moved[name] & ~mask)) for name, mask in masks.items())
        return moved

    def fresh(self) -> State | None:
        """Return values for grown weights; None where they start at 0."""
        return self.draw(self._rng) if self.method == "set-original" else None

    def record(self) -> dict[str, Any]:
        """Return what the file says about it: how often the mask has moved, and how many weights have grown in all."""
        return {"updates": len(self.iterations), "grown": self._grown}
