"""The picture of an analysis."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps

from tinyticket.errors import InputError
from tinyticket.report.layers import Points, merged
from tinyticket.report.pictures.figure import Picture, against_density, checked, finish, picture, plain, style, write
from tinyticket.results.analyses import Analysis
from tinyticket.results.naming import R2

MOST = 8
"""Lines that a panel may have; of more, each has a panel of its own."""

ALIKE = 0.005
"""The share of a panel's height within which lines are one, under both names."""

WORDS = {
    "layer_density": "the layer's weights left (%)",
    "overlap": "overlap of two trials' masks (%)",
    "over_chance": "overlap relative to chance",
    "in_spread": "spread of in-degrees (deviation / mean)",
    "out_spread": "spread of out-degrees (deviation / mean)",
    "kept_moved": "mean distance of kept weights",
    "pruned_moved": "mean distance of weights pruned next",
    "kept_flipped": "kept weights whose sign changed (%)",
    "in_training": "sign changed in the training (%)",
    "since_initial": "sign other than at theta_0 (%)",
    "since_before": "sign changed since the network before (%)",
    "locality": "distance of a unit's pixels, relative to chance",
    "adjacency": "neighbours among a unit's pixels, relative to chance",
    "multiply_adds": "multiply-adds for one example",
    "sparse_bytes": "bytes of sparse weights",
    "barrier": "error barrier (% of test examples)",
    "before_over_line": "to the ticket before: above both ends (% of test examples)",
    "dense_over_line": "to the dense network: above both ends (% of test examples)",
    "test_error": "test error (%)",
    "alpha": "from the second copy (0) to the first (1)",
    "initial_test_accuracy": "initial weights: test accuracy (%)",
    "constant_test_accuracy": "signed constants: test accuracy (%)",
}
OF_R2 = {"test examples": "the variance", "test accuracy": "test R2", "test error (": "test error, 1 - R2 ("}
"""What stands for these words where targets are numbers."""

NULL = {"over_chance": 1.0, "locality": 1.0, "adjacency": 1.0}
"""Columns that have a value which means nothing was found."""


def plot_analysis(found: Analysis, path: str | os.PathLike) -> Picture:
    """Write an analysis as a picture (PNG, SVG or PDF) and return it; InputError if there is nothing to draw."""
    target, found = checked(path), found.picture or found
    if not found.rows:
        raise InputError("there is nothing to draw: the result has no round for this analysis yet")
    names = list(dict.fromkeys(row[found.by] for row in found.rows)) if found.by else [""]
    figure = _multiples(found, names) if len(names) > MOST or not found.log_x else _panels(found, names)
    write(figure, target)
    return figure


def _panels(found: Analysis, names: Sequence[str]) -> Picture:
    """Return a panel for every column, in which every name has a line."""
    figure, axes = picture(len(found.y))
    colour = {name: colormaps["viridis"](0.9 * i / max(len(names) - 1, 1)) for i, name in enumerate(names)}
    if found.by == "network":
        colour = {name: style(name)["color"] for name in names}
    for axis, column in zip(axes[0], found.y, strict=True):
        lines = {name: _points(found, name, column) for name in names}
        heights = [y for points in lines.values() for _, y in points]
        within = ALIKE * (max(heights) - min(heights)) if heights else 0.0
        for label, points in merged(lines, within).items():
            xs, ys = [x for x, _ in points], [y for _, y in points]
            axis.plot(xs, ys, "o-", color=colour[label.split(", ")[0]], markersize=3.5, label=plain(label) or None)
        _frame(axis, found, column)
        if found.by:  # beside each line, for those that coincide have one name in one panel and two in another
            axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    finish(figure, found.title)
    return figure


def _multiples(found: Analysis, names: Sequence[str]) -> Picture:
    """Return a panel for every name, on shared axes, in which every column has a line."""
    across = min(4, len(names))
    figure, axes = picture(across, -(-len(names) // across), (3.0, 2.5), sharex=True, sharey=True)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_axis_off()
    everything = [[*_points(found, name, column), (math.nan, math.nan)] for name in names for column in found.y]
    others = _both([point for points in everything for point in points])
    for place, (axis, name) in enumerate(zip(axes.flat, names, strict=False)):
        axis.plot(*others, color="0.86", linewidth=0.8, zorder=1)
        for line, column in enumerate(found.y):
            colour = colormaps["viridis"](0.2 + 0.6 * line)
            axis.plot(
                *_both(_points(found, name, column)), "o-", color=colour, markersize=3, label=_words(found, column)
            )
        _frame(axis, found, found.y[0])
        axis.set(xlabel="", ylabel="")
        axis.set_title(plain(name), fontsize=9)
        axis.label_outer()
        axis.tick_params(labelbottom=place >= len(names) - across)  # the last of each column
    several = len(found.y) > 1
    figure.supylabel(_words(found, found.y[0]).rpartition(": ")[2], fontsize=9)
    across_words = "weights left (%)" if found.log_x else _words(found, found.x)
    finish(figure, found.title, f"Across: {across_words}. Grey: the others.", axes[0][0] if several else None)
    return figure


def _points(found: Analysis, name: str, column: str) -> Points:
    across, up = (100 if found.log_x else 1), 100 if "(%" in _words(found, column) else 1
    rows = [row for row in found.rows if (not found.by or row[found.by] == name) and row[column] is not None]
    return [(across * row[found.x], up * row[column]) for row in rows]


def _both(points: Points) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _frame(axis: Any, found: Analysis, column: str) -> None:
    if column in NULL:
        axis.axhline(NULL[column], color="0.45", linestyle="--", linewidth=1, label="by chance")
    if found.log_x:
        against_density(axis, [100 * row[found.x] for row in found.rows], _words(found, column))
    else:
        axis.set(xlabel=_words(found, found.x), ylabel=_words(found, column))
        axis.grid(alpha=0.25)


def _words(found: Analysis, column: str) -> str:
    words = WORDS.get(column, column.replace("_", " "))
    for of_accuracy, of_r2 in OF_R2.items() if found.metric == R2 else ():
        words = words.replace(of_accuracy, of_r2)
    return words
