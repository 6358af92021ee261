"""The table of a result, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from tinyticket.errors import printable
from tinyticket.report.series import Point, controls, series
from tinyticket.results import Result
from tinyticket.results.comparison import Comparison, Side
from tinyticket.results.naming import metric_of


def numbers(headings: Iterable[str]) -> Table:
    """Return an empty table of numbers, which are never cut."""
    columns = [Column(heading, justify="right", no_wrap=True) for heading in headings]
    return Table(*columns, header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))


def title(result: Result) -> str:
    """Return the line above the table."""
    trials = len(result.trials)
    spread = f"{trials} trials: mean, and from smallest to largest" if trials > 1 else "1 trial"
    how = result.networks.how
    below = f"; below dense: networks {how}" if how else ""
    return printable(f"{result.config['model']} on {result.config['data']}, {spread}{below}")


def table(result: Result) -> Table:
    """Return a table with a row per round: density, early-stopping iteration and test accuracy there, controls beside them.

    With several trials each cell has the mean, and below it the smallest and the largest.
    """
    headings = [
        "round",
        "weights\nleft",
        "density",
        "early stop\niteration",
        f"test\n{metric_of(result.config).title} %",
    ]
    others = controls(result)
    for name in others:
        headings += [f"{escape(name)}:\nearly stop", f"\n{metric_of(result.config).title} %"]
    shown, columns = numbers(headings), []
    for name in ("ticket", *others):
        stops = series(result, name, lambda run: run.early_stop_iteration)
        columns.append((stops, series(result, name, lambda run: 100 * run.test_accuracy)))
    for left in series(result, "ticket", lambda run: run.weights_left):
        cells = [str(left.round) if left.round else "dense", f"{left.mean:,.0f}", f"{left.density:.1%}"]
        for stops, accuracies in columns:
            cells += [_cell(stops, left.round, ".0f"), _cell(accuracies, left.round, ".2f")]
        shown.add_row(*cells)
    return shown


def comparison_table(comparison: Comparison) -> Table:
    """Return a table with a row per density: accuracy and early stop of every result, and how it differs from the first.

    Below a difference stands its 95% interval.
    """
    headings = ["density"]
    for i, (name, paired) in enumerate(zip(comparison.names, comparison.paired, strict=True)):
        headings += [f"{escape(printable(name))}:\n{comparison.metric.title} %", "\nearly stop"]
        headings += [f"\nagainst the first{', paired' if paired else ''}"] if i else []
    shown = numbers(headings)
    for row in comparison.rows:
        cells = [f"{max(side.density for side in row if side):.1%}"]
        for i, side in enumerate(row):
            cells += _side_cells(side) + ([_difference(side)] if i else [])
        shown.add_row(*cells)
    return shown


def _side_cells(side: Side | None) -> list[str]:
    if side is None:
        return ["", ""]
    spread = f"\n[dim]{100 * side.lowest:.2f}-{100 * side.highest:.2f}[/dim]" if side.trials > 1 else ""
    return [f"{100 * side.accuracy:.2f}{spread}", f"{side.early_stop:.0f}"]


def _difference(side: Side | None) -> str:
    if side is None or side.difference is None:
        return ""
    held = side.difference
    bounds = f"\n[dim]{100 * held.low:+.2f} to {100 * held.high:+.2f}[/dim]" if held.trials > 1 else ""
    return f"{100 * held.mean:+.2f}{bounds}"


def _cell(points: list[Point], number: int, form: str) -> str:
    point = next((point for point in points if point.round == number), None)
    if point is None:
        return ""
    if len(point.values) == 1:
        return f"{point.mean:{form}}"
    return f"{point.mean:{form}}\n[dim]{point.low:{form}}-{point.high:{form}}[/dim]"
