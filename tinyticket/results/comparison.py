"""Several experiments side by side, density by density: what one setting changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyticket.errors import InputError
from tinyticket.results.intervals import Interval, difference_interval, interval
from tinyticket.results.naming import compared_as
from tinyticket.results.result import Result, Round

SAME_DENSITY = 1.05
"""Densities whose ratio is below this are compared with each other: results of other prunings rarely have equal ones."""


@dataclass(frozen=True)
class Side:
    """One experiment's networks of one density.

    Attributes
    ----------
    density, accuracy, early_stop : float
        Means over trials; accuracy is a fraction, on the test set at the early-stopping iteration.
    lowest, highest : float
        Of the trials' accuracies.
    trials : int
    difference : Interval or None
        Accuracy minus that of the first experiment; None for the first itself, and where it has no such density.
    """

    density: float
    accuracy: float
    lowest: float
    highest: float
    early_stop: float
    trials: int
    difference: Interval | None


@dataclass(frozen=True)
class Comparison:
    """Experiments side by side.

    Attributes
    ----------
    names : list of str
        The results' files.
    paired : list of bool
        Whether each shares seed and data with the first, so that trials are compared one by one.
    rows : list of lists of Side or None
        For each density, from dense to sparse, a side for every result that has it.
    kinds : list of str
        What the networks of each are if they are no tickets, such as "untrained weights, learned mask"; else empty.
    """

    names: list[str]
    paired: list[bool]
    rows: list[list[Side | None]]
    kinds: list[str]

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "results": self.names,
            "paired": self.paired,
            "kinds": self.kinds,
            "densities": [[side and _plain(side) for side in row] for row in self.rows],
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
    if len(results) < 2:
        raise InputError("a comparison needs at least two results")
    first = results[0]
    for other in results[1:]:
        if other.data["fingerprints"] != first.data["fingerprints"]:
            raise InputError(
                f"{_name(first)} is on {first.config['data']} and {_name(other)} on other data ({other.config['data']}); "
                "accuracies on different data do not compare"
            )
    held = [_by_density(result, network) for result in results]
    if not any(held):
        raise InputError(
            f"none of these results has a network called {network!r}: say 'ticket' or the name of a control"
        )
    paired = [
        result.seed == first.seed and result.config["validation"] == first.config["validation"] for result in results
    ]
    grain = 1 / first.data["examples"]["test"]
    rows = [
        [
            None if runs is None else _side(runs, row[0] if which else None, paired[which], grain)
            for which, runs in enumerate(row)
        ]
        for row in _shared(held)
    ]
    kinds = [compared_as(result.networks, network) for result in results]
    return Comparison([_name(result) for result in results], paired, rows, kinds)


Runs = dict[int, Round]  # by trial


def _by_density(result: Result, network: str) -> list[tuple[float, Runs]]:
    rounds: dict[int, Runs] = {}
    for trial in result.trials:
        for round in trial.rounds:
            run = round if network == "ticket" else round.controls.get(network)
            if run is not None:
                rounds.setdefault(round.number, {})[trial.number] = run
    return [(sum(run.density for run in runs.values()) / len(runs), runs) for runs in rounds.values()]


def _shared(held: list[list[tuple[float, Runs]]]) -> list[list[Runs | None]]:
    """Gather the networks of nearly equal densities, one of each result."""
    everything = sorted(
        ((density, which, runs) for which, own in enumerate(held) for density, runs in own), key=lambda e: -e[0]
    )
    rows: list[list[Runs | None]] = []
    densest = 0.0
    for density, which, runs in everything:
        if not rows or rows[-1][which] is not None or densest >= SAME_DENSITY * density:
            rows.append([None] * len(held))
            densest = density
        rows[-1][which] = runs
    return rows


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
        density=sum(run.density for run in runs.values()) / len(runs),
        accuracy=sum(accuracies) / len(runs),
        lowest=min(accuracies),
        highest=max(accuracies),
        early_stop=sum(run.early_stop_iteration for run in runs.values()) / len(runs),
        trials=len(runs),
        difference=difference,
    )


def _plain(side: Side) -> dict[str, Any]:
    return {**vars(side), "difference": side.difference and side.difference.plain()}


def _name(result: Result) -> str:
    return result.path or "a result in memory"
