"""The tables of a result, of a comparison and of an analysis, for a terminal."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyticket.errors import printable
from tinyticket.report.blocks import WIDTH, Column, blocks
from tinyticket.report.compared import short_names
from tinyticket.report.series import Point, controls, series
from tinyticket.results import Result
from tinyticket.results.analyses import Analysis
from tinyticket.results.comparison import Comparison, Side
from tinyticket.results.naming import TICKETS, Metric
from tinyticket.results.sentence import points

LEAD = ("trial", "round", "density", "mask", "layer", "network")
"""Columns that say what a row is about."""


def title(result: Result) -> str:
    """Return the line above the table."""
    trials = len(result.trials)
    spread = f"{trials} trials: mean, and from smallest to largest" if trials > 1 else "1 trial"
    how = result.networks.how
    below = f"; below dense: networks {how}" if how else ""
    return printable(f"{result.config['model']} on {result.config['data']}, {spread}{below}")


def key(metric: Metric) -> str:
    """Return what the columns of the tables are."""
    return f"stop: early-stopping iteration; {metric.title}: on the test set there, in percent"


def table(result: Result, width: int = WIDTH) -> list[Table]:
    """Return tables with a row per round: density, and of the ticket and of every control early stop and test accuracy there.

    With several trials each cell has the mean, and below it the smallest and the largest.
    """
    rounds = series(result, "ticket", lambda run: run.weights_left)
    lead = [
        Column("round", [str(each.round) if each.round else "dense" for each in rounds]),
        Column("density", [f"{each.density:.1%}" for each in rounds]),
    ]
    groups = [[Column("weights", [f"{each.mean:,.0f}" for each in rounds])]]
    for name in ("ticket", *controls(result)):
        stops = series(result, name, lambda run: run.early_stop_iteration)
        accuracies = series(result, name, lambda run: 100 * run.test_accuracy)
        label = "network" if name == "ticket" and result.networks != TICKETS else name
        groups.append(
            [
                Column(f"{escape(label)}:\nstop", [_cell(stops, each.round, ".0f", ".0f") for each in rounds]),
                Column(result.metric.title, [_cell(accuracies, each.round, ".2f", ".1f") for each in rounds]),
            ]
        )
    return blocks(lead, groups, width)


def comparison_table(comparison: Comparison, width: int = WIDTH) -> list[Table]:
    """Return tables with a row per density: test accuracy and early stop of every result, and how it differs from the first.

    Below a difference stands its 95% interval.
    """
    densities = [f"{max(side.density for side in row if side):.1%}" for row in comparison.rows]
    groups: list[list[Column]] = []
    for i, (name, paired) in enumerate(zip(short_names(comparison), comparison.paired, strict=True)):
        sides = [row[i] for row in comparison.rows]
        title = f"{escape(name)}:\n{comparison.metric.title}"
        group = [Column(title, list(map(_accuracy, sides))), Column("stop", list(map(_stop, sides)))]
        against = "against first,\npaired" if paired else "against\nfirst"
        groups.append([*group, Column(against, list(map(_difference, sides)))] if i else group)
    return blocks([Column("density", densities)], groups, width)


def analysis_table(found: Analysis, width: int = WIDTH) -> list[Table]:
    """Return an analysis as tables for a terminal."""
    columns = {
        name: Column(name.replace("_", "\n"), [_shown(name, row[name]) for row in found.rows])
        for name in (found.rows[0] if found.rows else ["nothing"])
    }
    lead = [columns.pop(name) for name in [*columns] if name in LEAD]
    return blocks(lead, [[column] for column in columns.values()], width)


def _accuracy(side: Side | None) -> str:
    if side is None:
        return ""
    spread = f"\n[dim]{100 * side.lowest:.1f}-{100 * side.highest:.1f}[/dim]" if side.trials > 1 else ""
    return f"{100 * side.accuracy:.2f}{spread}"


def _stop(side: Side | None) -> str:
    return "" if side is None else f"{side.early_stop:.0f}"


def _difference(side: Side | None) -> str:
    if side is None or side.difference is None:
        return ""
    held = side.difference
    bounds = f"\n[dim]{points(held.low)} to {points(held.high)}[/dim]" if held.trials > 1 else ""
    return f"{points(held.mean)}{bounds}"


def _cell(points: list[Point], number: int, form: str, form_of_bounds: str) -> str:
    point = next((point for point in points if point.round == number), None)
    if point is None:
        return ""
    if len(point.values) == 1:
        return f"{point.mean:{form}}"
    return f"{point.mean:{form}}\n[dim]{point.low:{form_of_bounds}}-{point.high:{form_of_bounds}}[/dim]"


def _shown(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape(value)
    if column.endswith("density"):
        return f"{value:.2%}"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.4g}"
