"""Accuracy and early stop against density, in the form of the paper's figures, with the intervals of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyticket.errors import InputError
from tinyticket.report.against_dense import Line, accuracy_limits, accuracy_lines, early_stop_lines, limits
from tinyticket.report.pictures.figure import Picture, against_density, dodged, finish, picture, plain, style
from tinyticket.report.styles import COLOURS, label_of, title_of
from tinyticket.results import Result

ACCURACY, STOP = "test {} at early stop (%)", "early stop relative to dense (x)"
PAIRED = "Bars: the verdict's 95% intervals, of the difference to the dense network of the same trial."
CHOSEN = "Early stops are chosen on the validation set."


def overview(result: Result) -> Picture:
    """Return accuracy and, where iterations compare, early stop side by side."""
    stops = early_stop_lines(result)
    panels = [_accuracy] + [_early_stop] * any(line.marks for line in stops)
    figure, axes = picture(len(panels))
    for axis, draw in zip(axes[0], panels, strict=True):
        draw(axis, result)
    return _finished(figure, result, axes[0][0])


def accuracy(result: Result) -> Picture:
    """Return test accuracy against density."""
    figure, axes = picture()
    _accuracy(axes[0][0], result)
    return _finished(figure, result, axes[0][0])


def early_stop(result: Result) -> Picture:
    """Return early stop against density; InputError where it says nothing."""
    if not any(line.marks for line in early_stop_lines(result)):
        why = "stop at iteration 0" if result.networks.timed else "do not compare in iterations with the dense one"
        raise InputError(f"the networks of {result.archive.name} {why}: there is no early stop to draw")
    figure, axes = picture()
    _early_stop(axes[0][0], result)
    return _finished(figure, result, axes[0][0])


def finding(result: Result) -> str:
    """Return the title that says what an experiment found."""
    smallest = result.verdict["smallest_winning_density"]
    found = f"none proved to be a {result.networks.sought}" if smallest is None else (
        f"{result.networks.sought} at {smallest:.1%} of the weights"
    )  # fmt: skip
    trials = len(result.trials)
    return f"{title_of(result)}, {trials} {'trial' if trials == 1 else 'trials'}: {found}"


def _finished(figure: Picture, result: Result, axis: Any) -> Picture:
    note = f"{PAIRED} {CHOSEN}" if len(result.trials) > 1 else f"One trial: no intervals. {CHOSEN}"
    finish(figure, finding(result), note, axis)
    return figure


def _accuracy(axis: Any, result: Result) -> None:
    dense, lines = accuracy_lines(result)
    margin = result.verdict["margin"]
    axis.axhline(100 * dense, color=COLOURS[0], linestyle="--", linewidth=1.2, label=label_of(result, "dense"))
    words = f"{100 * margin:.2f} {result.metric.unit} below it"
    axis.axhline(100 * (dense - margin), color=COLOURS[0], linestyle=":", linewidth=1.2, label=words)
    _lines(axis, result, lines, 100)
    low, high = accuracy_limits(result)
    axis.set_ylim(100 * low, 100 * high)
    against_density(axis, _densities(lines), ACCURACY.format(result.metric.title))


def _early_stop(axis: Any, result: Result) -> None:
    lines = early_stop_lines(result)
    axis.axhline(1, color=COLOURS[0], linestyle="--", linewidth=1.2, label=label_of(result, "dense"))
    _lines(axis, result, lines, 1)
    axis.set_ylim(*limits(lines, 1.0))
    against_density(axis, _densities(lines), STOP)


def _lines(axis: Any, result: Result, lines: Sequence[Line], scale: float) -> None:
    for place, line in enumerate(lines):
        moved = dodged(axis, place, len(lines))
        xs, ys = [100 * mark.density for mark in line.marks], [scale * mark.mean for mark in line.marks]
        bounds = [
            (mark.mean - mark.low, mark.high - mark.mean) if mark.low is not None and mark.high is not None else (0, 0)
            for mark in line.marks
        ]
        bars = [[scale * low for low, _ in bounds], [scale * high for _, high in bounds]]
        drawn = {**style(line.network), "label": plain(label_of(result, line.network)), "transform": moved}
        axis.errorbar(xs, ys, bars if any(map(any, bars)) else None, capsize=2.5, elinewidth=0.9, **drawn)
        if line.network == "ticket":  # winning ones stay filled
            lost = [(x, y) for x, y, mark in zip(xs, ys, line.marks, strict=True) if not mark.winning]
            hollow = {**drawn, "label": "_hollow", "linestyle": "none", "markerfacecolor": "white", "zorder": 3}
            axis.plot([x for x, _ in lost], [y for _, y in lost], **hollow)


def _densities(lines: Sequence[Line]) -> list[float]:
    return [100 * mark.density for line in lines[:1] for mark in line.marks]
