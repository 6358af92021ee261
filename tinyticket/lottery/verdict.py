"""What the trials say in one sentence.

This is a description of means, and says so: which tickets were at least as accurate as their dense networks, in no more
iterations. It claims no significance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tinyticket.lottery.result import Result, Round

ROUNDING = 1e-9  # means of equal accuracies in another order may differ by this much


def verdict(result: Result) -> dict[str, Any]:
    """Compare the tickets of every round with their own trials' dense networks.

    A round wins if, on average over the trials that have it, the ticket's test accuracy at its early-stopping iteration is at
    least the dense network's and that iteration is no later: the definition of a winning ticket, applied to means.

    Returns
    -------
    dict
        "text": the sentence; "trials"; "winning_rounds"; "smallest_winning_density" (None if there is none) and, of that round,
        "accuracy_difference" and "control_differences" (both against the dense network, in fractions), "early_stop_ratio".
    """
    numbers = sorted({round.number for trial in result.trials for round in trial.rounds} - {0})
    comparisons = [_compare(result, number) for number in numbers]
    winners = [comparison for comparison in comparisons if comparison.wins]
    smallest = min(winners, key=lambda winner: winner.density, default=None)
    trials = len(result.trials)
    basis = f"{f'means of {trials} trials' if trials > 1 else '1 trial'}, no test of significance"
    if smallest:
        text = f"winning tickets down to {smallest.words()} ({basis})"
    elif comparisons:
        nearest = max(comparisons, key=lambda comparison: comparison.accuracy_difference)
        text = "no winning ticket: none matched the dense network in no more iterations; the most accurate has "
        text += f"{nearest.words()} ({basis})"
    else:
        text = "nothing has been pruned yet: there is no ticket to judge"
    return {
        "text": text,
        "trials": trials,
        "winning_rounds": [winner.round for winner in winners],
        "smallest_winning_density": smallest and smallest.density,
        "accuracy_difference": smallest and smallest.accuracy_difference,
        "early_stop_ratio": smallest and smallest.early_stop_ratio,
        "control_differences": smallest.control_differences if smallest else {},
    }


@dataclass(frozen=True)
class Comparison:
    """A round's tickets and controls against their trials' dense networks, in means over trials."""

    round: int
    density: float
    accuracy_difference: float
    control_differences: dict[str, float]
    early_stop: float
    dense_early_stop: float

    @property
    def wins(self) -> bool:
        """Whether the tickets are at least as accurate in no more iterations."""
        return self.accuracy_difference >= -ROUNDING and self.early_stop <= self.dense_early_stop

    @property
    def early_stop_ratio(self) -> float | None:
        """Early-stopping iteration over the dense network's; None where that is 0."""
        return self.early_stop / self.dense_early_stop if self.dense_early_stop else None

    def words(self) -> str:
        """Say it in words."""
        beside = "".join(f", {name} {_points(difference)}" for name, difference in self.control_differences.items())
        return (
            f"{self.density:.1%} density: test accuracy {_points(self.accuracy_difference)} points against the dense network"
            f"{beside}; early stop at iteration {self.early_stop:.0f} against {self.dense_early_stop:.0f}"
        )


def _compare(result: Result, number: int) -> Comparison:
    trials = [trial for trial in result.trials if len(trial.rounds) > number]
    dense, tickets = [trial.rounds[0] for trial in trials], [trial.rounds[number] for trial in trials]
    baseline = _mean(dense, "test_accuracy")
    controls = {name: [ticket.controls[name] for ticket in tickets] for name in tickets[0].controls}
    return Comparison(
        round=number,
        density=_mean(tickets, "density"),
        accuracy_difference=_mean(tickets, "test_accuracy") - baseline,
        control_differences={name: _mean(runs, "test_accuracy") - baseline for name, runs in controls.items()},
        early_stop=_mean(tickets, "early_stop_iteration"),
        dense_early_stop=_mean(dense, "early_stop_iteration"),
    )


def _points(difference: float) -> str:
    return f"{round(100 * difference, 2) + 0.0:+.2f}"  # adding 0.0 turns -0.0 into 0.0


def _mean(rounds: list[Round], name: str) -> float:
    return float(np.mean([getattr(round, name) for round in rounds]))
