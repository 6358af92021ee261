"""Where a training starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.store import Checkpoint


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
    """

    masks: Masks
    weights: State
    origin: dict[str, Any]
    iteration: int = 0
    optimizer: Checkpoint | None = None
    last_rate: bool = False

    def record(self) -> dict[str, Any]:
        """Return what the file says about it, in JSON values."""
        return {
            **self.origin,
            "iteration": self.iteration,
            "optimizer": "rewind" if self.optimizer else "new",
            "learning_rate": "last" if self.last_rate else "schedule",
        }
