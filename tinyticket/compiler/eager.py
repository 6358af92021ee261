"""Steps, evaluations and predictions through the eager autograd: the reference of the compiled ones, and their stand-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.compiler.rule import required
from tinyticket.compiler.sources import Pair, test_part, training_part
from tinyticket.data import Dataset, Pixels, augment
from tinyticket.nn import Module, functional
from tinyticket.optim import Optimizer

CHUNK = 500  # examples evaluated at once: a fixed size, so that results do not depend on the number of threads

QUIETLY = np.errstate(
    over="ignore", invalid="ignore", divide="ignore"
)  # a loss that is no number is reported by training


class EagerStep:
    """Calls are training steps: forward, backward, update.

    Parameters
    ----------
    model, optimizer
        What is trained, and how; without an optimizer the step does not train.
    threads : int
        Threads that evaluate or predict chunks of a data set side by side; a training step uses one.
    reason : str
        Why it is not compiled, for `explain`.
    """

    compiled = False

    def __init__(self, model: Module, optimizer: Optimizer | None, threads: int = 1, reason: str = "asked for"):
        self.model, self._optimizer, self.threads, self.reason = model, optimizer, threads, reason

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; InputError in a step that has none."""
        return required(self._optimizer)

    @QUIETLY
    def __call__(
        self, source: np.ndarray | Dataset | Pair, which: np.ndarray, draws: np.ndarray | None = None
    ) -> float:
        """Train on one batch and return its loss before the update: step(x, y), or step(dataset, indices).

        `draws`, if given, says how its images are shifted and mirrored: `data.augment`.
        """
        x, y = (source, which) if isinstance(source, np.ndarray) else (part[which] for part in training_part(source))
        if draws is not None:
            x = augment(x, draws)
        self._backward(x, y)
        self.optimizer.step()
        return self._loss.item()

    def run(
        self,
        source: Dataset | Pair,
        batches: np.ndarray,
        rates: Sequence[float] | None = None,
        draws: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train on several batches, given by the indices of their examples, and return each one's loss before its update.

        `draws` of shape (steps, batch size, 3) says how the images of each are shifted and mirrored: `data.augment`.
        """
        losses = []
        for i, batch in enumerate(batches):
            if rates is not None:
                self.optimizer.lr = rates[i]
            losses.append(self(source, batch, None if draws is None else draws[i]))
        return np.array(losses)

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the dense gradients of the loss of a batch, by parameter; nothing is updated."""
        return self.backward(x, y)[1]

    @QUIETLY
    def backward(self, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of a batch and its dense gradients, by parameter; nothing is updated."""
        statistics = [(buffer, buffer.data.copy()) for _, buffer in self.model.named_buffers()]
        self._backward(x, y)
        for buffer, before in statistics:
            buffer.data = before
        named = {name: parameter.grad for name, parameter in self.model.named_parameters()}
        self.optimizer.zero_grad()
        return self._loss.item(), {name: gradient for name, gradient in named.items() if gradient is not None}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that can be pruned, to look at."""
        return {name: weight.data for name, weight in self.model.prunable().items()}

    def change_masks(self, masks: Mapping[str, np.ndarray]) -> None:
        """Go on under other masks: what survives in both keeps value and slots, what is new starts at +0.0, slots too."""
        places = {id(parameter): i for i, parameter in enumerate(self.optimizer.params)}
        weights = self.model.prunable()
        for name, mask in masks.items():
            weight = weights[name]
            weight.mask = mask
            weight.apply_mask(*self.optimizer.slots(places[id(weight)]))

    def evaluate(self, source: Dataset | Pair) -> tuple[float, float]:
        """Return the mean cross-entropy and the accuracy (a fraction) over a data set's test part, or over a pair of arrays."""
        x, y = test_part(source)
        self.model.eval()
        losses, hits = zip(*self._chunks(self._score, x, y), strict=True)
        return sum(losses) / len(x), sum(hits) / len(x)

    def predict(self, x: np.ndarray | Pixels) -> np.ndarray:
        """Return the logits of examples, in the model's dtype, computed in evaluation mode; the model stays in the one it is in.

        Parameters
        ----------
        x : array of shape (examples, ...)

        Returns
        -------
        array of shape (examples, classes)
        """
        before = [(module, module.training) for _, module in self.model.named_modules()]
        self.model.eval()
        try:
            return np.concatenate(self._chunks(self._logits, x))
        finally:
            for module, mode in before:
                module.training = mode

    def explain(self) -> str:
        """Say why the model runs eagerly."""
        return f"eager: {self.reason}"

    def plan(self) -> dict[str, Any]:
        """Return what a result file records of how the step was executed."""
        return {"mode": "eager"}

    def _backward(self, x: np.ndarray, y: np.ndarray) -> None:
        self.model.train()
        self.optimizer.zero_grad()
        self._loss = functional.cross_entropy(self.model(Tensor(x)), y)
        self._loss.backward()

    def _chunks(self, function: Callable, *arrays: Any) -> list[Any]:
        """Return what a function makes of each chunk of some arrays, one of no examples included."""
        chunks = [slice(start, start + CHUNK) for start in range(0, max(len(arrays[0]), 1), CHUNK)]
        if self.threads == 1 or len(chunks) == 1:
            return [function(*(array[chunk] for array in arrays)) for chunk in chunks]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda chunk: function(*(array[chunk] for array in arrays)), chunks))

    @QUIETLY
    def _score(self, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
        with no_grad():
            logits = self.model(Tensor(x))
            losses = functional.cross_entropy(logits, y, reduction="none").data
        return float(losses.sum(dtype=np.float64)), int((logits.argmax(axis=1) == y).sum())

    @QUIETLY
    def _logits(self, x: np.ndarray) -> np.ndarray:
        kind = next((parameter.dtype for parameter in self.model.parameters()), np.dtype(np.float32))
        with no_grad():
            return self.model(Tensor(np.asarray(x, kind))).data
