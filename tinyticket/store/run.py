"""What one training leaves behind, and the numbers that its history implies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyticket.store.checkpoint import Checkpoint

HISTORY = np.dtype(
    [
        ("iteration", np.int64),
        ("train_loss", np.float64),  # mean over the iterations since the last row
        ("validation_loss", np.float64),
        ("validation_accuracy", np.float64),
        ("test_loss", np.float64),
        ("test_accuracy", np.float64),
    ]
)


def by_column(row: tuple) -> dict[str, Any]:
    """Return a row of the history as a dict."""
    return dict(zip(HISTORY.names or (), row, strict=True))


@dataclass(frozen=True)
class Run:
    """One training of one network; masks and arrays by the names of weights, `origin` and `plan` in JSON values."""

    masks: dict[str, np.ndarray]  # what survived
    trained: dict[str, np.ndarray]  # all parameters and buffers after the last iteration
    history: np.ndarray  # of dtype HISTORY: a row for every evaluation
    origin: dict[str, Any]  # where the starting weights came from
    plan: dict[str, Any]  # how it was executed: eagerly, or with which kernel for each layer under which masks
    seconds: float  # wall time
    checkpoint: Checkpoint | None = None  # the training at the iteration that was asked for, if any
    final_mask: int = 0  # the iteration from which on it has the mask that is reported
    start_masks: dict[str, np.ndarray] | None = None  # what it began with, where that was drawn and has changed since
    frozen: Mapping[str, np.ndarray] = field(default_factory=dict)  # pruned weights, where not zero: 0 under survivors
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)  # of weights whose mask was learned
    cpu: str = ""  # the kind that trained, if it is another than that of the process that wrote the file
    metric: str = "accuracy"  # what the columns of accuracies hold: that or, for targets that are numbers, "r2"

    def scalars(self) -> dict[str, Any]:
        """Return the numbers that stand as attributes in the file."""
        weights = sum(mask.size for mask in self.masks.values())
        left = sum(int(np.count_nonzero(mask)) for mask in self.masks.values())
        history = self.history[self.history["iteration"] >= self.final_mask]  # rows before are of another network
        return {"density": left / weights, "weights_left": left, **summary(history), "seconds": self.seconds}


def summary(history: np.ndarray) -> Mapping[str, Any]:
    """Return what the paper reports of a training.

    The early-stopping iteration is that of the smallest validation loss, the first of equals; the test accuracy is read there.
    """
    stop = history[np.argmin(history["validation_loss"])]
    return {
        "early_stop_iteration": int(stop["iteration"]),
        "validation_loss": float(stop["validation_loss"]),
        "test_accuracy": float(stop["test_accuracy"]),
        "final_test_accuracy": float(history[-1]["test_accuracy"]),
    }
