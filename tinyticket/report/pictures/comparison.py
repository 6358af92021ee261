"""Several results side by side against density."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from matplotlib import colormaps

from tinyticket.report.against_dense import Line, Mark, limits
from tinyticket.report.charts import ACCURACY
from tinyticket.report.pictures.figure import Picture, against_density, checked, dodged, finish, picture, plain, write
from tinyticket.report.styles import MARKERS
from tinyticket.results.comparison import Comparison, Side

NOTE = "Bars: 95% intervals of the difference from the first. Early stops are chosen on the validation set."


def plot_comparison(comparison: Comparison, path: str | os.PathLike) -> Picture:
    """Write the test accuracies and early-stopping iterations of several results against density to a picture, and return it."""
    target = checked(path)
    figure, axes = picture(2)
    accuracy, stop = axes[0]
    for which, name in enumerate(comparison.names):
        sides = [side for row in comparison.rows if (side := row[which])]
        densities = [100 * side.density for side in sides]
        kind = f" ({comparison.kinds[which]})" if comparison.kinds[which] else ""
        colour = colormaps["viridis"](0.9 * which / max(len(comparison.names) - 1, 1))
        marker = MARKERS[1 + which % (len(MARKERS) - 1)]
        drawn: dict[str, Any] = {"label": plain(Path(name).stem + kind), "color": colour, "marker": marker}
        drawn |= {"markersize": 4.5, "linewidth": 1.4}
        bars = [(100 * (s.accuracy - low), 100 * (high - s.accuracy)) for s in sides for low, high in [_interval(s)]]
        moved = [dodged(axis, which, len(comparison.names)) for axis in (accuracy, stop)]
        heights = [100 * side.accuracy for side in sides]
        shown = list(zip(*bars, strict=True)) if any(map(any, bars)) else None
        accuracy.errorbar(densities, heights, shown, capsize=2.5, elinewidth=0.9, transform=moved[0], **drawn)
        stop.plot(densities, [side.early_stop for side in sides], transform=moved[1], **drawn)
    ticks = [100 * max(side.density for side in row if side) for row in comparison.rows]
    sides = [side for row in comparison.rows for side in row if side]
    marks = [Mark(0, side.density, side.accuracy, *_interval(side)) for side in sides]
    accuracy.set_ylim(*(100 * limit for limit in limits([Line("", marks)])))
    stop.set_ylim(0, 1.05 * max(side.early_stop for side in sides) or 1)
    for axis, label in ((accuracy, ACCURACY.format(comparison.metric.title)), (stop, "early-stopping iteration")):
        against_density(axis, ticks, label)
    finish(figure, f"{len(comparison.names)} results side by side", NOTE, accuracy)
    write(figure, target)
    return figure


def _interval(side: Side) -> tuple[float, float]:
    """Return the interval of the difference from the first result, around this one's accuracy, if there is one."""
    held = side.difference
    if held is None or held.trials < 2:
        return side.accuracy, side.accuracy
    return side.accuracy + held.low - held.mean, side.accuracy + held.high - held.mean
