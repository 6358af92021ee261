"""A result in a notebook: a row for every round, and the verdict."""

from __future__ import annotations

from tinyticket.notebook import table
from tinyticket.report.series import controls, series
from tinyticket.results import Result


def result_html(result: Result) -> str:
    """Return the means over trials of tickets and controls, round by round, and the verdict's sentence, as HTML."""
    names = ("ticket", *controls(result))
    accuracies = {
        name: {point.round: point for point in series(result, name, lambda run: 100 * run.test_accuracy)}
        for name in names
    }
    stops = {point.round: point for point in series(result, "ticket", lambda run: run.early_stop_iteration)}
    rows = [
        [
            str(left.round) if left.round else "dense",
            f"{left.mean:,.0f}",
            f"{left.density:.1%}",
            f"{stops[left.round].mean:,.0f}",
            *(f"{found[left.round].mean:.2f}" if left.round in found else "" for found in accuracies.values()),
        ]
        for left in series(result, "ticket", lambda run: run.weights_left)
    ]
    metric = result.metric.title
    others = (f"{name}: {metric} %" for name in names[1:])
    headings = ["round", "weights left", "density", "early stop", f"test {metric} %", *others]
    return table(headings, rows, result.verdict["text"])
