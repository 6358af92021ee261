"""Receptive fields: whether the pixels that a unit of the first layer still sees lie together."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tinyticket.errors import InputError
from tinyticket.prune.locality import adjacency, locality
from tinyticket.results.analyses.analysis import Analysis, Found, means
from tinyticket.results.analyses.signs import with_other_masks
from tinyticket.results.result import Result


def fields(result: Result) -> Analysis:
    """Return how local the first layer's receptive fields are, of tickets and of controls with other masks, in means over trials.

    `prune.locality` and `prune.adjacency` are 1 where a unit's pixels lie no closer together than those of different units, as
    under the control `random`, which would refute them. Redman et al. (2024, arXiv 2412.06545) find that fields get local round
    by round, and that one-shot pruning to the same density does not make them so: compare a result with one of `--one-shot`.
    "inputs" is how many pixels a unit sees on average.
    """
    rows = [{"round": number, "network": network, **found} for number, network, found in means(_fields(result))]
    title = "How close two pixels of one unit lie, relative to those of two units"
    return Analysis(title, rows, "density", ("locality", "adjacency"), "network")


def _fields(result: Result) -> Iterator[tuple[int, str, Found]]:
    first, shape = first_layer(result)
    for trial in result.trials:
        for round in trial.rounds:
            for network, run in {"ticket": round, **with_other_masks(round)}.items():
                mask = run.masks[first]
                found: Found = {"density": run.density, "inputs": float(mask.sum(axis=1).mean())}
                found |= {"locality": locality(mask, shape), "adjacency": adjacency(mask, shape)}
                yield round.number, network, found


def first_layer(result: Result) -> tuple[str, tuple[int, ...]]:
    """Return the name of the first layer's weight and the shape of the images that it sees; InputError if it sees none."""
    image = picture_shape(result.data["input_shape"])
    name, mask = next(iter(result.trials[0].rounds[0].masks.items()))
    if not image or mask.ndim != 2 or mask.shape[1] != math.prod(image):
        raise InputError(
            f"{result.archive.name} has no receptive fields: its first layer, {name} of shape {mask.shape}, is not fully "
            f"connected to the pixels of its examples, whose shape is {tuple(result.data['input_shape'])}"
        )
    return name, image


def picture_shape(shape: list[int]) -> tuple[int, ...]:
    """Return (channels, height, width) of inputs that are images, or nothing."""
    image = tuple(shape) if len(shape) == 3 else (1, *shape)
    return image if len(image) == 3 and min(image[1:]) > 1 else ()
