"""What the trials prove: which tickets are winning ones, at which densities, and what their controls say.

A ticket wins if it is as accurate as its dense network and stops early in no more iterations (Frankle and Carbin 2019, section
1). Both are shown with one-sided tests on paired trials, as statements about the true means: the accuracy's by non-inferiority,
its difference to dense above -0.2 points (the margin of Frankle et al. 2020 for "matching"), the iterations' by their ratio,
not above 1. A ticket must pass both, so no correction is due for their being two (Berger 1982).

Many densities are tested. Correcting for them all would cost power, so they are tested in an order that is fixed beforehand, until
the first one fails (Maurer, Hothorn and Lehmacher 1995): one sequence from about 20% of the weights downward, where the paper's
tickets are strongest, one from there upward. Each test errs in at most 2.5% of all cases, both sequences together in 5%.

Networks that are no tickets (`naming`) are judged alike, in words of their own. Where iterations do not compare with those of the
dense network, since weights were not rewound or were never trained, accuracy alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.lottery.controls import kind_of
from tinyticket.lottery.intervals import CONFIDENCE, Interval, interval, ratio_interval
from tinyticket.lottery.naming import TICKETS, Networks, networks_of

if TYPE_CHECKING:
    from tinyticket.lottery.result import Result, Round

MARGIN = 0.002
"""Accuracy, as a fraction, by which a ticket may be below its dense network and still match it."""

ANCHOR = 0.2
"""The density from which the sequences of tests start: that of the result which is nearest to it by ratio."""

WORDS = {"reinit": "re-initialised", "random": "random mask"}


@dataclass(frozen=True)
class Comparison:
    """One density's tickets and controls against the dense networks of the same trials.

    Attributes
    ----------
    round, density, trials
    accuracy : Interval
        Ticket minus dense, test accuracy at the early-stopping iteration, in fractions.
    early_stop : Interval or None
        Ratio of early-stopping iterations, ticket over dense; None where one of them is 0.
    controls : dict of (Interval, Interval)
        By kind (several controls of a kind are averaged within a trial): control minus dense, and ticket minus control.
    networks : Networks
        What is compared.
    standing : {"winning", "losing", "undecided"}
        Losing: shown to be less accurate than the margin allows, or to stop later.
    """

    round: int
    density: float
    trials: int
    accuracy: Interval
    early_stop: Interval | None
    controls: dict[str, tuple[Interval, Interval]]
    networks: Networks = TICKETS
    standing: str = "undecided"

    @property
    def passes(self) -> bool:
        """Whether both tests pass, taken by themselves."""
        in_time = not self.networks.timed or (self.early_stop is not None and self.early_stop.high <= 1)
        return self.accuracy.low > -MARGIN and in_time

    @property
    def fails(self) -> bool:
        """Whether the opposite is shown."""
        return self.accuracy.high < -MARGIN or (self.early_stop is not None and self.early_stop.low > 1)

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        controls = {
            kind: {"accuracy_difference": to_dense.plain(), "ticket_minus_control": to_ticket.plain()}
            for kind, (to_dense, to_ticket) in self.controls.items()
        }
        return {
            "round": self.round,
            "density": self.density,
            "trials": self.trials,
            "standing": self.standing,
            "accuracy_difference": self.accuracy.plain(),
            "early_stop_ratio": self.early_stop and self.early_stop.plain(),
            "controls": controls,
        }

    def words(self) -> str:
        """Say it in words: "13.5%: +0.31 points [0.12, 0.49], stops at 0.62x the iterations [0.51, 0.76]"."""
        said = f"{self.density:.1%}: {_points(self.accuracy.mean)} points{_bounds(self.accuracy, _points)}"
        if self.early_stop:
            stops = self.early_stop
            said += f", stops at {stops.mean:.2f}x the iterations{_bounds(stops, lambda ratio: f'{ratio:.2f}')}"
        for kind, (to_dense, _) in self.controls.items():
            said += f", {control_words(kind, self.networks)} {_points(to_dense.mean)}"
        return said


def control_words(kind: str, networks: Networks) -> str:
    """Say what a kind of control is, beside these networks."""
    if kind == "rewound" and not networks.trained:
        return "weights trained under its mask"
    return WORDS.get(kind, kind)


def verdict(result: Result) -> dict[str, Any]:
    """Judge the tickets of every density.

    Returns
    -------
    dict
        "text": the sentence; "sought": what it is about, such as "winning ticket"; "trials"; "margin" and "confidence";
        "winning_rounds"; "smallest_winning_density" (None if none is shown to win) and, of that round, "accuracy_difference",
        "early_stop_ratio" and "control_differences" (against the dense network, in fractions); "densities": a list with every
        density's intervals and its standing.
    """
    networks = networks_of(result.config)
    comparisons = judged(_compare_all(result, networks))
    winners = [comparison for comparison in comparisons if comparison.standing == "winning"]
    smallest = min(winners, key=lambda winner: winner.density, default=None)
    return {
        "text": _sentence(comparisons, winners, smallest, networks),
        "sought": networks.found().rstrip(","),
        "trials": len(result.trials),
        "margin": MARGIN,
        "confidence": CONFIDENCE,
        "winning_rounds": [winner.round for winner in winners],
        "smallest_winning_density": smallest and smallest.density,
        "accuracy_difference": smallest and smallest.accuracy.mean,
        "early_stop_ratio": smallest and smallest.early_stop and smallest.early_stop.mean,
        "control_differences": {kind: pair[0].mean for kind, pair in smallest.controls.items()} if smallest else {},
        "densities": [comparison.plain() for comparison in comparisons],
    }


def judged(comparisons: list[Comparison]) -> list[Comparison]:
    """Give each density its standing: walk both sequences of tests until the first that fails."""
    if not comparisons:
        return []
    by_density = sorted(comparisons, key=lambda comparison: -comparison.density)
    anchor = min(range(len(by_density)), key=lambda i: abs(math.log(by_density[i].density / ANCHOR)))
    winning: set[int] = set()
    for sequence in (by_density[anchor:], by_density[:anchor][::-1]):
        for comparison in sequence:
            if not comparison.passes:
                break
            winning.add(comparison.round)
    return [
        replace(
            comparison,
            standing="winning" if comparison.round in winning else "losing" if comparison.fails else "undecided",
        )
        for comparison in comparisons
    ]


def _compare_all(result: Result, networks: Networks) -> list[Comparison]:
    numbers = sorted({round.number for trial in result.trials for round in trial.rounds} - {0})
    return [_compare(result, number, networks) for number in numbers]


def _compare(result: Result, number: int, networks: Networks) -> Comparison:
    grain = 1 / result.data["examples"]["test"]
    pairs = [(trial.rounds[0], trial.rounds[number]) for trial in result.trials if len(trial.rounds) > number]
    dense, tickets = zip(*pairs, strict=True)
    stops = None
    if networks.timed:
        stops = ratio_interval(_early_stops(tickets), _early_stops(dense), result.config["evaluate_every"])
    controls = {}
    for kind in dict.fromkeys(kind_of(name) for name in tickets[0].controls):
        beside = [
            _mean_accuracy(run for name, run in ticket.controls.items() if kind_of(name) == kind) for ticket in tickets
        ]
        controls[kind] = (
            interval(beside - _accuracies(dense), grain),
            interval(_accuracies(tickets) - beside, grain),
        )
    return Comparison(
        round=number,
        density=float(np.mean([ticket.density for ticket in tickets])),
        trials=len(pairs),
        accuracy=interval(_accuracies(tickets) - _accuracies(dense), grain),
        early_stop=stops,
        controls=controls,
        networks=networks,
    )


def _sentence(
    comparisons: list[Comparison], winners: list[Comparison], smallest: Comparison | None, networks: Networks
) -> str:
    if not comparisons:
        what = (
            "pruned yet: there is no ticket"
            if networks is TICKETS
            else "found yet but the dense network: there is none"
        )
        return f"nothing has been {what} to judge"
    if smallest:
        others = [
            f"{winner.density:.1%}" for winner in sorted(winners, key=lambda w: -w.density) if winner is not smallest
        ]
        more = f"; {networks.wins} too at {', '.join(others)}" if others else ""
        return f"{networks.found()} at {smallest.words()}; {_basis(smallest)}{more}"
    if all(comparison.standing == "losing" for comparison in comparisons):
        nearest = max(comparisons, key=lambda comparison: comparison.accuracy.mean)
        why = f"every one is less accurate than dense{', or later' if networks.timed else ''}"
        return f"{networks.found(negated=True)}: {why}; the most accurate at {nearest.words()}; {_basis(nearest)}"
    nearest = _nearest(comparisons)
    return f"not enough trials to tell: nearest to a {networks.found()} at {nearest.words()}; {_basis(nearest)}"


def _basis(comparison: Comparison) -> str:
    trials = comparison.trials
    return f"{trials} trials, 95% intervals" if trials > 1 else "1 trial"


def _nearest(comparisons: Iterable[Comparison]) -> Comparison:
    """Return the sparsest of those that match by their means, or the most accurate if none does."""
    undecided = [comparison for comparison in comparisons if comparison.standing == "undecided"]
    matching = [
        comparison
        for comparison in undecided
        if comparison.accuracy.mean >= 0
        and (not comparison.networks.timed or (comparison.early_stop and comparison.early_stop.mean <= 1))
    ]
    if matching:
        return min(matching, key=lambda comparison: comparison.density)
    return max(undecided, key=lambda comparison: comparison.accuracy.mean)


def _accuracies(rounds: Iterable[Round]) -> np.ndarray:
    return np.array([round.test_accuracy for round in rounds])


def _mean_accuracy(rounds: Iterable[Round]) -> float:
    return float(np.mean(_accuracies(rounds)))


def _early_stops(rounds: Iterable[Round]) -> list[int]:
    return [round.early_stop_iteration for round in rounds]


def _points(difference: float) -> str:
    return f"{round(100 * difference, 2) + 0.0:+.2f}"  # adding 0.0 turns -0.0 into 0.0


def _bounds(held: Interval, form: Callable[[float], str]) -> str:
    return f" [{form(held.low)}, {form(held.high)}]" if held.trials > 1 else ""
