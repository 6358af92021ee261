"""Several experiments side by side, density by density: what one setting changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyticket.errors import InputError
from tinyticket.results.intervals import Interval, difference_interval, interval
from tinyticket.results.naming import Metric, compared_as, metric_of
from tinyticket.results.result import Result, runs_of
from tinyticket.results.round import Round
from tinyticket.results.verdict import grain_of

SAME_DENSITY = 1.05
"""Densities whose ratio is below this are compared with each other: results of other prunings rarely have equal ones."""


@dataclass(frozen=True)
class Side:
    """One experiment's networks of one density, in means over trials."""

    density: float
    accuracy: float  # a fraction, on the test set at the early-stopping iteration
    lowest: float  # of the trials' accuracies
    highest: float
    early_stop: float
    trials: int
    difference: (
        Interval | None
    )  # accuracy minus the first experiment's; None for that itself, and where it has no such density

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**vars(self), "difference": self.difference and self.difference.plain()}


@dataclass(frozen=True)
class Comparison:
    """Experiments side by side."""

    names: list[str]  # the results' files
    paired: list[bool]  # whether each shares seed and data with the first, so that trials are compared one by one
    rows: list[list[Side | None]]  # for each density, from dense to sparse, a side for every result that has it
    metric: Metric  # what the accuracies are
    kinds: list[str]  # what the networks of each are if they are no tickets, such as "untrained weights, learned mask"

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "results": self.names,
            "paired": self.paired,
            "kinds": self.kinds,
            "metric": self.metric.name,
            "densities": [[side and side.plain() for side in row] for row in self.rows],
        }


def compare(results: Sequence[Result], network: str = "ticket") -> Comparison:
    """Set experiments side by side, each against the first.

    Parameters
    ----------
    results
        Two or more; on one data set, or their accuracies would not compare.
    network
        "ticket", or the name of a control: its networks in every result.

    Raises
    ------
    InputError
        If there are fewer than two, they are on different data, or none has such a network.
    """
    if any(not hasattr(result, "trials") for result in results):
        raise InputError("a comparison is of results, as tt.load returns them")
    if len(results) < 2:
        raise InputError("a comparison needs at least two results")
    first, metric = results[0], metric_of(results[0].config)
    for other in results[1:]:
        if other.data["fingerprints"] != first.data["fingerprints"]:
            raise InputError(
                f"{_name(first)} is on {first.config['data']} and {_name(other)} on other data ({other.config['data']}); "
                "accuracies on different data do not compare"
            )
        if metric_of(other.config) != metric:
            raise InputError(
                f"{_name(first)} reports {metric.title} and {_name(other)} {metric_of(other.config).title}"
            )
    held = [list(runs_of(result, network).values()) for result in results]
    if not any(held):
        raise InputError(
            f"none of these results has a network called {network!r}: say 'ticket' or the name of a control"
        )
    seeds = [(result.seed, result.config["validation"]) for result in results]
    paired = [seed == seeds[0] for seed in seeds]
    grain = grain_of(first)
    rows = [
        [
            None if runs is None else _side(runs, row[0] if which else None, paired[which], grain)
            for which, runs in enumerate(row)
        ]
        for row in _shared(held)
    ]
    kinds = [compared_as(result.networks, network) for result in results]
    return Comparison([_name(result) for result in results], paired, rows, metric, kinds)


Runs = dict[int, Round]  # by trial


def _shared(held: list[list[Runs]]) -> list[list[Runs | None]]:
    """Gather the networks of nearly equal densities, one of each result."""
    found = [(_density(runs), which, runs) for which, own in enumerate(held) for runs in own]
    everything = sorted(found, key=lambda each: -each[0])
    rows: list[list[Runs | None]] = []
    densest = 0.0
    for density, which, runs in everything:
        if not rows or rows[-1][which] is not None or densest >= SAME_DENSITY * density:
            rows.append([None] * len(held))
            densest = density
        rows[-1][which] = runs
    return rows


def _density(runs: Runs) -> float:
    return sum(run.density for run in runs.values()) / len(runs)


def _side(runs: Runs, first: Runs | None, paired: bool, grain: float) -> Side:
    accuracies = [run.test_accuracy for run in runs.values()]
    difference = None
    if first is not None:
        common = [trial for trial in runs if trial in first]
        if paired and common:
            difference = interval([runs[t].test_accuracy - first[t].test_accuracy for t in common], grain)
        else:
            difference = difference_interval(accuracies, [run.test_accuracy for run in first.values()], grain)
    return Side(
        density=_density(runs),
        accuracy=sum(accuracies) / len(runs),
        lowest=min(accuracies),
        highest=max(accuracies),
        early_stop=sum(run.early_stop_iteration for run in runs.values()) / len(runs),
        trials=len(runs),
        difference=difference,
    )


def _name(result: Result) -> str:
    return result.path or "a result in memory"
