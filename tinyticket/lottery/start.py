"""The start of a training: weights, masks, iteration and optimizer, as rewinding and controls make it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.revision import Revision
from tinyticket.store import Checkpoint
from tinyticket.store.layout import begins_dense

if TYPE_CHECKING:
    from tinyticket.lottery.methods.learned import Untrained


@dataclass(frozen=True)
class Start:
    """Where a training starts: with which weights, at which iteration, and in words of the file where they came from."""

    masks: Masks
    weights: State  # parameters and buffers, under the masks
    origin: dict[str, Any]  # where "weights", "mask" and "statistics" (such as running means) came from, in JSON values
    iteration: int = 0  # the first one that is trained; schedule and batches are those of the iterations from there on
    optimizer: Checkpoint | None = None  # what the optimizer remembers; None for a new one
    last_rate: bool = False  # whether the learning rate is that of the last iteration all along, as in fine-tuning
    revision: Revision | None = None  # how masks change
    frozen: State = field(default_factory=dict)  # what pruned weights are where not zero (`mask_0`); trained eagerly
    untrained: Untrained | None = None  # how a mask of the weights is learned while they stay as they are
    trains: bool = True  # False for a network that is only evaluated, as it starts

    @property
    def counts(self) -> dict[str, int]:
        """How many weights survive in each layer."""
        return {name: int(np.count_nonzero(mask)) for name, mask in self.masks.items()}

    @property
    def hidden_masks(self) -> Masks | None:
        """The masks, where the file would not tell them from `origin` and from those at the end of the training."""
        origin = self.origin.get("mask")
        keeps = not (self.revision or self.untrained)
        return self.masks if (begins_dense(origin) if keeps else isinstance(origin, dict)) else None

    def record(self) -> dict[str, Any]:
        """Return what the file says about it, in JSON values."""
        what = self.untrained.method.trained if self.untrained else "none"
        training = {} if self.trains and not self.untrained else {"training": what}
        return {
            **self.origin,
            **training,
            "iteration": self.iteration,
            "optimizer": "rewind" if self.optimizer else "new",
            "learning_rate": "last" if self.last_rate else "schedule",
            **(self.revision.record() if self.revision else {}),
        }
