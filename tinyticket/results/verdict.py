"""What the trials prove: which tickets are winning ones, at which densities, and whether their initialisation did it.

A ticket wins if it matches its dense network's accuracy after at most the same number of iterations (Frankle and Carbin 2019,
section 1). Exactly that is tested, trial by trial: j is the dense network's early-stopping iteration, and the ticket is read where
its validation loss is smallest among the evaluations up to j (a single one, at j itself, is noisy). Three claims follow, about
true means:

* it matches: ticket minus dense is above minus the margin (0.2 points, Frankle et al. 2020; never less than one test example);
* its initialisation did it: ticket minus re-initialised control, read in the same way, is above zero;
* and sooner: the ratio of early-stopping iterations is below 1.

What passes the first two wins; where no re-initialised control was run the first alone must do, and the sentence says so. A
density's claims are tested one after the other with paired one-sided tests, each only where the one before holds. Over all
densities together, a wrong claim of matching or winning is made in at most 4% of experiments and one of "sooner" in 1%, 5% in all
(`intervals.holm`).

Networks that are no tickets (`naming`) are judged alike, in words of their own. Where iterations do not compare with those of the
dense network, since weights were not rewound or were never trained, accuracy at their own early stop alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.errors import printable
from tinyticket.results import sentence
from tinyticket.results.intervals import CONFIDENCE, FEWEST, Interval, holm, interval, ratio_interval
from tinyticket.results.naming import ACCURACY, TICKETS, Metric, Networks, kind_of, metric_of

if TYPE_CHECKING:
    from tinyticket.results.result import Result
    from tinyticket.results.round import Round, Trial

MARGIN = 0.002
"""Accuracy, as a fraction, by which a ticket may be below its dense network and still match it (Frankle et al. 2020)."""

WINNING, SOONER, EACH = 0.04, 0.01, 0.025
"""Chances that any claim of winning, or of stopping sooner, is wrong, and that a single test is: no more than this."""


@dataclass(frozen=True)
class Comparison:
    """One density's tickets and controls against the dense networks of the same trials.

    Its standing is "winning", "matching" (only the first claim is proved), "losing" (shown to be less accurate than the margin
    allows) or "undecided". `controls` has by kind control minus dense, and ticket minus control; several of a kind are averaged
    within a trial.
    """

    round: int
    density: float
    trials: int
    accuracy: Interval  # ticket minus dense, test accuracy read as said above, in fractions
    early_stop: Interval | None  # ratio of early-stopping iterations, ticket over dense; None where one of them is 0
    controls: dict[str, tuple[Interval, Interval]]
    last: Interval  # ticket minus dense after the last iteration
    p: dict[str, float]  # the claims' p-values: "matches", "initialisation", "sooner"
    margin: float = MARGIN  # how far a ticket that matches may be below
    level: float = EACH  # the chance that a test of the first two claims is wrong
    networks: Networks = TICKETS
    metric: Metric = ACCURACY
    standing: str = "undecided"
    sooner: bool = False

    @property
    def p_wins(self) -> float:
        """The p-value of winning, which takes two claims."""
        return max(self.p["matches"], self.p["initialisation"])

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        controls = {
            kind: {"accuracy_difference": to_dense.plain(), "ticket_minus_control": to_ticket.plain()}
            for kind, (to_dense, to_ticket) in self.controls.items()
        }
        return {
            **{name: getattr(self, name) for name in ("round", "density", "trials", "standing", "sooner", "p", "level")},
            "accuracy_difference": self.accuracy.plain(),
            "early_stop_ratio": self.early_stop and self.early_stop.plain(),
            "final_difference": self.last.plain(),
            "controls": controls,
        }  # fmt: skip


def verdict(result: Result) -> dict[str, Any]:
    """Judge the tickets of every density.

    Returns
    -------
    dict
        "text": the sentence; "sought": what it is about, such as "winning ticket"; "trials"; "margin" and "confidence";
        "winning_rounds", "matching_rounds" (which include them), "sooner_rounds"; "smallest_winning_density" (None if none is shown
        to win) and, of that round, "accuracy_difference", "early_stop_ratio" and "control_differences" (against dense, in
        fractions); "densities": a list with every density's intervals and its standing.
    """
    comparisons = judged(_compare_all(result))
    winners = [each for each in comparisons if each.standing == "winning"]
    smallest = min(winners, key=lambda winner: winner.density, default=None)
    runs = [round for trial in result.trials for round in trial.rounds if len(round.history) > 1]
    stops = [read(run)[0] for run in runs]
    at_end = sum(stop == run.history["iteration"][-1] for stop, run in zip(stops, runs, strict=True))
    return {
        "text": printable(  # the words for networks may be a stranger's
            sentence.of(comparisons, result.networks) + sentence.of_stops(stops.count(0), at_end, len(runs))
        ),
        "sought": result.networks.found().rstrip(","),
        "trials": len(result.trials),
        "margin": _margin(result),
        "confidence": CONFIDENCE,
        "winning_rounds": [winner.round for winner in winners],
        "matching_rounds": [each.round for each in comparisons if each.standing in ("winning", "matching")],
        "sooner_rounds": [each.round for each in comparisons if each.sooner],
        "smallest_winning_density": smallest and smallest.density,
        "accuracy_difference": smallest and smallest.accuracy.mean,
        "early_stop_ratio": smallest and smallest.early_stop and smallest.early_stop.mean,
        "control_differences": {kind: pair[0].mean for kind, pair in smallest.controls.items()} if smallest else {},
        "densities": [each.plain() for each in comparisons],
    }


def judged(comparisons: list[Comparison]) -> list[Comparison]:
    """Give each density its standing."""
    wins, level = holm([each.p_wins for each in comparisons], WINNING, EACH)
    in_time = [each.p["sooner"] if won else 1.0 for each, won in zip(comparisons, wins, strict=True)]
    sooner, _ = holm(in_time, SOONER, EACH)

    def standing(each: Comparison, won: bool) -> str:
        if won or each.p["matches"] <= level:  # matching is the first of two claims, tested at the level of both
            return "winning" if won else "matching"
        return "losing" if each.trials >= FEWEST and each.accuracy.high < -each.margin else "undecided"

    return [
        replace(each, level=level, sooner=early, standing=standing(each, won))
        for each, won, early in zip(comparisons, wins, sooner, strict=True)
    ]


def read(run: Round, until: float = math.inf, since: int = 0) -> tuple[int, float]:
    """Return where a training's validation loss is smallest among its evaluations up to an iteration, and the test accuracy there.

    A loss that is not a number is larger than any, and without an accuracy, as of a network that diverged, it is NaN. The first
    evaluation from `since` on counts in any case.
    """
    rows = run.history[run.history["iteration"] >= since]
    rows = rows[: max(1, np.count_nonzero(rows["iteration"] <= until))]
    row = rows[np.argmin(np.nan_to_num(rows["validation_loss"], nan=math.inf))]
    return int(row["iteration"]), float(row["test_accuracy"])


def _compare_all(result: Result) -> list[Comparison]:
    """Compare every density, in those trials whose dense network has an accuracy."""
    trials = [trial for trial in result.trials if not math.isnan(read(trial.rounds[0])[1])]
    numbers = sorted({round.number for trial in trials for round in trial.rounds} - {0})
    return [_compare(result, [t for t in trials if len(t.rounds) > number], number) for number in numbers]


def _compare(result: Result, trials: list[Trial], number: int) -> Comparison:
    grain, margin, networks = grain_of(result), _margin(result), result.networks
    tickets = [trial.rounds[number] for trial in trials]
    stops, dense = zip(*(read(trial.rounds[0]) for trial in trials), strict=True)
    until = stops if networks.timed else [math.inf] * len(trials)
    since = [_settled(result.config, ticket) for ticket in tickets]
    own = _accuracies(read(*each)[1] for each in zip(tickets, until, since, strict=True))
    controls = {}
    for kind in dict.fromkeys(kind_of(name) for name in tickets[0].controls):
        beside = np.array([
            _accuracies(read(run, limit)[1] for name, run in ticket.controls.items() if kind_of(name) == kind).mean()
            for ticket, limit in zip(tickets, until, strict=True)
        ])  # fmt: skip
        controls[kind] = interval(beside - dense, grain), interval(own - beside, grain)
    ratio = None
    if networks.timed:
        own_stops = [read(ticket, since=first)[0] for ticket, first in zip(tickets, since, strict=True)]
        ratio = ratio_interval(own_stops, stops, result.config["evaluate_every"])
    ends, dense_ends = (
        _accuracies(run.history["test_accuracy"][-1] for run in runs)
        for runs in (tickets, [trial.rounds[0] for trial in trials])
    )
    accuracy = interval(own - dense, grain)
    in_time = all(
        max(first, ticket.history["iteration"][0]) <= limit
        for ticket, first, limit in zip(tickets, since, until, strict=True)
    )
    asked = networks.timed and "reinit" in controls
    return Comparison(
        round=number,
        density=float(np.mean([ticket.density for ticket in tickets])),
        trials=len(trials),
        accuracy=accuracy,
        early_stop=ratio,
        controls=controls,
        last=interval(ends - dense_ends, grain),
        p={
            "matches": accuracy.p_above(-margin) if in_time and len(trials) >= FEWEST else 1.0,
            "initialisation": controls["reinit"][1].p_above(0) if asked else 0.0,
            "sooner": ratio.p_below_one() if ratio else 1.0,
        },
        margin=margin,
        networks=networks,
        metric=metric_of(result.config),
    )  # fmt: skip


def _margin(result: Result) -> float:
    """Return the margin: at least what one test example is."""
    return max(result.config.get("margin", MARGIN), grain_of(result))


def grain_of(result: Result) -> float:
    """Return the step in which accuracies can be told apart, one test example; R2 has none."""
    return 1 / result.data["examples"]["test"] if metric_of(result.config) == ACCURACY else 0.0


def _settled(config: Mapping[str, Any], ticket: Round) -> int:
    """Return the iteration from which on a network has the mask that it is judged with."""
    if config.get("gradual"):
        begin, end, every = config["gradual"]
        return begin + (end - begin) // every * every
    draws = "early-bird", "early-bird-original", "continuous"
    return ticket.origin.get("drawn", 0) if config.get("method") in draws else 0


def _accuracies(found: Iterable[float]) -> np.ndarray:
    """Return accuracies; none, of a network that diverged, counts as 0."""
    return np.nan_to_num([*found])
