"""A quantity over densities, with its mean, minimum and maximum over trials: what tables and plots are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyticket.results import Result, Round
from tinyticket.results.result import runs_of


@dataclass(frozen=True)
class Point:
    """One density: the trials' values of one quantity."""

    round: int
    density: float
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the trials."""
        return float(np.mean(self.values))

    @property
    def low(self) -> float:
        """Smallest value of a trial."""
        return min(self.values)

    @property
    def high(self) -> float:
        """Largest value of a trial."""
        return max(self.values)


def series(result: Result, network: str, quantity: Callable[[Round], float]) -> list[Point]:
    """Return a quantity of the tickets ("ticket", the dense network first) or of one control, round by round."""
    return [
        Point(number, float(np.mean([run.density for run in runs.values()])), tuple(map(quantity, runs.values())))
        for number, runs in runs_of(result, network).items()
    ]


def controls(result: Result) -> list[str]:
    """Return the names of the controls that a result has."""
    return list(dict.fromkeys(name for trial in result.trials for round in trial.rounds for name in round.controls))


def mean_seconds(result: Result, network: str) -> list[tuple[float, float]]:
    """Return (density in percent, seconds of a training in the mean over trials) of one network."""
    return [(100 * point.density, point.mean) for point in series(result, network, lambda run: run.seconds)]


def telling_round(result: Result) -> int:
    """Return the round that is shown if none is asked for: the smallest winning one, or the last."""
    winning = result.verdict["winning_rounds"]
    densities = {found["round"]: found["density"] for found in result.verdict["densities"]}
    return min(winning, key=densities.__getitem__) if winning else max(len(trial.rounds) for trial in result.trials) - 1
