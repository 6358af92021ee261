"""The table of a result, for a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tinyticket.lottery import Result
from tinyticket.report.series import Point, controls, series


def title(result: Result) -> str:
    """Return the line above the table."""
    trials = len(result.trials)
    spread = f"{trials} trials: mean, and from smallest to largest" if trials > 1 else "1 trial"
    return f"{result.config['model']} on {result.config['data']}, {spread}"


def table(result: Result) -> Table:
    """Return a table with a row per round: density, early-stopping iteration and test accuracy there, controls beside them.

    With several trials each cell has the mean, and below it the smallest and the largest.
    """
    shown = Table(header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("round", "weights\nleft", "density", "early stop\niteration", "test\naccuracy %"):
        shown.add_column(heading, justify="right", no_wrap=True)
    others = controls(result)
    for name in others:
        shown.add_column(f"{name}:\nearly stop", justify="right", no_wrap=True)
        shown.add_column("\naccuracy %", justify="right", no_wrap=True)
    columns = [
        (
            series(result, name, lambda run: run.early_stop_iteration),
            series(result, name, lambda run: 100 * run.test_accuracy),
        )
        for name in ("ticket", *others)
    ]
    for left in series(result, "ticket", lambda run: run.weights_left):
        cells = [str(left.round) if left.round else "dense", f"{left.mean:,.0f}", f"{left.density:.1%}"]
        for stops, accuracies in columns:
            cells += [_cell(stops, left.round, ".0f"), _cell(accuracies, left.round, ".2f")]
        shown.add_row(*cells)
    return shown


def _cell(points: list[Point], number: int, form: str) -> str:
    point = next((point for point in points if point.round == number), None)
    if point is None:
        return ""
    if len(point.values) == 1:
        return f"{point.mean:{form}}"
    return f"{point.mean:{form}}\n[dim]{point.low:{form}}-{point.high:{form}}[/dim]"
