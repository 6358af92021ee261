"""The charts and images of a page, made of the same data as the pictures in `report/pictures/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinyticket.report import curves as learning
from tinyticket.report.against_dense import Line, accuracy_limits, accuracy_lines, early_stop_lines, limits
from tinyticket.report.layers import layer_lines
from tinyticket.report.masks import SIDE, Image, mask_images
from tinyticket.report.page.chart import Axes, Series, chart
from tinyticket.report.page.png import data_uri
from tinyticket.report.series import controls, mean_seconds, series
from tinyticket.report.styles import colour_of, is_second, label_of, title_of
from tinyticket.results import Result
from tinyticket.results.naming import kind_of

POINTS = 100
"""How many points a learning curve has at most."""

CELL, LARGEST, INPUTS = 3.4, 24.0, (620, 240)
"""The size of a cell of a layer, the largest of inputs, and the widest and highest that an image of inputs is, in pixels."""

MANY_LAYERS = 6
"""Of more layers than that images are smaller."""


@dataclass(frozen=True)
class Frame:
    """What a slider shows at one of its places."""

    words: str  # of the place
    charts: list[str]
    images: list[list[dict[str, str]]]  # in rows


def accuracy_chart(result: Result, y: tuple[float, float] | None = None, width: int = 400, height: int = 270) -> str:
    """Return test accuracy over densities, with the verdict's intervals; `y` are other limits than the result's own."""
    dense, lines = accuracy_lines(result)
    low, high = y or accuracy_limits(result)
    references = [(100 * dense, "dense"), (100 * (dense - result.verdict["margin"]), "margin")]
    metric = result.metric.title
    label = f"test {metric} (%)" if width == 400 else f"{metric} (%)"
    axes = _over_density(_densities(lines), (100 * low, 100 * high), label, references)
    words = f"Test {metric} over the share of weights left, {title_of(result)}"
    return chart(_series(result, lines, 100), replace(axes, width=width, height=height), words)


def early_stop_chart(result: Result) -> str:
    """Return early stop relative to the dense network's, or nothing where that says nothing."""
    lines = early_stop_lines(result)
    if not any(line.marks for line in lines):
        return ""
    label = "early stop relative to dense (x)"
    axes = _over_density(_densities(lines), limits(lines, 1.0), label, [(1.0, "dense")])
    return chart(_series(result, lines, 1), axes, f"Early stop over the share of weights left, {title_of(result)}")


def _over_density(
    densities: Sequence[float], y: tuple[float, float], label: str, references: Sequence[tuple[float, str]] = ()
) -> Axes:
    """Return axes of densities in percent, the first the largest."""
    return Axes((densities[0], densities[-1]), y, "weights left (%)", label, densities, references)


def _series(result: Result, lines: list[Line], scale: float) -> list[Series]:
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


def _densities(lines: list[Line]) -> list[float]:
    return sorted({100 * mark.density for mark in lines[0].marks}, reverse=True)


def legend(result: Result, each: bool = False) -> list[tuple[str, str]]:
    """Return the styles and labels of the kinds of networks, or of each network."""
    names = dict.fromkeys(name if each else kind_of(name) for name in controls(result))
    return [(style_of(name), label_of(result, name)) for name in ("dense", "ticket", *names)]


def style_of(network: str) -> str:
    """Return the classes in the style sheet of a network; a second control of a kind has the colour of the first."""
    return f"n{colour_of(network)}" + (" second" if is_second(network) else "")


def learning_frames(result: Result) -> list[Frame]:
    """Return the learning curves of every round."""
    numbers = range(max(len(trial.rounds) for trial in result.trials))
    found = {name: [learning.curves(result, number, name) for number in numbers] for name in learning.QUANTITIES}
    densities = {point.round: point.density for point in series(result, "ticket", lambda run: run.density)}
    y = {name: learning.limits(of_rounds) for name, of_rounds in found.items()}
    frames = []
    for number in numbers:
        charts = [
            _curves(result, found[name][number], label.format(result.metric.title), y[name])
            for name, label in learning.QUANTITIES.items()
        ]
        frames.append(Frame(round_words(number, densities[number]), charts, []))
    return frames


def _curves(result: Result, found: list[learning.Curve], label: str, y: tuple[float, float]) -> str:
    several, drawn = len(result.trials) > 1, []
    for curve in found:
        every = slice(None, None, -(-len(curve.iterations) // POINTS))
        at, mean = curve.iterations[every], curve.mean[every]
        band = list(zip(curve.low[every], curve.high[every], strict=True)) if several else ()
        height = curve.mean[abs(curve.iterations - curve.stop).argmin()]
        points, name = list(zip(at, mean, strict=True)), label_of(result, curve.network)
        drawn.append(Series(name, style_of(curve.network), points, band=band, stop=(curve.stop, height)))
    last = float(max(curve.iterations[-1] for curve in found))
    words = f"{label} over iterations; at the early stops: " + ", ".join(
        f"{each.label} {each.stop[1]:.4g}" for each in drawn if each.stop
    )
    return chart(drawn, Axes((0.0, last), y, "iteration", label), words)


def mask_frames(result: Result) -> list[Frame]:
    """Return the images of the first trial's masks, round by round."""
    trial, rounds = result.trials[0].number, result.trials[0].rounds
    side = SIDE if len(rounds[0].masks) <= MANY_LAYERS else SIDE // 2
    frames = []
    for number, images in mask_images(result, trial, rounds, side).items():
        shown = [[_shown(image) for image in images if image.of_layer == of_layer] for of_layer in (False, True)]
        frames.append(Frame(round_words(number, rounds[number].density), [], shown))
    return frames


def _shown(image: Image) -> dict[str, str]:
    height, width = image.values.shape
    cell = CELL if image.of_layer else min(INPUTS[0] / width, INPUTS[1] / height, LARGEST)
    words = {"name": image.name, "words": image.words, "uri": data_uri(image.values)}
    return {**words, "width": str(width), "height": str(height), "cell": f"{cell:.2f}"}


def round_words(number: int, density: float) -> str:
    """Return what a round is, such as "round 3: 51.2% of the weights left"."""
    return f"round {number}: {density:.1%} of the weights left" if number else "round 0: the dense network"


def layers_chart(result: Result) -> tuple[str, list[tuple[str, str]]]:
    """Return the density of every layer over that of the network, and its legend; layers of equal densities share a line."""
    found = layer_lines(result)
    drawn = [
        Series(name, f"l{place * 8 // len(found)}", points, filled=[True] * len(points))
        for place, (name, points) in enumerate(found.items())
    ]
    everything = [point for line in drawn for point in line.points]
    if not everything:
        return "", []
    densities = sorted({x for x, _ in everything}, reverse=True)
    top = max(y for _, y in everything)
    axes = _over_density(densities, (0.0, 1.04 * top), "the layer's weights left (%)")
    words = f"Density of every layer, {title_of(result)}"
    return chart(drawn, axes, words), [(line.style, line.label) for line in drawn]


def cost_chart(rows: list[dict[str, Any]]) -> str:
    """Return multiply-adds and bytes of weights in percent of the dense network's, over densities."""
    densities = [100 * row["density"] for row in rows]
    operations = [100 * row["share_of_dense"] for row in rows]
    size = [100 * row["sparse_bytes"] / row["dense_bytes"] for row in rows]
    drawn = [
        Series(name, f"l{2 + 4 * place}", list(zip(densities, values, strict=True)), filled=[True] * len(values))
        for place, (name, values) in enumerate([("multiply-adds", operations), ("bytes of weights", size)])
    ]
    top = 1.04 * max(100.0, *operations, *size)
    axes = _over_density(densities, (0.0, top), "of the dense network's (%)", [(100.0, "dense")])
    return chart(drawn, axes, "Multiply-adds and bytes of a sparse network, in percent of the dense one's")


COST_LEGEND = [("n0", "dense network"), ("l2", "multiply-adds, sparse"), ("l6", "bytes of weights, sparse")]


def time_chart(result: Result) -> str:
    """Return the seconds of a training over densities; the dense network's are a line."""
    drawn = [
        Series(label_of(result, name), style_of(name), points, [None] * len(points), [True] * len(points))
        for name in ("ticket", *controls(result))
        if (points := [point for point in mean_seconds(result, name) if name != "ticket" or point[0] < 100])
    ]
    if not drawn:
        return ""
    dense = mean_seconds(result, "ticket")[0][1]
    densities = [x for x, _ in drawn[0].points]
    top = max([dense, *(y for line in drawn for _, y in line.points)])
    axes = _over_density(densities, (0.0, 1.08 * top), "seconds of a training", [(dense, "dense")])
    words = f"Seconds of a training over the share of weights left; the dense network took {dense:.2f}"
    return chart(drawn, axes, words)
