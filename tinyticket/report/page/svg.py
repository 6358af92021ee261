"""Charts as SVG: a page's charts, whose colours come from its style sheet, dark or light."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from tinyticket.report.charts import Chart, Series
from tinyticket.report.ticks import apart, labels, ticks

LEFT, RIGHT, TOP, BOTTOM = 54, 20, 12, 46
DODGE = 5.0
"""How far the points of two series lie apart."""

POINTS = 100
"""How many points a line without markers has at most."""

Scale = Callable[[float], float]


def svg(chart: Chart | None, width: int = 400, height: int = 270) -> str:
    """Return a chart as SVG text; nothing for none."""
    if chart is None:
        return ""
    right, bottom = width - RIGHT, height - BOTTOM
    across, up = _scales(chart, right, bottom)
    inside = f"{LEFT} {TOP} {right - LEFT} {bottom - TOP}"
    x, y, wide, high = inside.split()
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(chart.words)}">',
        *_grid(chart, right, bottom, across, up),  # below, an inner picture cuts off what is outside of the axes
        f'<svg x="{x}" y="{y}" width="{wide}" height="{high}" viewBox="{inside}">',
    ]
    for value, kind, _ in chart.references:
        parts.append(f'<path class="reference {kind}" d="M{LEFT} {up(value):.1f}H{right}"/>')
    for place, each in enumerate(chart.series):
        shift = DODGE * (place - (len(chart.series) - 1) / 2) if each.intervals else 0.0
        parts += _line(each, across, up, shift)
    return "".join([*parts, "</svg></svg>"])


def _scales(chart: Chart, right: int, bottom: int) -> tuple[Scale, Scale]:
    logarithmic = chart.densities is not None
    first, last = map(math.log, chart.x) if logarithmic else chart.x
    margin = 16 if logarithmic else 5
    wide, high = right - LEFT - 2 * margin, bottom - TOP

    def across(x: float) -> float:
        share = ((math.log(x) if logarithmic else x) - first) / (last - first) if last != first else 0.5
        return LEFT + margin + wide * share

    def up(y: float) -> float:
        return TOP + high * (1 - (y - chart.y[0]) / ((chart.y[1] - chart.y[0]) or 1))

    return across, up


def _grid(chart: Chart, right: int, bottom: int, across: Scale, up: Scale) -> Iterator[str]:
    values = ticks(*chart.y, 7)
    for value, label in zip(values, labels(values), strict=True):
        yield f'<path class="grid" d="M{LEFT} {up(value):.1f}H{right}"/>'
        yield f'<text class="y" x="{LEFT - 6}" y="{up(value) + 4:.1f}">{label}</text>'
    places = ticks(*chart.x, 5) if chart.densities is None else list(chart.densities)
    names = labels(places) if chart.densities is None else [f"{value:.3g}" for value in places]
    centres = [across(value) for value in places]
    for centre in centres:
        yield f'<path class="axis" d="M{centre:.1f} {bottom}v4"/>'
    for i in apart(centres, names):
        yield f'<text class="x" x="{centres[i]:.1f}" y="{bottom + 17}">{names[i]}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    yield f'<text class="x label" x="{(LEFT + right) / 2}" y="{bottom + BOTTOM - 8}">{escape(chart.x_label)}</text>'
    middle = (TOP + bottom) / 2
    yield f'<text class="x label" transform="translate(13 {middle}) rotate(-90)">{escape(chart.y_label)}</text>'


def _line(series: Series, across: Scale, up: Scale, shift: float) -> Iterator[str]:
    every = 1 if series.filled else -(-len(series.points) // POINTS) or 1
    yield f'<g class="{series.style}">'
    places = [(across(x) + shift, up(y)) for x, y in series.points[::every]]
    if series.band:
        band = series.band[::every]
        shown = [i for i, (low, high) in enumerate(band) if math.isfinite(low + high)]
        outline = [(places[i][0], up(band[i][0])) for i in shown]
        yield _path("band", outline + [(places[i][0], up(band[i][1])) for i in shown[::-1]])
    yield _path("line", places)
    for (x, _), bounds in zip(places, series.intervals, strict=False):
        if bounds:
            low, high = (min(max(up(value), -999.0), 999.0) for value in bounds)
            yield f'<path class="bar" d="M{x:.1f} {low:.1f}V{high:.1f}m-3 0h6M{x - 3:.1f} {low:.1f}h6"/>'
    for (x, y), filled in zip(places, series.filled, strict=False):
        if math.isfinite(y):
            yield f'<circle class="{"point" if filled else "point hollow"}" cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>'
    if series.stop and math.isfinite(series.stop[1]):
        yield f'<circle class="point" cx="{across(series.stop[0]):.1f}" cy="{up(series.stop[1]):.1f}" r="4"/>'
    yield "</g>"


def _path(kind: str, places: Sequence[tuple[float, float]]) -> str:
    """Return a line through places, those left out that have no height, as of a network that diverged."""
    shown = [f"{x:.1f} {y:.1f}" for x, y in places if math.isfinite(y)]
    return f'<path class="{kind}" d="M{"L".join(shown)}"/>' if shown else ""
