"""Steps, evaluations and predictions through the eager autograd: the reference of the compiled ones, and their stand-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.compiler.calls import (
    array_of,
    check_indices,
    check_masks,
    check_numbers,
    check_run,
    whole_labels,
    whole_numbers,
)
from tinyticket.data import Dataset, Pixels, augment
from tinyticket.errors import InputError
from tinyticket.nn import Module, Parameter, functional
from tinyticket.notebook import lines
from tinyticket.optim import Optimizer

CHUNK = 500  # examples evaluated at once: a fixed size, so that results do not depend on the number of threads

QUIETLY = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # training reports a loss that is no number

Pair = tuple[np.ndarray | Pixels, np.ndarray]
Source = Dataset | Pair


def training_part(source: Source) -> Pair:
    """Return inputs and labels to train on: a data set's training part, or the pair itself."""
    return (source.x_train, source.y_train) if isinstance(source, Dataset) else _pair(source)


def test_part(source: Source) -> Pair:
    """Return inputs and labels to evaluate on: a data set's test part, or the pair itself."""
    return (source.x_test, source.y_test) if isinstance(source, Dataset) else _pair(source)


def _pair(source: Any) -> Pair:
    if not (isinstance(source, tuple) and len(source) == 2 and hasattr(source[0], "dtype")):
        raise TypeError(f"expected a data set or a pair of arrays (inputs, labels), not {type(source).__name__}")
    return source


class Step:
    """What eager and compiled steps share: calls train on a batch, and what nothing is compiled for goes through the autograd."""

    def __init__(self, model: Module, optimizer: Optimizer | None):
        self.model, self._optimizer = model, optimizer
        self._places = {id(parameter): i for i, parameter in enumerate(optimizer.params if optimizer else [])}

    def __call__(self, source: np.ndarray | Source, which: np.ndarray) -> float:
        """Train on one batch and return its loss before the update: step(x, y), or step(dataset, indices)."""
        raise NotImplementedError

    def explain(self) -> str:
        """Say what runs, in lines of text."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return lines(self.explain())

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; InputError in a step that has none."""
        if self._optimizer is None:
            raise InputError(
                "a step without an optimizer predicts and evaluates only; give compile an optimizer to train"
            )
        return self._optimizer

    def run(
        self, source: Source, batches: np.ndarray, rates: Sequence[float] | None = None, draws: np.ndarray | None = None
    ) -> np.ndarray:
        """Train on several batches in one call, which saves some microseconds a step where they are compiled.

        Parameters
        ----------
        source
            A data set or a pair of arrays.
        batches : integer array of shape (steps, batch size)
            Indices of each step's examples.
        rates : sequence of float, optional
            Each step's learning rate; the optimizer's if not given.
        draws : int64 array of shape (steps, batch size, 3), optional
            How each step's images are shifted and mirrored: `data.augment`.

        Returns
        -------
        float64 array of shape (steps,)
            Each step's loss before its update.
        """
        (x, y), (batches, rates, draws) = training_part(source), check_run(batches, rates, draws)
        check_indices(batches, len(x))
        losses, labels = np.zeros(len(batches)), whole_labels(y, len(x))
        for i, batch in enumerate(batches):
            if rates is not None:
                self.optimizer.lr = rates[i]
            losses[i] = self(x[batch] if draws is None else augment(x[batch], draws[i]), labels[batch])
        return losses

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the dense gradients of the loss of a batch, by parameter; nothing is updated."""
        return self.backward(x, y)[1]

    @QUIETLY
    def backward(self, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of a batch and its dense gradients, by parameter; nothing is updated."""
        statistics = [(buffer, buffer.data.copy()) for _, buffer in self.model.named_buffers()]
        loss = self._backward(x, y)
        for buffer, before in statistics:
            buffer.data = before
        named = {name: parameter.grad for name, parameter in self.model.named_parameters()}
        self.optimizer.zero_grad()
        return loss, {name: gradient for name, gradient in named.items() if gradient is not None}

    def _backward(self, x: np.ndarray, y: np.ndarray) -> float:
        check_numbers(x)
        y = whole_labels(y, len(x))
        self.model.train()
        self.optimizer.zero_grad()
        logits = self.model(Tensor(x))
        whole_labels(y, len(x), logits.shape[-1])
        loss = functional.cross_entropy(logits, y)
        loss.backward()
        return loss.item()

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that can be pruned, to look at."""
        return {name: weight.data for name, weight in self.model.prunable().items()}

    def change_masks(self, masks: Mapping[str, np.ndarray]) -> None:
        """Go on under other masks: what survives in both keeps value and slots, what is new starts at +0.0, slots too."""
        weights = self.model.prunable()
        check_masks(masks, weights)
        for name, mask in masks.items():
            weights[name].mask = mask
            weights[name].apply_mask(*self._slots(weights[name]))

    def _slots(self, parameter: Parameter) -> tuple[np.ndarray, ...]:
        """Return what the optimizer remembers of a parameter."""
        return self.optimizer.slots(self._places[id(parameter)])


class EagerStep(Step):
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
        super().__init__(model, optimizer)
        self.threads, self.reason = threads, reason

    @QUIETLY
    def __call__(self, source: np.ndarray | Source, which: np.ndarray) -> float:
        if not isinstance(source, np.ndarray):
            (x, y), chosen = training_part(source), whole_numbers(which, "indices", 1)
            check_indices(chosen, len(x))
            source, which = x[chosen], whole_labels(y, len(x))[chosen]
        loss = self._backward(source, which)
        self.optimizer.step()
        return loss

    def evaluate(self, source: Source) -> tuple[float, float]:
        """Return the mean cross-entropy and the accuracy (a fraction) over a data set's test part, or over a pair of arrays."""
        x, y = test_part(source)
        y = whole_labels(y, len(x))
        self.model.eval()
        losses, hits = zip(*self._chunks(self._score, x, y), strict=True)
        return sum(losses) / len(x), sum(hits) / len(x)

    def predict(self, x: np.ndarray | Pixels) -> np.ndarray:
        """Return the logits (examples, classes) of examples (examples, ...), in the model's dtype, computed in evaluation mode.

        The model stays in the mode that it is in.
        """
        examples: Any = x if isinstance(x, Pixels) else array_of(x)
        check_numbers(examples)
        before = [(module, module.training) for _, module in self.model.named_modules()]
        self.model.eval()
        try:
            return np.concatenate(self._chunks(self._logits, examples))
        finally:
            for module, mode in before:
                module.training = mode

    def explain(self) -> str:
        """Say why the model runs eagerly."""
        return f"eager: {self.reason}"

    def plan(self) -> dict[str, Any]:
        """Return what a result file records of how the step was executed."""
        return {"mode": "eager"}

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
            whole_labels(y, len(x), logits.shape[-1])
            losses = functional.cross_entropy(logits, y, reduction="none").data
        return float(losses.sum(dtype=np.float64)), int((logits.argmax(axis=1) == y).sum())

    @QUIETLY
    def _logits(self, x: np.ndarray) -> np.ndarray:
        kind = next((parameter.dtype for parameter in self.model.parameters()), np.dtype(np.float32))
        with no_grad():
            return self.model(Tensor(np.asarray(x, kind))).data
