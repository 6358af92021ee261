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
    """One training of one network.

    Attributes
    ----------
    masks : dict of boolean arrays
        What survived, by weight.
    trained : dict of arrays
        All parameters and buffers after the last iteration.
    history : ndarray of dtype HISTORY
        A row for every evaluation.
    origin : dict
        Where the starting weights came from, in JSON values.
    plan : dict
        How the training was executed (eagerly, or with which kernel for each layer under which masks), in JSON values.
    seconds : float
        Wall time of the training.
    checkpoint : Checkpoint or None
        The training at the iteration that was asked for, if any.
    start_masks : dict of boolean arrays or None
        What the training began with, where that was drawn and has changed since.
    final_mask : int
        The iteration from which on the network is the one that is reported: before, gradual pruning was under way.
    frozen : dict of arrays
        What pruned weights were where not zero, by weight: 0 under survivors.
    scores : dict of arrays
        Of weights whose mask was learned, by weight.
    cpu : str
        The kind of CPU that trained, if it is another than that of the process that wrote the file.
    metric : str
        What stands in the columns of accuracies: "accuracy" or, for targets that are numbers, "r2".
    """

    masks: dict[str, np.ndarray]
    trained: dict[str, np.ndarray]
    history: np.ndarray
    origin: dict[str, Any]
    plan: dict[str, Any]
    seconds: float
    checkpoint: Checkpoint | None = None
    final_mask: int = 0
    start_masks: dict[str, np.ndarray] | None = None
    frozen: Mapping[str, np.ndarray] = field(default_factory=dict)
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    cpu: str = ""
    metric: str = "accuracy"

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
