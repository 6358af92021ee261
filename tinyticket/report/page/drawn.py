"""The images of a page, its sliders and legends, made of the same data as the pictures in `report/pictures/`."""

from __future__ import annotations

from dataclasses import dataclass

from tinyticket.report import charts
from tinyticket.report import curves as learning
from tinyticket.report.masks import SIDE, Image, mask_images
from tinyticket.report.page.png import data_uri
from tinyticket.report.page.svg import svg
from tinyticket.report.series import controls, series
from tinyticket.report.styles import label_of, style_of
from tinyticket.results import Result
from tinyticket.results.naming import kind_of

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


def legend(result: Result, each: bool = False) -> list[tuple[str, str]]:
    """Return the styles and labels of the kinds of networks, or of each network."""
    names = dict.fromkeys(name if each else kind_of(name) for name in controls(result))
    return [(style_of(name), label_of(result, name)) for name in ("dense", "ticket", *names)]


def learning_frames(result: Result) -> list[Frame]:
    """Return the learning curves of every round."""
    numbers = range(max(len(trial.rounds) for trial in result.trials))
    found = {name: [learning.curves(result, number, name) for number in numbers] for name in learning.QUANTITIES}
    densities = {point.round: point.density for point in series(result, "ticket", lambda run: run.density)}
    y = {name: learning.limits(of_rounds) for name, of_rounds in found.items()}
    return [
        Frame(
            round_words(number, densities[number]),
            [svg(charts.curves(result, found[name][number], name, y[name])) for name in learning.QUANTITIES],
            [],
        )
        for number in numbers
    ]


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
