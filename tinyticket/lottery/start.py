"""Where a training starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.store import Checkpoint


class Revision(Protocol):
    """How masks change while a training goes on.

    Attributes
    ----------
    iterations : tuple of int
        After how many iterations of the training they change.
    """

    @property
    def iterations(self) -> tuple[int, ...]:
        """See above."""

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        """Return the masks with which training goes on. A weight that they revive starts at 0, and so do its optimizer slots."""


@dataclass(frozen=True)
class Start:
    """Where a training starts: with which weights, at which iteration, and in words of the file where they came from.

    Attributes
    ----------
    masks, weights
        Masks, and parameters and buffers under them.
    origin : dict
        JSON values: where "weights", "mask" and "statistics" (buffers, such as running means) came from.
    iteration : int
        The first iteration that is trained; schedule and batches are those of the iterations from there on.
    optimizer : Checkpoint or None
        What the optimizer remembers; None for a new one.
    last_rate : bool
        Whether the learning rate is that of the last iteration all along, as in fine-tuning.
    revision : Revision or None
        How masks change while training goes on.
    """

    masks: Masks
    weights: State
    origin: dict[str, Any]
    iteration: int = 0
    optimizer: Checkpoint | None = None
    last_rate: bool = False
    revision: Revision | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many weights survive in each layer."""
        return {name: int(np.count_nonzero(mask)) for name, mask in self.masks.items()}

    def record(self) -> dict[str, Any]:
        """Return what the file says about it, in JSON values."""
        return {
            **self.origin,
            "iteration": self.iteration,
            "optimizer": "rewind" if self.optimizer else "new",
            "learning_rate": "last" if self.last_rate else "schedule",
        }
