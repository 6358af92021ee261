"""Steps, evaluations and predictions through the eager autograd: the reference of the compiled ones, and their stand-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.compiler.calls import (
    array_of,
    check_indices,
    check_masks,
    check_moves,
    check_numbers,
    check_run,
    check_some,
    check_targets,
    whole_numbers,
)
from tinyticket.data import Dataset, augment
from tinyticket.data.dataset import Inputs
from tinyticket.data.sparse_inputs import is_sparse
from tinyticket.errors import InputError
from tinyticket.nn import Connections, Module, Move, Parameter, sparse_layers
from tinyticket.nn.losses import CrossEntropy, Loss
from tinyticket.notebook import lines
from tinyticket.optim import Optimizer

ASKED = "asked for"
"""Why a step is eager that need not be."""

CHUNK = 500  # examples evaluated at once: a fixed size, so that results do not depend on the number of threads

QUIETLY = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # training reports a loss that is no number

Pair = tuple[Any, np.ndarray]  # of `Inputs`, or a matrix of scipy.sparse, and targets
Source = Dataset | Pair


def training_part(source: Any) -> Pair:
    """Return inputs and labels to train on: a data set's training part, or the pair itself."""
    return (source.x_train, source.y_train) if isinstance(source, Dataset) else _pair(source)


def test_part(source: Source) -> Pair:
    """Return inputs and labels to evaluate on: a data set's test part, or the pair itself."""
    return (source.x_test, source.y_test) if isinstance(source, Dataset) else _pair(source)


def _pair(source: Any) -> Pair:
    if not (isinstance(source, tuple) and len(source) == 2 and hasattr(source[0], "dtype")):
        wanted = "step(x, y) takes arrays; otherwise a step is given a data set or a pair of arrays (inputs, labels)"
        raise InputError(f"{wanted}, not {type(source).__name__}")
    return source


class Step:
    """What eager and compiled steps share: calls train on a batch, and what nothing is compiled for goes through the autograd."""

    def __init__(self, model: Module, optimizer: Optimizer | None, loss: Loss | None = None):
        self.model, self._optimizer, self.loss = model, optimizer, loss or CrossEntropy()
        self._places = {id(parameter): i for i, parameter in enumerate(optimizer.params if optimizer else [])}

    def __call__(self, source: Inputs | Source, which: np.ndarray) -> float:
        """Train on one batch and return its loss before the update: step(x, y), or step(dataset, indices).

        x is an array or a sparse matrix, which is never dense in compiled steps.
        """
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
        x = array_of(x)
        check_indices(batches, len(x))
        losses, targets = np.zeros(len(batches)), check_targets(self.loss, y, len(x))
        for i, batch in enumerate(batches):
            if rates is not None:
                self.optimizer.lr = rates[i]
            losses[i] = self(x[batch] if draws is None else augment(x[batch], draws[i]), targets[batch])
        return losses

    def gradients(
        self, x: np.ndarray, y: np.ndarray, candidates: Mapping[str, Connections] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the dense gradients of the loss of a batch, by parameter; nothing is updated.

        Of layers that were never dense it is the gradients of their connections, or by the name of a layer's weight those of
        `candidates`, which are none (`prune.candidates`).
        """
        return self.backward(x, y, candidates)[1]

    @QUIETLY
    def backward(
        self, x: np.ndarray, y: np.ndarray, candidates: Mapping[str, Connections] | None = None
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of a batch and what `gradients` returns; nothing is updated."""
        x = array_of(x)
        statistics = [(buffer, buffer.snapshot()) for _, buffer in self.model.named_buffers()]
        with ExitStack() as stack:
            layers = sparse_layers(self.model) if candidates else {}
            own = {name: layers[name].with_candidates(given) for name, given in (candidates or {}).items()}
            weights = {name: stack.enter_context(context) for name, context in own.items()}
            loss = self._backward(x, y)
        for buffer, before in statistics:
            buffer.data = before
        named = {name: weights.get(name, parameter).grad for name, parameter in self.model.named_parameters()}
        self.optimizer.zero_grad()
        return loss, {name: gradient for name, gradient in named.items() if gradient is not None}

    def _backward(self, x: Any, y: np.ndarray) -> float:
        check_numbers(x)
        check_some(x)
        x = np.asarray(x)
        y = check_targets(self.loss, y, len(x))
        self.model.train()
        self.optimizer.zero_grad()
        outputs = self.model(Tensor(x))
        check_targets(self.loss, y, len(x), outputs.shape[-1])
        loss = self.loss(outputs, y)
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

    def change_connections(self, moves: Mapping[str, Move]) -> None:
        """Go on with other connections: what stays keeps value and slots, what is new starts at +0.0, slots too.

        Parameters
        ----------
        moves : mapping of str to Move
            By the name of a layer's weight, for instance from `prune.set_move`; no connection of these layers is pruned.
        """
        layers = sparse_layers(self.model)
        check_moves(moves, layers)
        for name, move in moves.items():
            for array in (layers[name].weight.data, *self._slots(layers[name].weight)):
                array[...] = move.take(array)
            layers[name].connections = move.connections

    # -- a training that is interrupted

    @property
    def is_newest(self) -> bool:
        """Whether the step holds newer values than parameters and optimizer."""
        return False

    def hold(self, newest: bool) -> None:
        """Take over what parameters and optimizer hold; with `newest` go on as after a step that has led there."""

    def follow(self, plan: Mapping[str, Any] | None) -> None:
        """Execute the steps under masks to come as a plan says, or choose what is faster; there is a choice in compiled steps."""

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
    loss : Loss, optional
        What it trains for; the mean cross-entropy if not given.
    """

    compiled = False

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer | None,
        threads: int = 1,
        reason: str = ASKED,
        loss: Loss | None = None,
    ):
        super().__init__(model, optimizer, loss)
        self.threads, self.reason = threads, reason

    @QUIETLY
    def __call__(self, source: Any, which: np.ndarray) -> float:
        if is_sparse(source):
            source = array_of(source)
        elif not isinstance(source, np.ndarray):
            (x, y), chosen = training_part(source), whole_numbers(which, "indices", 1)
            x = array_of(x)
            check_indices(chosen, len(x))
            source, which = x[chosen], check_targets(self.loss, y, len(x))[chosen]
        loss = self._backward(source, which)
        self.optimizer.step()
        return loss

    def evaluate(self, source: Source) -> tuple[float, float]:
        """Return the mean loss and the accuracy (a fraction) over a data set's test part, or over a pair of arrays.

        Of targets that are numbers it is R2 instead of the accuracy (`nn.losses.MeanSquaredError`).
        """
        x, y = test_part(source)
        check_some(x)
        x = array_of(x)
        y = check_targets(self.loss, y, len(x))
        self.model.eval()
        losses, right = zip(*self._chunks(self._score, x, y), strict=True)
        return self.loss.report(sum(losses), sum(right), y)

    def predict(self, x: Inputs) -> np.ndarray:
        """Return the logits (examples, classes) of examples (examples, ...), in the model's dtype, computed in evaluation mode.

        The model stays in the mode that it is in.
        """
        examples = array_of(x)
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
    def _score(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        with no_grad():
            outputs = self.model(Tensor(x))
            check_targets(self.loss, y, len(x), outputs.shape[-1])
            return self.loss.sums(outputs, y)

    @QUIETLY
    def _logits(self, x: np.ndarray) -> np.ndarray:
        kind = next((parameter.dtype for parameter in self.model.parameters()), np.dtype(np.float32))
        with no_grad():
            return self.model(Tensor(np.asarray(x, kind))).data
