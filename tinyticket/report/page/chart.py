"""Lines over an axis as SVG: a page's charts, whose colours come from its style sheet, dark or light."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tinyticket.report.ticks import apart, labels, ticks

LEFT, RIGHT, TOP, BOTTOM = 54, 20, 12, 46
DODGE = 5.0
"""How far the points of two series lie apart."""


@dataclass(frozen=True)
class Series:
    """One line: its points (x, y) and, where they have them, intervals."""

    label: str
    style: str  # the class of its colour in the style sheet
    points: Sequence[tuple[float, float]]
    intervals: Sequence[tuple[float, float] | None] = ()
    filled: Sequence[bool] = ()  # whether a marker is; without any there are no markers
    band: Sequence[tuple[float, float]] = ()  # a lower and an upper value for each point, shaded
    stop: tuple[float, float] | None = None  # one point that is marked


@dataclass(frozen=True)
class Axes:
    """What both axes show."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    densities: Sequence[float] = ()  # in percent: the x axis is logarithmic, from dense to sparse, with a tick for each
    references: Sequence[tuple[float, str]] = ()  # horizontal lines: value, CSS class
    width: int = 400
    height: int = 270


def chart(series: Sequence[Series], axes: Axes, words: str) -> str:
    """Return a chart as SVG text; `words` say what it shows."""
    across, up = _scales(axes)
    right, bottom = axes.width - RIGHT, axes.height - BOTTOM
    inside = f"{LEFT} {TOP} {right - LEFT} {bottom - TOP}"
    x, y, width, height = inside.split()
    parts = [
        f'<svg viewBox="0 0 {axes.width} {axes.height}" role="img" aria-label="{escape(words)}">',
        *_grid(axes, across, up),  # below, an inner picture cuts off what is outside of the axes
        f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{inside}">',
    ]
    for value, kind in axes.references:
        parts.append(f'<path class="reference {kind}" d="M{LEFT} {up(value):.1f}H{right}"/>')
    for place, each in enumerate(series):
        shift = DODGE * (place - (len(series) - 1) / 2) if each.intervals else 0.0
        parts += _line(each, across, up, shift)
    return "".join([*parts, "</svg></svg>"])


def _scales(axes: Axes) -> tuple[Callable[[float], float], Callable[[float], float]]:
    first, last = (map(math.log, axes.x)) if axes.densities else axes.x
    margin = 16 if axes.densities else 5
    wide, high = axes.width - LEFT - RIGHT - 2 * margin, axes.height - TOP - BOTTOM

    def across(x: float) -> float:
        share = ((math.log(x) if axes.densities else x) - first) / (last - first) if last != first else 0.5
        return LEFT + margin + wide * share

    def up(y: float) -> float:
        return TOP + high * (1 - (y - axes.y[0]) / ((axes.y[1] - axes.y[0]) or 1))

    return across, up


def _grid(axes: Axes, across: Callable[[float], float], up: Callable[[float], float]) -> Iterator[str]:
    right, bottom = axes.width - RIGHT, axes.height - BOTTOM
    values = ticks(*axes.y, 7)
    for value, label in zip(values, labels(values), strict=True):
        yield f'<path class="grid" d="M{LEFT} {up(value):.1f}H{right}"/>'
        yield f'<text class="y" x="{LEFT - 6}" y="{up(value) + 4:.1f}">{label}</text>'
    places = list(axes.densities) or ticks(*axes.x, 5)
    names = [f"{value:.3g}" for value in places] if axes.densities else labels(places)
    centres = [across(value) for value in places]
    for centre in centres:
        yield f'<path class="axis" d="M{centre:.1f} {bottom}v4"/>'
    for i in apart(centres, names):
        yield f'<text class="x" x="{centres[i]:.1f}" y="{bottom + 17}">{names[i]}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    yield f'<text class="x label" x="{(LEFT + right) / 2}" y="{axes.height - 8}">{escape(axes.x_label)}</text>'
    middle = (TOP + bottom) / 2
    yield f'<text class="x label" transform="translate(13 {middle}) rotate(-90)">{escape(axes.y_label)}</text>'


def _line(
    series: Series, across: Callable[[float], float], up: Callable[[float], float], shift: float
) -> Iterator[str]:
    yield f'<g class="{series.style}">'
    places = [(across(x) + shift, up(y)) for x, y in series.points]
    if series.band:
        shown = [i for i, (low, high) in enumerate(series.band) if math.isfinite(low + high)]
        outline = [(places[i][0], up(series.band[i][0])) for i in shown]
        yield _path("band", outline + [(places[i][0], up(series.band[i][1])) for i in shown[::-1]])
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
