"""What goes back when a network has been pruned, and how far: the paper's reset and what came after it.

Every retraining lasts `iterations` - K iterations, whatever goes back, so that all are compared at equal cost:

* "weights": weights, buffers, the optimizer's state and the schedule go back to iteration K of the trial's dense training (Frankle,
  Dziugaite, Roy and Carbin 2020); K = 0 is the reset to theta_0 of Frankle and Carbin (2019).
* "lr": the weights stay as trained, the schedule alone goes back to iteration K (Renda, Frankle and Carbin 2020).
* "finetune": nothing goes back; training goes on at the last learning rate (the same paper's baseline).

Where weights stay, the optimizer begins anew: what it remembered belongs to a network that has just lost weights. So it may where
weights go back (`rewind_optimizer` "new"), as in open_lth, the authors' published code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State, reset
from tinyticket.lottery.start import Start
from tinyticket.store import Checkpoint

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings

REWINDS = ("weights", "lr", "finetune")
STRATEGIES = ("reset", "continue")
OPTIMIZERS = ("rewound", "new")
"""What a network that goes back to iteration K > 0 remembers of the steps before, the default first."""


def check_rewinding(settings: Settings) -> None:
    """Raise InputError unless the settings of rewinding go together."""
    rewind, rewind_to, iterations = settings.rewind, settings.rewind_to, settings.iterations
    if not 0 <= rewind_to < iterations:
        raise InputError(
            f"rewind to is an iteration of the dense training, from 0 to {iterations - 1} with {iterations} iterations; "
            f"not {rewind_to!r}"
        )
    if settings.rewind_optimizer != OPTIMIZERS[0] and (rewind != "weights" or rewind_to == 0):
        raise InputError("the optimizer begins anew where weights do not go back to a later iteration: give rewind-to")
    if settings.strategy == "continue" and (settings.one_shot or rewind != "weights"):
        other = (
            "one-shot prunes once"
            if settings.one_shot
            else f"with rewind {rewind} the tickets themselves keep their weights"
        )
        raise InputError(
            f"the strategy 'continue' keeps training between prunings and rewinds weights at the end; {other}"
        )


def kept_iteration(settings: Settings) -> int:
    """Return the iteration of the dense training that tickets go back to; 0 if that is theta_0, or their weights stay."""
    return settings.rewind_to if settings.rewind == "weights" else 0


def changes_reset(settings: Settings) -> bool:
    """Whether pruned networks start from anything but theta_0."""
    return settings.rewind != "weights" or settings.rewind_to > 0 or settings.strategy != "reset"


@dataclass(frozen=True)
class Rewinding:
    """What pruned networks of one trial start from."""

    what: str  # one of REWINDS
    iteration: int  # K
    initial: State  # theta_0
    optimizer: str = OPTIMIZERS[0]

    def target(self, checkpoint: Checkpoint | None, trained: State) -> State:
        """Return what the survivors go back to: theta_0, theta_K, or the trained weights where they stay."""
        if self.what != "weights":
            return trained
        return checkpoint.state if checkpoint else self.initial

    def start(self, checkpoint: Checkpoint | None, trained: State, masks: Masks, origin: Mapping[str, Any]) -> Start:
        """Return how a network with these masks starts, of which `origin` says what else is to be said."""
        where = "trained" if self.what != "weights" else "rewind" if checkpoint else "init"
        return Start(
            masks,
            reset(self.target(checkpoint, trained), masks),
            {"weights": where, "statistics": where, **origin},
            self.iteration,
            optimizer=checkpoint if self.what == "weights" and self.optimizer == OPTIMIZERS[0] else None,
            last_rate=self.what == "finetune",
        )
