"""Where a training starts, and how its masks and connections change while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.nn import Connections, Move
from tinyticket.store import Checkpoint
from tinyticket.store.layout import begins_dense

if TYPE_CHECKING:
    from tinyticket.lottery.methods.learned import Untrained


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
        """Return the masks with which training goes on. A weight that they revive starts at 0, and so do its optimizer slots."""
        raise NotImplementedError

    def moves(self, iteration: int, weights: State, connections: Mapping[str, Connections]) -> Mapping[str, Move]:
        """Return how connections move, of layers by the names of their weights; those of others stay."""
        return {}

    def fresh(self) -> State | None:
        """Return where revived weights start, if not at 0."""
        return None

    def record(self) -> dict[str, Any]:
        """Return what the file says about the changes, in JSON values."""
        return {}

    def state(self) -> tuple[dict[str, Any], State] | None:
        """Return what the changes to come depend on, JSON values and arrays; None if that cannot be told, and nothing is kept."""
        return None if self.iterations else ({}, {})

    def restore(self, values: dict[str, Any], arrays: State) -> None:
        """Go on from what `state` returned; raise KeyError, TypeError or ValueError if something is missing."""


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
