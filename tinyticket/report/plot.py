"""The picture of a result, in the form of the paper's figures: everything against the share of weights that is left."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("agg")  # a file is wanted, never a window
from matplotlib import pyplot, ticker

from tinyticket.errors import InputError, printable
from tinyticket.report.series import controls, series
from tinyticket.results import Result, Round
from tinyticket.results.comparison import Comparison
from tinyticket.results.naming import metric_of
from tinyticket.results.sentence import WORDS
from tinyticket.store import replace

ENDINGS = (".png", ".svg", ".pdf")
COLOURS = {"ticket": "#1f5fa8", "reinit": "#d9752b", "random": "#4f8f4f"}
MARKERS = {"ticket": "o", "reinit": "s", "random": "^"}
PANELS = ("test {} at early stop (%)", "early-stopping iteration")
"""Labels of what is drawn; the first wants the metric."""
LINE, BARS = {"markersize": 4, "linewidth": 1.4}, {"capsize": 2.5, "elinewidth": 0.9}


def plot(result: Result, path: str | os.PathLike) -> None:
    """Write test accuracy and early-stopping iteration against density to a picture (PNG, SVG or PDF, by the file's ending).

    Points are means over trials, bars run from the smallest to the largest; the dashed line is the dense network.
    """
    path = checked(path)
    figure, axes = _two_panels()
    _panel(axes[0], result, lambda run: 100 * run.test_accuracy, PANELS[0].format(metric_of(result.config).title))
    _panel(axes[1], result, lambda run: run.early_stop_iteration, PANELS[1])
    axes[0].legend(frameon=False, fontsize=9)
    trials = f"{len(result.trials)} {'trials' if len(result.trials) > 1 else 'trial'}"
    figure.suptitle(plain(f"{result.config['model']} on {result.config['data']}, {trials}"), fontsize=11)
    write(figure, path)


def plot_comparison(comparison: Comparison, path: str | os.PathLike) -> None:
    """Write the test accuracies and early-stopping iterations of several results against density to a picture."""
    path = checked(path)
    figure, axes = _two_panels()
    for which, name in enumerate(comparison.names):
        sides = [side for row in comparison.rows if (side := row[which])]
        densities = [100 * side.density for side in sides]
        accuracies = [100 * side.accuracy for side in sides]
        bars = [[100 * (s.accuracy - s.lowest) for s in sides], [100 * (s.highest - s.accuracy) for s in sides]]
        kind = f" ({comparison.kinds[which]})" if comparison.kinds[which] else ""
        style = LINE | {"label": plain(Path(name).stem + kind), "marker": "osD^v"[which % 5]}
        axes[0].errorbar(densities, accuracies, bars, **BARS, **style)
        axes[1].plot(densities, [side.early_stop for side in sides], **style)
    shown = [100 * max(side.density for side in row if side) for row in comparison.rows]
    for axis, label in zip(axes, PANELS, strict=True):
        against_density(axis, shown, label.format(comparison.metric.title))
    axes[0].legend(frameon=False, fontsize=9)
    write(figure, path)


def checked(path: str | os.PathLike) -> Path:
    """Return the path of a picture, if its ending says what it shall be."""
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"the picture {path} has no ending that says what it is: {', '.join(ENDINGS)}")
    return path


def plain(text: str) -> str:
    """Return text that a picture shows as it is: a name may hold what is no character, or what would be a formula."""
    return printable(text).replace("$", r"\$")


def write(figure, path: Path) -> None:
    """Write a finished figure to its file, in one step, and close it."""
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, format=path.suffix[1:].lower())
    pyplot.close(figure)
    replace(path, picture.getbuffer())


def _two_panels():
    return pyplot.subplots(1, 2, figsize=(10.5, 4), layout="constrained")


def _panel(axis, result: Result, quantity: Callable[[Round], float], label: str) -> None:
    tickets = series(result, "ticket", quantity)
    if tickets:
        axis.axhline(tickets[0].mean, color="0.45", linestyle="--", linewidth=1, label="dense network")
    networks = result.networks
    labels = {**WORDS, "ticket": networks.label}
    for name in ("ticket", *controls(result)):
        kind = name.split("-")[0]
        points = series(result, name, quantity)
        if name == "ticket" and not networks.trained:
            points = points[1:]  # the dense network was
        means = [point.mean for point in points]
        bars = [[point.mean - point.low for point in points], [point.high - point.mean for point in points]]
        style = {"label": plain(labels.get(name, name)), "color": COLOURS.get(kind), "marker": MARKERS.get(kind, "d")}
        axis.errorbar([100 * point.density for point in points], means, bars, **LINE, **BARS, **style)
    against_density(axis, [100 * point.density for point in tickets], label)


def against_density(axis, densities: list[float], label: str) -> None:
    """Give an axis the papers' form: percent of weights left, logarithmic, from dense to sparse."""
    axis.set_xscale("log")
    axis.invert_xaxis()
    axis.set_xticks(densities[:: -(-len(densities) // 9)])
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.3g}"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.set_xlabel("weights left (%)")
    axis.set_ylabel(label)
    axis.grid(alpha=0.25)
