"""What all pictures share: a figure that no window belongs to, the axis of densities, and how a file is written."""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
from matplotlib.transforms import ScaledTranslation

from tinyticket.errors import InputError, printable
from tinyticket.report.charts import Chart
from tinyticket.report.styles import COLOURS, LAYERS, MARKERS, style_of
from tinyticket.report.ticks import apart
from tinyticket.store import replace

ENDINGS = (".png", ".svg", ".pdf")
DODGE = 4.0
"""Points of a 72nd of an inch between the marks of two networks at one density."""

QUIET = "0.4"
PANEL, ALONE = (5.2, 3.9), (6.6, 4.4)
"""The size of a panel in inches, of several and of a single one."""


class Picture(Figure):
    """A figure that notebooks show without being asked."""

    def _repr_png_(self) -> bytes:
        return image_of(self, "png")


def picture(
    across: int = 1, down: int = 1, size: tuple[float, float] | None = None, **options: Any
) -> tuple[Picture, Any]:
    """Return a figure of so many panels of a size, and its axes (down, across)."""
    size = size or (ALONE if across == down == 1 else PANEL)
    figure = Picture(figsize=(across * size[0], down * size[1]), layout="constrained")
    return figure, figure.subplots(down, across, squeeze=False, **options)


def checked(path: str | os.PathLike) -> Path:
    """Return the path of a picture, if its ending says what it shall be."""
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"the picture {path} has no ending that says what it is: {', '.join(ENDINGS)}")
    return path


def plain(text: str) -> str:
    """Return text that a picture shows as it is: a name may hold what is no character, or what would be a formula."""
    return printable(text).replace("$", r"\$")


def write(figure: Figure, path: Path) -> None:
    """Write a figure to its file, in one step."""
    replace(path, image_of(figure, path.suffix[1:].lower()))


def image_of(figure: Figure, form: str) -> bytes:
    """Return a figure as an image of a form, such as "png"."""
    image = io.BytesIO()
    figure.savefig(image, dpi=110, format=form, bbox_inches="tight")
    return image.getvalue()


def finish(figure: Figure, title: str, note: str = "", legend: Any = None) -> None:
    """Give a figure its title, below it the legend of an axis, which never lies over data, and a note."""
    figure.suptitle(plain(title), fontsize=11, wrap=True)
    if legend is not None:
        wide = figure.get_figwidth()
        lines, names = legend.get_legend_handles_labels()
        words = textwrap.fill(
            plain(note), round(14 * wide)
        )  # above the legend: a figure has one place below its panels
        options = {"frameon": False, "fontsize": 9, "title": words, "title_fontsize": 8}
        drawn = figure.legend(lines, names, loc="outside lower center", ncols=3 if wide < 8 else 5, **options)
        drawn.get_title().set_color(QUIET)
    elif note:
        figure.supxlabel(plain(note), fontsize=8, color=QUIET)


def style(network: str) -> dict[str, Any]:
    """Return the colour and the marker of a network, the same in every picture."""
    return _style(style_of(network))


def _style(name: str) -> dict[str, Any]:
    """Return how Matplotlib draws a style of `charts.Series`."""
    kind, place = name[0], int(name[1])
    if kind == "l":
        return {"color": LAYERS[place], "marker": "o", "markersize": 3.5}
    line = "--" if place == 0 else ":" if name.endswith("second") else "-"
    return {
        "color": COLOURS[place], "marker": MARKERS[place], "markersize": 4.5, "linewidth": 1.4, "linestyle": line,
    }  # fmt: skip


def draw(axis: Any, chart: Chart) -> None:
    """Draw a chart on an axis; points of several networks with intervals lie beside each other, and hollow ones are lost."""
    for value, kind, words in chart.references:
        line = {"dense": "--", "margin": ":"}[kind]
        axis.axhline(value, color=COLOURS[0], linestyle=line, linewidth=1.2, label=plain(words))
    for place, series in enumerate(chart.series):
        drawn = {**_style(series.style), "label": plain(series.label)} | ({} if series.filled else {"marker": ""})
        xs, ys = [x for x, _ in series.points], [y for _, y in series.points]
        if series.intervals:
            drawn["transform"] = dodged(axis, place, len(chart.series))
            bounds = [each or (y, y) for y, each in zip(ys, series.intervals, strict=True)]
            bars = [[y - low for y, (low, _) in zip(ys, bounds, strict=True)],
                    [high - y for y, (_, high) in zip(ys, bounds, strict=True)]]  # fmt: skip
            axis.errorbar(xs, ys, bars if any(series.intervals) else None, capsize=2.5, elinewidth=0.9, **drawn)
        else:
            axis.plot(xs, ys, **drawn)
        if lost := [point for point, filled in zip(series.points, series.filled, strict=False) if not filled]:
            hollow = {**drawn, "label": "_hollow", "linestyle": "none", "markerfacecolor": "white", "zorder": 3}
            axis.plot([x for x, _ in lost], [y for _, y in lost], **hollow)
        if series.band:
            axis.fill_between(xs, *zip(*series.band, strict=True), color=drawn["color"], alpha=0.13, linewidth=0)
        if series.stop:
            axis.plot(*([each] for each in series.stop), "o", color=drawn["color"], markersize=5.5, label="_stop")
    axis.set_ylim(*chart.y)
    if chart.densities is None:
        axis.set(xlabel=chart.x_label, ylabel=chart.y_label)
        axis.grid(alpha=0.25)
    else:
        against_density(axis, chart.densities, chart.y_label)


def dodged(axis: Any, place: int, of: int) -> Any:
    """Return the transform that moves the marks of one of several networks aside, so that none lies on another's."""
    points = DODGE * (place - (of - 1) / 2)
    return axis.transData + ScaledTranslation(points / 72, 0, axis.get_figure().dpi_scale_trans)


def against_density(axis: Any, densities: Sequence[float], label: str) -> None:
    """Give an axis the papers' form: percent of weights left, logarithmic, from dense to sparse, with a tick for every density."""
    shown = sorted(dict.fromkeys(densities), reverse=True)
    names = [f"{value:.3g}" for value in shown]
    axis.set_xscale("log")
    if shown:
        room = (shown[0] / shown[-1]) ** 0.04 if len(shown) > 1 else 1.1
        axis.set_xlim(shown[0] * room, shown[-1] / room)
    left, right = axis.get_xlim()
    points = 72 * 0.8 * axis.get_figure().get_figwidth() / axis.get_subplotspec().get_gridspec().ncols

    def place(value: float) -> float:
        return points * math.log(left / value) / math.log(left / right)

    words = {shown[i]: names[i] for i in apart([place(value) for value in shown], names)}
    axis.xaxis.set_major_locator(FixedLocator(shown))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.get(value, "")))
    axis.xaxis.set_minor_locator(FixedLocator([]))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("weights left (%)")
    axis.set_ylabel(label)
    axis.grid(alpha=0.25)
