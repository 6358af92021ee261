"""Losses as objects: what a network is trained for, what its targets are, and what its evaluations report."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.errors import InputError
from tinyticket.nn import functional
from tinyticket.nn.targets import split_weights


class Loss:
    """Calls return the mean loss of a batch; `sums` and `report` make an evaluation, chunk by chunk.

    Targets are arrays with an entry an example, of whole numbers unless `numbers`, with weights or without (`nn.targets`).
    """

    metric = "accuracy"
    """What evaluations report beside the loss: "accuracy", or "r2", the coefficient of determination."""
    numbers = False

    @property
    def uncompiled(self) -> str:
        """Why no kernel computes it, or nothing where one does."""
        return f"there is no compiled kernel for the loss {type(self).__name__}"

    def __call__(self, outputs: Tensor, targets: np.ndarray) -> Tensor:
        """Return the mean loss of a batch, in which each example counts as much as its weight."""
        raise NotImplementedError

    def classes(self, outputs: int) -> int:
        """Return how many classes a network of so many outputs tells apart."""
        return outputs

    def sums(self, outputs: Tensor, targets: np.ndarray) -> tuple[float, float]:
        """Return the sums of losses and of right answers over some examples, each counting as much as its weight."""
        raise NotImplementedError

    def report(self, loss: float, right: float, targets: np.ndarray) -> tuple[float, float]:
        """Return the mean loss and the metric of a data set with these sums and targets."""
        raise NotImplementedError


class _OfLabels(Loss):
    """A loss of labels, whose metric is the accuracy: the share of right answers."""

    def sums(self, outputs, targets):
        labels, weights = split_weights(targets)
        hits = self.answers(outputs) == labels
        right = int(hits.sum()) if weights is None else float((hits * weights).sum(dtype=np.float64))
        return float(self.each(outputs, labels, weights).data.sum(dtype=np.float64)), right

    def report(self, loss, right, targets):
        labels, weights = split_weights(targets)
        examples = len(labels) if weights is None else float(weights.sum(dtype=np.float64))
        return loss / self.total(labels, weights), right / examples

    def total(self, labels: np.ndarray, weights: np.ndarray | None) -> float:
        """Return what the losses of all examples count."""
        return len(labels) if weights is None else float(weights.sum(dtype=np.float64))

    def each(self, outputs: Tensor, labels: np.ndarray, weights: np.ndarray | None) -> Tensor:
        """Return each example's loss times what it counts."""
        raise NotImplementedError

    def answers(self, outputs: Tensor) -> np.ndarray:
        """Return the class that the network names for each example."""
        raise NotImplementedError


class CrossEntropy(_OfLabels):
    """`functional.cross_entropy`, whose arguments are the same; one output for each class.

    Parameters
    ----------
    weight : array_like, shape (classes,), optional
        What the loss of an example counts by its class.
    label_smoothing : float
        The share of each label that is spread evenly over all classes.
    """

    def __init__(self, weight: Any = None, label_smoothing: float = 0.0):
        self.weight = None if weight is None else np.asarray(weight, np.float32)
        self.label_smoothing = float(label_smoothing)

    @property
    def uncompiled(self) -> str:
        several = {"class weights": self.weight is not None, "label smoothing": self.label_smoothing > 0}
        named = " and ".join(name for name, there in several.items() if there)
        return f"there is no compiled kernel for cross-entropy with {named}" if named else ""

    def __call__(self, outputs, targets):
        labels, weights = split_weights(targets)
        return self._losses(outputs, labels, weights, "mean")

    def each(self, outputs, labels, weights):
        return self._losses(outputs, labels, weights, "none")

    def _losses(self, outputs: Tensor, labels: np.ndarray, weights: np.ndarray | None, reduction: str) -> Tensor:
        how: dict[str, Any] = {"weight": self.weight, "label_smoothing": self.label_smoothing, "sample_weight": weights}
        return functional.cross_entropy(outputs, labels, reduction, **how)

    def answers(self, outputs):
        return outputs.argmax(axis=1)

    def total(self, labels, weights):
        if self.weight is None:
            return super().total(labels, weights)
        counts = self.weight[labels] * (1 if weights is None else weights)
        return float(counts.sum(dtype=np.float64))


class BinaryCrossEntropy(_OfLabels):
    """`functional.binary_cross_entropy_with_logits` of two classes: one output, the logit of class 1."""

    def classes(self, outputs):
        return 2

    def __call__(self, outputs, targets):
        labels, weights = split_weights(targets)
        return self.each(outputs, labels, weights).sum() * (1 / self.total(labels, weights))

    def each(self, outputs, labels, weights):
        counts = None if weights is None else weights[:, np.newaxis]
        return functional.binary_cross_entropy_with_logits(outputs, labels[:, np.newaxis], "none", weight=counts)

    def answers(self, outputs):
        return outputs.data[:, 0] > 0


class MeanSquaredError(Loss):
    """`functional.mse_loss` of targets that are numbers: one output for each.

    The metric is the coefficient of determination, R2 = 1 - (sum of squared errors) / (sum of squared distances from the mean
    target), over all outputs together: 1 at best, 0 for the mean of the data, and below 0 for what is worse.
    """

    metric, numbers = "r2", True

    @property
    def uncompiled(self) -> str:
        return ""

    def __call__(self, outputs, targets):
        values, weights = split_weights(targets)
        return functional.mse_loss(outputs, values.reshape(outputs.shape), sample_weight=weights)

    def sums(self, outputs, targets):
        values, weights = split_weights(targets)
        squares = np.square(outputs.data - values.reshape(outputs.shape), dtype=np.float64)
        return float((squares if weights is None else squares * weights[:, np.newaxis]).sum()), 0.0

    def report(self, loss, right, targets):
        values, weights = split_weights(targets)
        values = values.reshape(len(values), -1).astype(np.float64)
        distances = values - np.average(values, axis=0, weights=weights)
        variance = float(np.average(np.square(distances).mean(axis=1), weights=weights))
        count = values.size if weights is None else values.shape[1] * float(weights.sum(dtype=np.float64))
        mean = loss / count
        if variance == 0:  # there is nothing to explain
            return mean, float(mean == 0)
        return mean, 1 - mean / variance


NAMED = {"cross_entropy": CrossEntropy, "binary_cross_entropy": BinaryCrossEntropy, "mse_loss": MeanSquaredError}


def loss_of(loss: Any) -> Loss:
    """Return a loss, or the one that a name of `NAMED`, or the function of that name, stands for; InputError for others."""
    if isinstance(loss, Loss):
        return loss
    named = NAMED | {"binary_cross_entropy_with_logits": BinaryCrossEntropy}
    for name, kind in named.items():
        if loss == name or (callable(loss) and loss is getattr(functional, name, None)):
            return kind()
    raise InputError(
        f"the loss is nn.functional.cross_entropy, an nn.losses.Loss, or one of {', '.join(NAMED)}; of others write an eager loop"
    )
