"""Charts as data: lines over densities or iterations, which `pictures` draw with Matplotlib and `page` as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyticket.report import curves as learning
from tinyticket.report.against_dense import Line, accuracy_limits, accuracy_lines, early_stop_lines, limits
from tinyticket.report.layers import layer_lines
from tinyticket.report.series import controls, mean_seconds
from tinyticket.report.styles import label_of, style_of, title_of
from tinyticket.results import Result

ACCURACY = "test {} at early stop (%)"
"""What an axis of accuracies shows, in which the metric has a place."""


@dataclass(frozen=True)
class Series:
    """One line: its points (x, y) and, where they have them, intervals."""

    label: str
    style: str  # of `styles.style_of`, or "l0" to "l7" for what is no network
    points: Sequence[tuple[float, float]]
    intervals: Sequence[tuple[float, float] | None] = ()
    filled: Sequence[bool] = ()  # whether a marker is; without any there are no markers
    band: Sequence[tuple[float, float]] = ()  # a lower and an upper value for each point, shaded
    stop: tuple[float, float] | None = None  # one point that is marked


@dataclass(frozen=True)
class Chart:
    """Lines, and what both axes show."""

    series: Sequence[Series]
    words: str  # what it shows, for who cannot see it
    x: tuple[float, float]
    y: tuple[float, float]
    y_label: str
    x_label: str = "weights left (%)"
    densities: Sequence[float] | None = None  # in percent: x is logarithmic, from dense to sparse, with a tick for each
    references: Sequence[tuple[float, str, str]] = ()  # horizontal lines: value, "dense" or "margin", and words


def accuracy(result: Result) -> Chart:
    """Return test accuracy over densities, with the verdict's intervals."""
    (dense, lines), (low, high), margin = accuracy_lines(result), accuracy_limits(result), result.verdict["margin"]
    below = f"{100 * margin:.2f} {result.metric.unit} below it"
    references = [(100 * dense, "dense", "dense network"), (100 * (dense - margin), "margin", below)]
    words = f"Test {result.metric.title} over the share of weights left, {title_of(result)}"
    label = ACCURACY.format(result.metric.title)
    return _over_density(_against_dense(result, lines, 100), words, (100 * low, 100 * high), label, references)


def early_stop(result: Result) -> Chart | None:
    """Return early stop relative to the dense network's, or None where that says nothing."""
    lines = early_stop_lines(result)
    if not any(line.marks for line in lines):
        return None
    words = f"Early stop over the share of weights left, {title_of(result)}"
    label, references = "early stop relative to dense (x)", [(1.0, "dense", "dense network")]
    return _over_density(_against_dense(result, lines, 1), words, limits(lines, 1.0), label, references)


def layers(result: Result) -> Chart:
    """Return the density of every layer over that of the network; layers of equal densities share a line."""
    found = layer_lines(result)
    series = [
        Series(name, f"l{place * 8 // len(found)}", points, filled=[True] * len(points))
        for place, (name, points) in enumerate(found.items())
    ]
    top = 1.04 * max(y for line in series for _, y in line.points)
    words = f"Density of every layer, {title_of(result)}"
    return _over_density(series, words, (0.0, top), "the layer's weights left (%)")


def cost(rows: list[dict[str, Any]]) -> Chart:
    """Return multiply-adds and bytes of weights in percent of the dense network's, given rows of `analyses.cost`."""
    densities = [100 * row["density"] for row in rows]
    operations = [100 * row["share_of_dense"] for row in rows]
    size = [100 * row["sparse_bytes"] / row["dense_bytes"] for row in rows]
    series = [
        Series(name, style, list(zip(densities, values, strict=True)), filled=[True] * len(values))
        for name, style, values in (
            ("multiply-adds, sparse", "l2", operations),
            ("bytes of weights (value and position), sparse", "l6", size),
        )
    ]
    top, references = 1.04 * max(100.0, *operations, *size), [(100.0, "dense", "dense network")]
    words = "Multiply-adds and bytes of a sparse network, in percent of the dense one's"
    return _over_density(series, words, (0.0, top), "of the dense network's (%)", references)


def time(result: Result) -> Chart | None:
    """Return the seconds of a training over densities, or None where no network was pruned; the dense one's are a line."""
    (_, dense), *tickets = mean_seconds(result, "ticket")
    found = {"ticket": tickets, **{name: mean_seconds(result, name) for name in controls(result)}}
    series = [
        Series(label_of(result, name), style_of(name), points, [None] * len(points), [True] * len(points))
        for name, points in found.items()
        if points
    ]
    if not series:
        return None
    top = 1.08 * max([dense, *(y for line in series for _, y in line.points)])
    words = f"Seconds of a training over the share of weights left; the dense network took {dense:.2f}"
    return _over_density(series, words, (0.0, top), "seconds of a training", [(dense, "dense", "dense network")])


def curves(result: Result, found: list[learning.Curve], quantity: str, y: tuple[float, float]) -> Chart:
    """Return learning curves, of a quantity and between limits, with their early stops."""
    label, series = learning.QUANTITIES[quantity].format(result.metric.title), []
    for curve in found:
        points = list(zip(curve.iterations, curve.mean, strict=True))
        band = list(zip(curve.low, curve.high, strict=True)) if len(result.trials) > 1 else ()
        stop = curve.stop, float(curve.mean[abs(curve.iterations - curve.stop).argmin()])
        series.append(Series(label_of(result, curve.network), style_of(curve.network), points, band=band, stop=stop))
    stops = ", ".join(f"{each.label} {each.stop[1]:.4g}" for each in series if each.stop)
    last = float(max(curve.iterations[-1] for curve in found))
    return Chart(series, f"{label} over iterations; at the early stops: {stops}", (0.0, last), y, label, "iteration")


def _over_density(
    series: Sequence[Series],
    words: str,
    y: tuple[float, float],
    label: str,
    references: Sequence[tuple[float, str, str]] = (),
) -> Chart:
    densities = sorted({x for line in series[:1] for x, _ in line.points}, reverse=True)
    ends = (densities[0], densities[-1]) if densities else (100.0, 1.0)
    return Chart(series, words, ends, y, label, densities=densities, references=references)


def _against_dense(result: Result, lines: Sequence[Line], scale: float) -> list[Series]:
    return [
        Series(
            label_of(result, line.network),
            style_of(line.network),
            [(100 * mark.density, scale * mark.mean) for mark in line.marks],
            [None if mark.low is None or mark.high is None else (scale * mark.low, scale * mark.high) for mark in line.marks],
            [mark.winning or line.network != "ticket" for mark in line.marks],
        )
        for line in lines
    ]  # fmt: skip
