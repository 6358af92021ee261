"""The masks of one network as images: input pixels, receptive fields, layers."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, to_hex

from tinyticket.report.masks import Image, mask_images
from tinyticket.report.pictures.figure import QUIET, Picture, finish, plain
from tinyticket.report.series import telling_round
from tinyticket.report.styles import INK, NEGATIVE, POSITIVE, title_of
from tinyticket.results import Result

ACROSS, WIDTH, TALLEST, NARROWEST, CELL, WORDS = 4, 10.0, 3.3, 1.5, 0.12, 0.75
"""Layers in a row; and in inches the width of the picture, limits of images and of their cells, the height of a row's words."""

_INK, _POSITIVE, _NEGATIVE = (
    to_hex((colour[0] / 255, colour[1] / 255, colour[2] / 255)) for colour in (INK, POSITIVE, NEGATIVE)
)
SHARE = LinearSegmentedColormap.from_list("share", ["#ffffff", _INK])
SIGNED = LinearSegmentedColormap.from_list("signed", [_NEGATIVE, "#ffffff", _POSITIVE])


def masks(result: Result, round: int | None = None, trial: int | None = None) -> Picture:
    """Return the images of a network's masks, of the first trial unless another is said."""
    number = telling_round(result) if round is None else round
    which = result.trials[0].number if trial is None else trial
    chosen = result.round(which, number)
    (images,) = mask_images(result, which, [chosen]).values()
    layers = [image for image in images if image.of_layer]
    rows = [[image for image in images if not image.of_layer]]
    rows += [layers[start : start + ACROSS] for start in range(0, len(layers), ACROSS)]
    rows = [row for row in rows if row]
    cells = [_cell(row) for row in rows]
    heights = [cell * max(len(image.values) for image in row) + WORDS for row, cell in zip(rows, cells, strict=True)]
    figure = Picture(figsize=(WIDTH, sum(heights) + 0.6), layout="constrained")
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)
    for part, row, cell in zip(parts[:, 0], rows, cells, strict=True):
        wide = [max(cell * image.values.shape[1], NARROWEST) for image in row]
        ratios = [*wide, max(WIDTH - sum(wide), 0.01)]  # nothing is drawn in the last
        *axes, rest = part.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
        rest.set_axis_off()
        for axis, image, inches in zip(axes, row, wide, strict=True):
            _show(axis, image, inches)
    title = f"{title_of(result)}, trial {which}, round {number}: {chosen.density:.1%} of the weights left"
    finish(figure, title, "A cell is the darker the more of its weights are left.")
    return figure


def _show(axis: Any, image: Image, inches: float) -> None:
    colours, least = (SIGNED, -1) if (image.values < 0).any() else (SHARE, 0)
    axis.imshow(image.values, cmap=colours, vmin=least, vmax=1, interpolation="nearest", aspect="equal")
    axis.set(xticks=[], yticks=[], anchor="NW")
    axis.set_title(plain(image.name), fontsize=9, loc="left")
    words = textwrap.wrap(plain(image.words), max(24, round(14 * inches)))
    axis.set_xlabel("\n".join(words), fontsize=7, color=QUIET, loc="left")


def _cell(row: list[Image]) -> float:
    """Return the size of a cell, the same for all images of a row."""
    across, down = sum(image.values.shape[1] for image in row), max(len(image.values) for image in row)
    return min(WIDTH / across, TALLEST / down, CELL)
