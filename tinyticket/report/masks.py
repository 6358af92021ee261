"""Masks as images: what of the input is still seen, which units see what, and where each layer's survivors are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyticket.nn import Connections
from tinyticket.results import Result, Round
from tinyticket.results.analyses.degrees import degrees_of
from tinyticket.results.analyses.fields import picture_shape

SIDE, UNITS, ACROSS = 128, 24, 8
"""Most cells of an image along a side; how many receptive fields there are, and how many in a row."""


@dataclass(frozen=True)
class Image:
    """An image of a mask, values in [0, 1], or from -1 to 1 where weights are shown."""

    name: str
    values: np.ndarray
    words: str  # what it shows, for who cannot see it
    of_layer: bool = True


def mask_images(result: Result, trial: int, rounds: list[Round], side: int = SIDE) -> dict[int, list[Image]]:
    """Return the images of one trial's rounds by number: input pixels and receptive fields where there are some, then layers.

    The units whose fields are shown are those that keep most weights in the last round: the same ones in every round.
    """
    first, shape = next(iter(rounds[0].masks)), picture_shape(result.data["input_shape"])
    chosen = np.argsort(-rounds[-1].masks[first].reshape(len(rounds[-1].masks[first]), -1).sum(axis=1), kind="stable")
    found = {}
    for round in rounds:
        mask, images, graphs = round.masks[first], [], result.connections(trial, round.number)
        if shape and first in graphs and graphs[first].shape[1] == math.prod(shape):
            images.append(_pixels(degrees_of(mask, graphs[first])[1], shape))
        if shape and mask.ndim == 2 and mask.shape[1] == math.prod(shape):
            images.append(_pixels(mask.sum(axis=0), shape))
        if shape and (mask.ndim == 4 or (images and first not in graphs)):
            images.append(_fields(round.trained[first] * mask, shape, np.sort(chosen[:UNITS])))
        found[round.number] = images + [
            _layer(name, *_cells(mask, side, graphs.get(name)), mask.mean()) for name, mask in round.masks.items()
        ]
    return found


def _pixels(degrees: np.ndarray, shape: tuple[int, ...]) -> Image:
    degrees = degrees.reshape(shape).sum(axis=0)
    unseen, most = int(np.count_nonzero(degrees == 0)), int(degrees.max())
    words = f"connections that each input pixel keeps, {most} at most; {unseen:,} of {degrees.size:,} pixels keep none"
    return Image("input pixels", degrees / max(most, 1), words, of_layer=False)


def _fields(weight: np.ndarray, shape: tuple[int, ...], chosen: np.ndarray) -> Image:
    """Return the weights that chosen units have for each pixel, or those of kernels, summed over channels, side by side."""
    size = weight.shape[2:] if weight.ndim == 4 else shape[1:]
    fields = weight[chosen].reshape(len(chosen), -1, *size).sum(axis=1)
    fields = fields / np.maximum(np.abs(fields).max(axis=(1, 2), keepdims=True), 1e-12)
    across = min(ACROSS, len(fields))
    down, (height, width) = -(-len(fields) // across), size
    values = np.zeros((down * (height + 1) - 1, across * (width + 1) - 1))
    for place, field in enumerate(fields):
        row, column = divmod(place, across)
        values[row * (height + 1) :, column * (width + 1) :][:height, :width] = field
    what = "kernels" if weight.ndim == 4 else "receptive fields"
    words = f"trained weights of {len(fields)} units of the first layer that keep most, one colour for each sign"
    return Image(f"{what} of the first layer", values, words, of_layer=False)


def _cells(mask: np.ndarray, side: int, graph: Connections | None) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return how many survivors are in each cell of a layer, outputs down and inputs across, and the layer's shape."""
    shape = (len(mask), mask.size // len(mask)) if graph is None else graph.shape
    steps = [-(-size // side) for size in shape]
    rows, columns = (-(-size // step) for size, step in zip(shape, steps, strict=True))
    if graph is not None:
        cells = graph.rows()[mask].astype(np.int64) // steps[0] * columns + graph.columns[mask] // steps[1]
        return np.bincount(cells, minlength=rows * columns).reshape(rows, columns), shape
    padded = np.zeros((rows * steps[0], columns * steps[1]))
    padded[: shape[0], : shape[1]] = mask.reshape(shape)
    return padded.reshape(rows, steps[0], columns, steps[1]).sum(axis=(1, 3)), shape


def _layer(name: str, counts: np.ndarray, shape: tuple[int, ...], density: float) -> Image:
    steps = [-(-size // cells) for size, cells in zip(shape, counts.shape, strict=True)]
    inside = np.outer(*(_inside(size, step) for size, step in zip(shape, steps, strict=True)))
    cell = f", a cell for {steps[0]} by {steps[1]} weights" if math.prod(steps) > 1 else ""
    words = f"{shape[0]:,} outputs down, {shape[1]:,} inputs across{cell}; {density:.1%} of its weights left"
    return Image(name.removesuffix(".weight"), np.sqrt(counts / inside), words)


def _inside(size: int, step: int) -> np.ndarray:
    """Return how many of `size` places lie in each group of `step`."""
    return np.diff(np.minimum(np.arange(0, size + step, step), size))
