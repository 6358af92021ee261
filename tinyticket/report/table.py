"""The table of a result, for a terminal."""

from __future__ import annotations

from rich.table import Table

from tinyticket.lottery import Result
from tinyticket.report.series import Point, controls, series


def table(result: Result) -> Table:
    """Return a table with a row per round: density, early-stopping iteration and test accuracy there, controls beside them.

    With several trials each cell is the mean, and minimum and maximum in brackets.
    """
    trials = len(result.trials)
    title = f"{result.config['model']} on {result.config['data']}, {trials} {'trials: mean [min, max]' if trials > 1 else 'trial'}"
    shown = Table(title=title, title_justify="left", header_style="bold")
    for heading in ("round", "weights left", "density", "early stop at", "test accuracy"):
        shown.add_column(heading, justify="right")
    others = controls(result)
    for name in others:
        shown.add_column(f"{name}: stop at", justify="right")
        shown.add_column("accuracy", justify="right")
    columns = {
        name: (
            series(result, name, lambda run: run.early_stop_iteration),
            series(result, name, lambda run: run.test_accuracy),
        )
        for name in ("ticket", *others)
    }
    left = {point.round: point for point in series(result, "ticket", lambda run: run.weights_left)}
    for number, point in left.items():
        cells = [str(number) if number else "dense", f"{point.mean:,.0f}", f"{point.density:.1%}"]
        for stops, accuracies in columns.values():
            cells += [_cell(stops, number, "{:.0f}"), _cell(accuracies, number, "{:.2%}")]
        shown.add_row(*cells)
    return shown


def _cell(points: list[Point], number: int, form: str) -> str:
    point = next((point for point in points if point.round == number), None)
    if point is None:
        return ""
    if len(point.values) == 1:
        return form.format(point.mean)
    return f"{form.format(point.mean)} [{form.format(point.low)}, {form.format(point.high)}]".replace(
        "%,", ","
    ).replace("% [", " [")
