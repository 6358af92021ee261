"""Step 2 of the algorithm: train for j iterations, evaluating on the way."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from tinyticket.compiler import CompiledStep, EagerStep, compile
from tinyticket.compiler.sources import Pair
from tinyticket.data import batches
from tinyticket.data.augmentation import by_name
from tinyticket.errors import DivergenceError
from tinyticket.lottery.controls import Start
from tinyticket.lottery.settings import Settings
from tinyticket.nn import Dropout, Module, functional, own_class
from tinyticket.optim import SGD, Adam, Optimizer
from tinyticket.store import HISTORY, Run

Batch = tuple[np.ndarray, np.ndarray | None]  # indices of its examples, and the draws of `data.augmentation`
STEPS_A_CALL = 25  # enough to make entering compiled code cheap, and few enough that Ctrl-C is heard at once


@dataclass(frozen=True)
class Examples:
    """The three parts of the data: training trains, validation chooses the early-stopping iteration, test only reports."""

    train: Pair
    validation: Pair
    test: Pair


class Trainer:
    """Trains one network over and over, from one start after another.

    Parameters
    ----------
    model
        Is overwritten: every training gives it the start's masks and weights.
    settings, examples
        How, and on what. Models with classes of your own are always trained eagerly.
    threads : int
        Results do not depend on it.
    """

    def __init__(self, model: Module, settings: Settings, examples: Examples, threads: int = 1):
        self.model, self.settings, self.examples = model, settings, examples
        self.optimizer = make_optimizer(model, settings)
        self.step: CompiledStep | EagerStep
        if settings.eager:
            self.step = EagerStep(model, self.optimizer, threads)
        elif own := own_class(model):  # whose forward() may do more than one look at the tape can tell
            self.step = EagerStep(model, self.optimizer, threads, reason=f"{own} is a class of your own")
        else:
            self.step = compile(model, functional.cross_entropy, self.optimizer, settings.batch_size, threads=threads)

    def train(
        self,
        start: Start,
        order: np.random.Generator,
        dropout: np.random.Generator,
        watch: Callable[[dict[str, Any]], None] = lambda row: None,
        augment: np.random.Generator | None = None,
    ) -> Run:
        """Train from `start` for the whole budget and return what came of it.

        Parameters
        ----------
        start
            Masks and masked initial weights.
        order, dropout
            Streams of the batches' order and of dropout; a ticket and its controls get equal ones.
        watch
            Called with every row of the history.
        augment
            Stream of the shifts and mirrorings, if the settings ask for any; equal for a ticket and its controls too.

        Raises
        ------
        DivergenceError
            If a loss is not a finite number.
        """
        self._begin(start, dropout)
        settings = self.settings
        feed: Iterator[Batch] = zip(
            batches(len(self.examples.train[0]), settings.batch_size, order), self._draws(augment), strict=False
        )
        began = time.perf_counter()
        rows = [self._row(0, np.array([math.nan]), watch)]
        for first in range(0, settings.iterations, settings.evaluate_every):
            last = min(first + settings.evaluate_every, settings.iterations)
            calls = [range(begin, min(begin + STEPS_A_CALL, last)) for begin in range(first, last, STEPS_A_CALL)]
            rows.append(self._row(last, np.concatenate([self._steps(call, feed) for call in calls]), watch))
        seconds = time.perf_counter() - began
        plan = self.step.plan()
        return Run(start.masks, self.model.state_dict(), np.array(rows, HISTORY), start.origin, plan, seconds)

    def _draws(self, augment: np.random.Generator | None) -> Iterator[np.ndarray | None]:
        """Return what happens to the images of batch after batch."""
        augmentation = by_name(self.settings.augment)
        if augmentation is None:
            return itertools.repeat(None)
        return augmentation.draws(np.random.default_rng(augment), self.settings.batch_size)

    def _steps(self, iterations: range, feed: Iterator[Batch]) -> np.ndarray:
        """Train for some iterations, and return their losses."""
        settings = self.settings
        rates = [settings.lr * settings.schedule(iteration) for iteration in iterations]
        indices, draws = zip(*(next(feed) for _ in rates), strict=True)
        augmented = None if draws[0] is None else np.array(draws)
        losses = self.step.run(self.examples.train, np.array(indices), rates, augmented)
        if not np.isfinite(losses).all():
            _raise_diverged("training loss", losses, iterations.start + 1, settings)
        return losses

    def _row(self, iteration: int, losses: np.ndarray, watch: Callable[[dict[str, Any]], None]) -> tuple:
        """Evaluate, and return a row of the history."""
        validation, test = self.step.evaluate(self.examples.validation), self.step.evaluate(self.examples.test)
        row = (iteration, losses.mean(), *validation, *test)
        watch(dict(zip(HISTORY.names or (), row, strict=True)))
        if not math.isfinite(validation[0]):
            _raise_diverged("validation loss", np.array([validation[0]]), iteration, self.settings)
        return row

    def _begin(self, start: Start, dropout: np.random.Generator) -> None:
        self.optimizer.reset()
        for name, parameter in self.model.named_parameters():
            parameter.mask = start.masks.get(name)
        self.model.load_state_dict(start.weights)
        for _, module in self.model.named_modules():
            if isinstance(module, Dropout):
                module.rng = dropout


def make_optimizer(model: Module, settings: Settings) -> Optimizer:
    """Return the optimizer that the settings name."""
    if settings.optimizer == "adam":
        return Adam(model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    momentum = 0.0 if settings.optimizer == "sgd" else 0.9
    return SGD(
        model.parameters(), settings.lr, momentum, settings.weight_decay, nesterov=settings.optimizer == "nesterov"
    )


def _raise_diverged(what: str, losses: np.ndarray, first: int, settings: Settings) -> NoReturn:
    bad = int(np.argmin(np.isfinite(losses)))
    raise DivergenceError(
        f"the {what} is {losses[bad]} at iteration {first + bad}; try a learning rate below {settings.lr:g}"
        + (", or a longer warm-up" if settings.optimizer != "adam" else "")
    )
