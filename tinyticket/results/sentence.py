"""The verdict in words: what is proved and on what, or what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinyticket.results.intervals import FEWEST, Interval
from tinyticket.results.naming import TICKETS, Networks

if TYPE_CHECKING:
    from tinyticket.results.verdict import Comparison

SHORT = 0.25
"""Share of trainings that stop at their last iteration, or at their first, from which on the verdict says so."""

WORDS = {"reinit": "re-initialised", "random": "random mask"}


def of(comparisons: list[Comparison], networks: Networks) -> str:
    """Return the sentence about all densities of an experiment."""
    by_standing: dict[str, list[Comparison]] = {}
    for each in sorted(comparisons, key=lambda each: each.density):
        by_standing.setdefault(each.standing, []).append(each)
    if not comparisons:
        ticket = networks == TICKETS
        what = "pruned yet: there is no ticket" if ticket else "found yet but the dense network: there is none"
        return f"nothing has been {what} to judge"
    if "winning" in by_standing:
        smallest, *others = by_standing["winning"]
        return f"{networks.found()} at {_numbers(smallest)}{_too(networks.wins, others)}; {_basis(smallest)}{_doubts(smallest)}"
    if "matching" in by_standing:
        smallest, *others = by_standing["matching"]
        matches = "as accurate as dense, but not shown to owe it to the initialisation,"
        return f"{matches} at {_numbers(smallest)}{_too('as accurate', others)}; {_basis(smallest)}{_would_decide(smallest)}"
    if len(by_standing.get("losing", ())) == len(comparisons):
        nearest = max(comparisons, key=lambda each: each.accuracy.mean)
        why = f"every one is less accurate than dense{' by then' if networks.timed else ''}"
        return f"{networks.found(negated=True)}: {why}; the most accurate at {_numbers(nearest)}; {_basis(nearest)}"
    nearest = min(by_standing["undecided"], key=lambda each: (each.p_wins, -each.accuracy.mean))
    return (
        f"not enough trials to tell: nearest to a {networks.found()} at {_numbers(nearest)}; {_basis(nearest)}"
        f"{_would_decide(nearest)}"
    )


def of_stops(at_start: int, at_end: int, trainings: int) -> str:
    """Return what there is to say if many trainings stop at their last iteration, or made nothing better."""
    said = ""
    if at_end and at_end >= SHORT * trainings:
        said = f"; trainings too short: {at_end} of {trainings} stop at their last iteration"
    if at_start and at_start >= SHORT * trainings:
        reason = "as with too large a learning rate"
        said += f"; trained in vain: {at_start} of {trainings} are best before their first step, {reason}"
    return said


def _numbers(comparison: Comparison) -> str:
    """Return "13.5%: +0.31 points [+0.12, +0.49] in no more iterations, stops at 0.62x [0.51, 0.76], random mask -0.46"."""
    networks = comparison.networks
    timed, unit = " in no more iterations" if networks.timed else "", comparison.metric.unit
    said = f"{comparison.density:.1%}: {points(comparison.accuracy.mean)} {unit}{bounds(comparison.accuracy, points)}{timed}"
    if comparison.early_stop:
        stops = comparison.early_stop
        sooner = "and sooner, " if comparison.sooner else ""
        said += f", {sooner}stops at {stops.mean:.2f}x{bounds(stops, lambda ratio: f'{ratio:.2f}')}"
    for kind, (to_dense, over) in comparison.controls.items():
        if kind == "reinit" and networks.timed:
            said += f", {points(over.mean)}{bounds(over, points)} against {WORDS[kind]}"
        else:
            untrained = kind == "rewound" and not networks.trained
            words = "weights trained under its mask" if untrained else WORDS.get(kind, kind)
            said += f", {words} {points(to_dense.mean)}"
    return said


def _too(what: str, others: list[Comparison]) -> str:
    return f"; {what} too at {', '.join(f'{each.density:.1%}' for each in others[::-1])}" if others else ""


def _basis(comparison: Comparison) -> str:
    if comparison.trials == 1:
        return "1 trial"
    return f"{comparison.trials} trials, 95% intervals, margin {100 * comparison.margin:.2f} {comparison.metric.unit}"


def _doubts(winner: Comparison) -> str:
    """Say which control is missing, and what Ma et al. 2021 (arXiv 2107.00166) would ask: whether longer trainings agree."""
    if not winner.networks.timed:
        return ""
    unasked = winner.networks == TICKETS and "reinit" not in winner.controls
    missing = "; no re-initialised control was run: the mask alone may have done it" if unasked else ""
    if winner.last.low > -winner.margin:
        return missing
    last = f"{points(winner.last.mean)} {winner.metric.unit}{bounds(winner.last, points)}"
    return f"{missing}; a sanity check would ask for longer trainings: after the last iteration it is at {last}"


def _would_decide(comparison: Comparison) -> str:
    """Say how many trials, or which margin, would decide."""
    if comparison.trials < FEWEST:
        return f"; a verdict takes {FEWEST} trials at least"
    tests = [(comparison.accuracy, -comparison.margin)]
    if comparison.networks.timed and "reinit" in comparison.controls:
        tests.append((comparison.controls["reinit"][1], 0.0))
    needed = [held.trials_needed(bound, comparison.level) for held, bound in tests]
    said = f"; {max(filter(None, needed))} trials like these would probably prove it" if all(needed) else ""
    margin = -comparison.accuracy.bound(comparison.level)
    if margin > comparison.margin and comparison.p["initialisation"] <= comparison.level:
        said += f"; within a margin of {math.ceil(1e4 * margin) / 100:.2f} {comparison.metric.unit} it would have been proved"
    return said


def points(difference: float) -> str:
    """Return a difference of fractions in hundredths, such as "+0.31"."""
    return f"{round(100 * difference, 2) + 0.0:+.2f}"  # adding 0.0 turns -0.0 into 0.0


def bounds(held: Interval, form: Callable[[float], str]) -> str:
    """Return the bounds of an interval, such as " [+0.12, +0.49]", where there are several trials."""
    return f" [{form(held.low)}, {form(held.high)}]" if held.trials > 1 else ""
