"""Whether the units of a layer see pixels that lie together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.errors import InputError


def locality(mask: Any, input_shape: tuple[int, ...]) -> float | None:
    """Return how far apart the pixels of one unit are, relative to those of different units: 1 by chance, less for local fields.

    The mean distance between two inputs of one unit over that between an input of a unit and another input of another unit.
    Pixels that no unit looks at, such as an empty border, bring both down alike; what is left is that the pixels of a unit lie
    together, as Pellegrini and Biroli (2022, arXiv 2104.13343) and Redman, Wang, Ingrosso and Goldt (2024, arXiv 2412.06545) find
    where masks come of iterative magnitude pruning. They show it; the two measures here are tinyticket's own.

    Parameters
    ----------
    mask : array of bool, shape (units, inputs)
    input_shape
        (channels, height, width) or (height, width), whose product is the number of inputs, in C order; channels lie in one place.

    Returns
    -------
    float or None
        None where no unit has two inputs, or all inputs that different units have lie in one place.
    """
    return _within_over_between(mask, input_shape, lambda distance: distance)


def adjacency(mask: Any, input_shape: tuple[int, ...]) -> float | None:
    """Return how much more often two pixels of one unit are next neighbours than two of different units: 1 by chance.

    Parameters and None are those of `locality`.
    """
    return _within_over_between(mask, input_shape, lambda distance: distance == 1)


def _within_over_between(
    mask: Any, input_shape: tuple[int, ...], what: Callable[[np.ndarray], np.ndarray]
) -> float | None:
    """Return the mean of a function of distance over pairs of inputs of one unit, over that of two units' pairs."""
    mask = np.asarray(mask)
    if (
        mask.dtype != bool
        or mask.ndim != 2
        or len(input_shape) not in (2, 3)
        or mask.shape[1] != math.prod(input_shape)
    ):
        raise InputError(
            f"locality is of a boolean mask (units, inputs) of images; got {mask.dtype} {mask.shape} and images of shape "
            f"{tuple(input_shape)}"
        )
    degrees, uses = mask.sum(axis=1, dtype=np.int64), mask.sum(axis=0, dtype=np.int64)
    image = mask.reshape(len(mask), -1, *input_shape[-2:]).sum(axis=1)
    down, across = (np.fft.fftfreq(2 * size - 1, 1 / (2 * size - 1)) for size in input_shape[-2:])
    of_pair = what(np.hypot(down[:, None], across))
    within = float(np.sum(_pairs(image) * of_pair))
    between = float(np.sum(_pairs(image.sum(axis=0, keepdims=True)) * of_pair)) - within
    pairs = int(np.sum(degrees * (degrees - 1)))
    others = int(degrees.sum()) ** 2 - int(np.sum(uses * uses)) - pairs
    return (within / pairs) / (between / others) if pairs and between else None


def _pairs(images: np.ndarray) -> np.ndarray:
    """Return how many ordered pairs of points of one image (N, height, width) lie each displacement apart.

    That is the sum of the images' correlations with themselves, which a Fourier transform finds at once; displacements are in its
    order: 0, 1, ..., then negative ones.
    """
    size = [2 * length - 1 for length in images.shape[1:]]
    power = np.sum(np.abs(np.fft.rfft2(images, size)) ** 2, axis=0)
    return np.rint(np.fft.irfft2(power, size))
