"""What the trials say in one sentence.

This is a description of means, and says so: which tickets were at least as accurate as their dense networks, in no more
iterations. It claims no significance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tinyticket.lottery.result import Result, Round


def verdict(result: Result) -> dict[str, Any]:
    """Compare every round with its own trials' dense networks.

    A density counts as winning if, on average over the trials that have it, the ticket's test accuracy at its early-stopping
    iteration is at least the dense network's and that iteration is no later: the definition of a winning ticket, applied to means.

    Returns
    -------
    dict
        "text": the sentence; "trials"; "winning_rounds"; "smallest_winning_density" (None if there is none) and that round's
        "accuracy_difference" (fraction), "early_stop_ratio", and "control_differences" (control minus ticket, fractions).
    """
    comparisons = [comparison for number in _round_numbers(result) if (comparison := _compare(result, number))]
    winners = [comparison for comparison in comparisons if comparison["wins"]]
    trials = len(result.trials)
    found: dict[str, Any] = {
        "trials": trials,
        "winning_rounds": [winner["round"] for winner in winners],
        "smallest_winning_density": None,
        "accuracy_difference": None,
        "early_stop_ratio": None,
        "control_differences": {},
    }
    words = f"mean of {trials} trials" if trials > 1 else "1 trial"
    if not comparisons:
        return {"text": "nothing has been pruned yet: there is no ticket to judge"} | found
    if not winners:
        best = max(comparisons, key=lambda comparison: comparison["accuracy_difference"])
        return {
            "text": f"no winning ticket: none matched the dense network's test accuracy in no more iterations (nearest: "
            f"{_points(best)} at {best['density']:.1%} density, stopping at {best['early_stop_ratio']:.2f}x; "
            f"{words}, no test of significance)"
        } | found
    smallest = min(winners, key=lambda winner: winner["density"])
    controls = "".join(
        f", {name} {100 * difference:+.2f} beside it" for name, difference in smallest["control_differences"].items()
    )
    text = (
        f"winning ticket down to {smallest['density']:.1%} density: test accuracy {_points(smallest)} against dense, early stop at "
        f"{smallest['early_stop_ratio']:.2f}x the iterations{controls} ({words}, no test of significance)"
    )
    return (
        {"text": text}
        | found
        | {"smallest_winning_density": smallest["density"]}
        | {key: smallest[key] for key in ("accuracy_difference", "early_stop_ratio", "control_differences")}
    )


def _round_numbers(result: Result) -> list[int]:
    return sorted({round.number for trial in result.trials for round in trial.rounds} - {0})


def _compare(result: Result, number: int) -> dict[str, Any]:
    pairs = [(trial.rounds[0], trial.rounds[number]) for trial in result.trials if len(trial.rounds) > number]
    dense, tickets = zip(*pairs, strict=True)
    difference = _mean(tickets, "test_accuracy") - _mean(dense, "test_accuracy")
    stop, dense_stop = _mean(tickets, "early_stop_iteration"), _mean(dense, "early_stop_iteration")
    names = list(tickets[0].controls)
    return {
        "round": number,
        "density": _mean(tickets, "density"),
        "accuracy_difference": difference,
        "early_stop_ratio": stop / dense_stop if dense_stop else float("inf") if stop else 1.0,
        "control_differences": {
            name: _mean([ticket.controls[name] for ticket in tickets], "test_accuracy")
            - _mean(tickets, "test_accuracy")
            for name in names
        },
        "wins": difference >= 0 and stop <= dense_stop,
    }


def _mean(rounds: list[Round] | tuple[Round, ...], name: str) -> float:
    return float(np.mean([getattr(round, name) for round in rounds]))


def _points(comparison: dict[str, Any]) -> str:
    return f"{100 * comparison['accuracy_difference']:+.2f} points"
