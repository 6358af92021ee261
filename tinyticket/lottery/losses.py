"""What an experiment trains for: the loss that its settings name, and what that asks of data and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.nn.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from tinyticket.nn.targets import split_weights

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings

CROSS_ENTROPY, BINARY, MSE = LOSSES = ("cross-entropy", "binary-cross-entropy", "mse")
BALANCED = "balanced"


def read_class_weights(value: Any) -> str:
    """Return weights of classes as files hold them, "none", "balanced" or "1.0,5.0", from that or from numbers."""
    if value in ("none", BALANCED):
        return value
    numbers = [float(part) for part in (value.split(",") if isinstance(value, str) else value)]
    if not numbers or not all(0 < number < np.inf for number in numbers):
        raise ValueError
    return ",".join(map(repr, numbers))


def check_loss(settings: Settings) -> None:
    """Raise InputError unless the settings of the loss go together, and with the others."""
    options = {"label smoothing": settings.label_smoothing > 0, "class weights": settings.class_weights != "none"}
    for name, given in options.items():
        if given and settings.loss != CROSS_ENTROPY:
            raise InputError(
                f"{name} are of the loss {CROSS_ENTROPY}; leave one of them out, or the loss {settings.loss}"
            )
    if settings.label_noise and settings.loss == MSE:
        raise InputError(f"label noise is of classes; leave it out, or the loss {MSE}")
    if settings.criterion in ("snip", "grasp") and (settings.loss != CROSS_ENTROPY or any(options.values())):
        raise InputError(f"the criterion {settings.criterion} computes with plain cross-entropy: leave the loss out")


def outputs_for(loss: str, dataset: Dataset) -> int:
    """Return how many outputs a network has that is trained for a loss on a data set; InputError if they do not go together."""
    numbers = not dataset.classes
    if numbers != (loss == MSE):
        has, wants = ("numbers", "classes") if numbers else ("classes", "numbers")
        raise InputError(f"the loss {loss} is of targets that are {wants}, but {dataset.name} has {has}")
    if loss == BINARY and dataset.classes != 2:
        raise InputError(f"the loss {BINARY} is of two classes, but {dataset.name} has {dataset.classes}")
    return 1 if loss == BINARY else dataset.outputs


def make_loss(settings: Settings, dataset: Dataset, training: np.ndarray) -> Loss:
    """Return the loss of an experiment, given the targets that it trains on; InputError if these do not go together."""
    if settings.criterion in ("snip", "grasp") and split_weights(training)[1] is not None:
        raise InputError(
            f"the criterion {settings.criterion} takes every example alike: leave the examples' weights out"
        )
    if each := settings.samples_per_class:
        counts = np.bincount(split_weights(training)[0], minlength=dataset.classes)
        if counts.min() < each:
            raise InputError(
                f"samples-per-class is {each}, but the training examples have {counts.min()} of class {counts.argmin()}"
            )
    if settings.loss != CROSS_ENTROPY:
        return BinaryCrossEntropy() if settings.loss == BINARY else MeanSquaredError()
    weights: np.ndarray | None = None
    if settings.class_weights == BALANCED:
        counts = np.bincount(split_weights(training)[0], minlength=dataset.classes)
        weights = len(training) / (dataset.classes * np.maximum(counts, 1))
    elif settings.class_weights != "none":
        weights = np.array(settings.class_weights.split(","), float)
        if len(weights) != dataset.classes:
            raise InputError(
                f"there are {len(weights)} class weights, but {dataset.name} has {dataset.classes} classes"
            )
    return CrossEntropy(weights, settings.label_smoothing)
