"""Accuracy and early stop of every kind of network over densities, with the intervals that the verdict uses.

The verdict compares within trials: what it knows is how far a network lies from the dense one of its trial. A picture therefore
shows the dense networks' mean as a line, and every other kind at its difference from it, with the interval of that difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.results import Result
from tinyticket.results.intervals import ratio_interval
from tinyticket.results.naming import ACCURACY, kind_of
from tinyticket.results.verdict import read

REACH = 0.6
"""How far an interval widens an axis beyond the means, as a share of what these span: those of two trials are endless."""


@dataclass(frozen=True)
class Mark:
    """The mean of one kind of network at one density, and its 95% interval, None for a single trial."""

    round: int
    density: float
    mean: float
    low: float | None
    high: float | None
    winning: bool = False


@dataclass(frozen=True)
class Line:
    """One kind of network over densities: "ticket", or a kind of control."""

    network: str
    marks: list[Mark]


def accuracy_lines(result: Result) -> tuple[float, list[Line]]:
    """Return the dense networks' mean test accuracy and every kind's, as fractions.

    They are read as the verdict does: where the validation loss is smallest, at the latest when the dense network stops.
    """
    found = [read(trial.rounds[0])[1] for trial in result.trials]
    if np.isnan(found).all():
        raise InputError(
            f"no dense network of {result.archive.name} has a test {result.metric.title}: there is nothing to draw"
        )
    dense = float(np.nanmean(found))

    def of(found: Mapping[str, Any], network: str) -> Mapping[str, Any] | None:
        own = found if network == "ticket" else found["controls"].get(network)
        return own and {name: shifted(value) for name, value in own["accuracy_difference"].items()}

    def shifted(difference: float | None) -> float | None:
        return None if difference is None else dense + difference

    return dense, _lines(result, of)


def early_stop_lines(result: Result) -> list[Line]:
    """Return every kind's early-stopping iteration as a multiple of the dense network's; empty where these do not compare."""
    if not result.networks.timed:
        return []

    def of(found: Mapping[str, Any], network: str) -> Mapping[str, Any] | None:
        return found["early_stop_ratio"] if network == "ticket" else _ratio(result, found["round"], network)

    return _lines(result, of)


def _lines(result: Result, of: Any) -> list[Line]:
    densities, winning = result.verdict["densities"], result.verdict["winning_rounds"]
    lines = []
    for network in ("ticket", *dict.fromkeys(kind for found in densities for kind in found["controls"])):
        marks = []
        for found in densities:
            if held := of(found, network):
                low, high = (None, None) if None in held.values() else (held["low"], held["high"])
                wins = network == "ticket" and found["round"] in winning
                marks.append(Mark(found["round"], found["density"], held["mean"], low, high, wins))
        lines.append(Line(network, marks))
    return lines


def _ratio(result: Result, number: int, kind: str) -> Mapping[str, float | None] | None:
    """Return the ratio of early-stopping iterations of a kind of control; several of a kind are averaged within a trial."""
    own, dense = [], []
    for trial in result.trials:
        controls = trial.rounds[number].controls if number < len(trial.rounds) else {}
        stops = [read(run)[0] for name, run in controls.items() if kind_of(name) == kind]
        if stops:
            own.append(np.mean(stops))
            dense.append(read(trial.rounds[0])[0])
    ratio = ratio_interval(own, dense, result.config["evaluate_every"]) if own else None
    return ratio.plain() if ratio else None


def accuracy_limits(result: Result) -> tuple[float, float]:
    """Return the least and the largest accuracy that a picture of a result shows."""
    dense, lines = accuracy_lines(result)
    low, high = limits(lines, dense, dense - result.verdict["margin"])
    return (max(low, -0.02) if result.metric == ACCURACY else low), min(high, 1.02)  # R2 may lie below 0


def limits(lines: Iterable[Line], *references: float) -> tuple[float, float]:
    """Return the lowest and the highest value that a picture of lines shows: all means, and intervals as far as there is room.

    Means that are not finite, as R2 where errors overflow, have no place in it.
    """
    marks = [mark for line in lines for mark in line.marks if math.isfinite(mark.mean)]
    means = [*(mark.mean for mark in marks), *filter(math.isfinite, references)] or [0.0, 1.0]
    low, high = min(means), max(means)
    room = REACH * max(high - low, 0.01 * abs(high), 1e-6)
    lowest = min([low, *(mark.low for mark in marks if mark.low is not None)])
    highest = max([high, *(mark.high for mark in marks if mark.high is not None)])
    low, high = max(lowest, low - room), min(highest, high + room)
    edge = 0.05 * (high - low or abs(high)) or 1e-3
    return low - edge, high + edge
