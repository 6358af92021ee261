"""The table and the picture of an analysis."""

from __future__ import annotations

import os
from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyticket.errors import InputError
from tinyticket.report.blocks import WIDTH, Column, blocks
from tinyticket.results.analyses import Analysis

COLOURS = 10  # of the cycle that lines take theirs from


LEAD = ("trial", "round", "density", "mask", "layer")
"""Columns that say what a row is about."""


def analysis_table(found: Analysis, width: int = WIDTH) -> list[Table]:
    """Return an analysis as tables for a terminal."""
    columns = {
        name: Column(name.replace("_", "\n"), [_cell(name, row[name]) for row in found.rows])
        for name in (found.rows[0] if found.rows else ["nothing"])
    }
    lead = [columns.pop(name) for name in [*columns] if name in LEAD]
    return blocks(lead, [[column] for column in columns.values()], width)


def plot_analysis(found: Analysis, path: str | os.PathLike) -> None:
    """Write an analysis as a picture (PNG, SVG or PDF, by the file's ending); InputError if there is nothing to draw."""
    from matplotlib import pyplot

    from tinyticket.report.plot import against_density, checked, plain, write

    path, found = checked(path), found.picture or found
    if not found.rows:
        raise InputError("there is nothing to draw: the result has no round for this analysis yet")
    panels = len(found.y)
    figure, axes = pyplot.subplots(1, panels, figsize=(5.2 * panels, 4), layout="constrained", squeeze=False)
    for axis, column in zip(axes[0], found.y, strict=True):
        for i, name in enumerate(dict.fromkeys(row[found.by] if found.by else "" for row in found.rows)):
            points = [row for row in found.rows if (not found.by or row[found.by] == name) and row[column] is not None]
            across = [(100 if found.log_x else 1) * row[found.x] for row in points]
            line = "o-" if i < COLOURS else "s--"
            axis.plot(across, [row[column] for row in points], line, markersize=3.5, label=plain(name))
        label = column.replace("_", " ")
        if found.log_x:
            against_density(axis, [100 * x for x in dict.fromkeys(row[found.x] for row in found.rows)], label)
        else:
            axis.set_xlabel(found.x)
            axis.set_ylabel(label)
            axis.grid(alpha=0.25)
    lines, names = axes[0][0].get_legend_handles_labels()
    if found.by and len(lines) > COLOURS:  # too many to stand among the lines themselves
        figure.legend(lines, names, loc="outside right center", frameon=False, fontsize=9)
    elif found.by:
        axes[0][0].legend(frameon=False, fontsize=9)
    figure.suptitle(plain(found.title), fontsize=11, wrap=True)
    write(figure, path)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape(value)
    if column.endswith("density"):
        return f"{value:.2%}"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.4g}"
