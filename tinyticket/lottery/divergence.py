"""What is said of a training whose loss is no finite number any more."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from tinyticket.errors import DivergenceError
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.step import ADAMS


def raise_diverged(what: str, losses: np.ndarray, first: int, settings: Settings) -> NoReturn:
    """Raise a DivergenceError about the first of some losses that is not finite; the first of all is of iteration `first`."""
    bad = int(np.argmin(np.isfinite(losses)))
    raise DivergenceError(f"the {what} is {losses[bad]} at iteration {first + bad}; try {_advice(settings)}")


def _advice(settings: Settings) -> str:
    """Return what may keep a training from diverging."""
    adaptive = settings.optimizer in ADAMS
    if not adaptive and settings.lr * settings.weight_decay >= 1:  # every step would grow the weights
        return f"a weight decay below {1 / settings.lr:g}, one over the learning rate"
    return f"a learning rate below {settings.lr:g}{'' if adaptive else ', or a longer warm-up'}"
