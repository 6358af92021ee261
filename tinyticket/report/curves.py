"""Learning curves of a round: the ticket's beside the dense network's and the controls', in means over trials."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyticket.errors import InputError
from tinyticket.results import Result, Round

QUANTITIES = {"validation_loss": "validation loss", "test_accuracy": "test {} (%)"}
"""Columns of a history, and their words, in which the metric has a place."""

LATE = 0.25
"""Share of the iterations that do not set an axis's limits: the first values are far from all others."""


@dataclass(frozen=True)
class Curve:
    """One network's evaluations of one quantity, in means over trials; accuracies in percent."""

    network: str  # "dense", "ticket" or the name of a control
    iterations: np.ndarray
    mean: np.ndarray
    low: np.ndarray  # of the trials
    high: np.ndarray
    stop: float  # the early-stopping iteration, in the mean


def curves(result: Result, number: int, quantity: str, trial: int | None = None) -> list[Curve]:
    """Return the curves of a round, or of one of its trials; InputError if there is none.

    An accuracy of the test set that was read at few iterations only (`test_at`) has gaps, over which lines run straight.
    """
    trials = [each for each in result.trials if trial in (None, each.number) and number < len(each.rounds)]
    if not trials:
        result.round(result.trials[0].number if trial is None else trial, number)  # says which of them is missing
        raise InputError(f"no trial of {result.archive.name} has a round {number}")
    networks = {"dense": [each.rounds[0] for each in trials]}
    if number:
        networks["ticket"] = [each.rounds[number] for each in trials]
        for name in trials[0].rounds[number].controls:
            found = [each.rounds[number].controls.get(name) for each in trials]
            networks[name] = [run for run in found if run is not None]
    return [_curve(name, runs, quantity) for name, runs in networks.items()]


def _curve(network: str, runs: list[Round], quantity: str) -> Curve:
    scale = 100 if quantity.endswith("accuracy") else 1
    shared = [run for run in runs if np.array_equal(run.history["iteration"], runs[0].history["iteration"])]
    values = scale * np.array([_filled(run.history, quantity) for run in shared])
    stop = float(np.mean([run.early_stop_iteration for run in runs]))
    return Curve(
        network, shared[0].history["iteration"], values.mean(axis=0), values.min(axis=0), values.max(axis=0), stop
    )


def _filled(history: np.ndarray, quantity: str) -> np.ndarray:
    values, known = history[quantity], np.isfinite(history[quantity])
    return np.interp(history["iteration"], history["iteration"][known], values[known]) if known.any() else values


def limits(found: list[list[Curve]]) -> tuple[float, float]:
    """Return the least and the largest value that pictures of curves show, so that those of all rounds compare."""
    least, most = math.inf, -math.inf
    for curve in (curve for each in found for curve in each):
        late = curve.iterations >= LATE * curve.iterations[-1]
        for values in (curve.low[late], curve.high[late]):
            known = values[np.isfinite(values)]
            least, most = min([least, *known]), max([most, *known])
    if least > most:
        return 0.0, 1.0
    edge = 0.04 * (most - least) or 1e-3
    return float(least - edge), float(most + edge)
