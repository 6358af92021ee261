"""Step 2 of the algorithm: train for j iterations, evaluating on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.data import batches
from tinyticket.errors import DivergenceError
from tinyticket.lottery.controls import Start
from tinyticket.lottery.eager import EagerStep
from tinyticket.lottery.settings import Settings
from tinyticket.nn import Dropout, Module
from tinyticket.optim import SGD, Adam, Optimizer
from tinyticket.store import HISTORY, Run


@dataclass(frozen=True)
class Examples:
    """The three parts of the data: training trains, validation chooses the early-stopping iteration, test only reports."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def train(
    model: Module,
    start: Start,
    settings: Settings,
    examples: Examples,
    order: np.random.Generator,
    dropout: np.random.Generator,
    threads: int = 1,
    watch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Run:
    """Train a network from `start` for the whole budget and return what came of it.

    Parameters
    ----------
    model
        Is overwritten: it gets the start's masks and weights.
    start
        Masks and masked initial weights.
    order, dropout
        Streams of the batches' order and of dropout; a ticket and its controls get equal ones.
    watch
        Called with every row of the history.

    Raises
    ------
    DivergenceError
        If a loss is not a finite number.
    """
    for name, parameter in model.named_parameters():
        parameter.mask = start.masks.get(name)
    model.load_state_dict(start.weights)
    for _, module in model.named_modules():
        if isinstance(module, Dropout):
            module.rng = dropout
    optimizer = make_optimizer(model, settings)
    step = EagerStep(model, optimizer, threads)
    x, y = examples.train
    feed = batches(len(x), settings.batch_size, order)

    began = time.perf_counter()
    rows: list[tuple] = []
    losses: list[float] = []
    for iteration in range(settings.iterations + 1):
        if iteration % settings.evaluate_every == 0 or iteration == settings.iterations:
            row = (
                iteration,
                np.mean(losses) if losses else math.nan,
                *step.evaluate(*examples.validation),
                *step.evaluate(*examples.test),
            )
            rows.append(row)
            losses = []
            watch(dict(zip(HISTORY.names or (), row, strict=True)))
            _require_finite(row[2], "validation loss", iteration, settings)
        if iteration < settings.iterations:
            optimizer.lr = settings.lr * settings.schedule(iteration)
            batch = next(feed)
            losses.append(step(x[batch], y[batch]))
            _require_finite(losses[-1], "training loss", iteration + 1, settings)
    seconds = time.perf_counter() - began
    return Run(start.masks, model.state_dict(), np.array(rows, HISTORY), start.origin, seconds)


def make_optimizer(model: Module, settings: Settings) -> Optimizer:
    """Return the optimizer that the settings name."""
    if settings.optimizer == "adam":
        return Adam(model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    momentum = 0.0 if settings.optimizer == "sgd" else 0.9
    return SGD(
        model.parameters(), settings.lr, momentum, settings.weight_decay, nesterov=settings.optimizer == "nesterov"
    )


def _require_finite(loss: float, what: str, iteration: int, settings: Settings) -> None:
    if not math.isfinite(loss):
        raise DivergenceError(
            f"the {what} is {loss} at iteration {iteration}; try a learning rate below {settings.lr:g}"
            + (", or a longer warm-up" if settings.optimizer != "adam" else "")
        )
