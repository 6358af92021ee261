"""Where a training starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.store import Checkpoint

if TYPE_CHECKING:
    from tinyticket.lottery.methods.learned import Untrained


class Revision:
    """How masks change while a training goes on.

    Attributes
    ----------
    iterations : tuple of int
        After how many iterations of the training they change.
    gradients : int
        Of how many steps before each change `see` is shown the dense gradients.
    reads : tuple of str
        Parameters that it looks at besides the weights that can be pruned.
    takes_step : bool
        Whether the change takes the place of the last step before it.
    settled : int
        The iteration from which on the network is the one that is asked for: what is reported is what it did from then on.
    penalties : dict of float
        Strengths of L1 penalties on parameters, by name, as they are at the moment: they may change when masks do.
    draw : callable
        generator -> freshly drawn weights; given to it where it works.
    """

    iterations: tuple[int, ...]
    gradients = 0
    reads: tuple[str, ...] = ()
    takes_step = False
    draw: Callable[[np.random.Generator], State]

    @property
    def settled(self) -> int:
        """See above."""
        return max(self.iterations)

    @property
    def penalties(self) -> dict[str, float]:
        """See above."""
        return {}

    def see(self, gradients: State) -> None:
        """Take in the dense gradients of one step."""

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        """Return the masks with which training goes on. A weight that they revive starts at 0, and so do its optimizer slots."""
        raise NotImplementedError

    def fresh(self) -> State | None:
        """Return where revived weights start, if not at 0."""
        return None

    def record(self) -> dict[str, Any]:
        """Return what the file says about the changes, in JSON values."""
        return {}


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
    frozen : dict of arrays
        What pruned weights are where they are not zero, by layer (`mask_0`); such networks are trained eagerly.
    untrained : Untrained or None
        How a mask of the weights is learned while they stay as they are.
    trains : bool
        False for a network that is only evaluated, as it starts.
    """

    masks: Masks
    weights: State
    origin: dict[str, Any]
    iteration: int = 0
    optimizer: Checkpoint | None = None
    last_rate: bool = False
    revision: Revision | None = None
    frozen: State = field(default_factory=dict)
    untrained: Untrained | None = None
    trains: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """How many weights survive in each layer."""
        return {name: int(np.count_nonzero(mask)) for name, mask in self.masks.items()}

    def record(self) -> dict[str, Any]:
        """Return what the file says about it, in JSON values."""
        training = {} if self.trains and not self.untrained else {"training": "scores" if self.untrained else "none"}
        return {
            **self.origin,
            **training,
            "iteration": self.iteration,
            "optimizer": "rewind" if self.optimizer else "new",
            "learning_rate": "last" if self.last_rate else "schedule",
            **(self.revision.record() if self.revision else {}),
        }
