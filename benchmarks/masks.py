"""Which weights survive: the same share of every prunable layer, or the masks of a result file's rounds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import tinyticket as tt
from tinyticket.errors import InputError
from tinyticket.nn import Module

Masks = dict[str, np.ndarray]


def uniform_mask(shape: tuple[int, ...], density: float, rng: Any) -> np.ndarray:
    """Draw a mask with exactly round(density * size) survivors, anywhere."""
    size = int(np.prod(shape))
    mask = np.zeros(size, np.bool_)
    mask[np.random.default_rng(rng).permutation(size)[: round(density * size)]] = True
    return mask.reshape(shape)


def masks_for(model: Module, densities: Sequence[float] | None, source: str) -> list[tuple[float, Masks]]:
    """Return (density, masks) for each density that is asked for.

    Parameters
    ----------
    model
        Whose prunable weights are masked.
    densities
        From a file, each is answered with the round that comes nearest, and None with all rounds; the density
        returned is then the round's own.
    source
        "uniform", or the path of a result file, whose first trial is taken.
    """
    shapes = {name: parameter.shape for name, parameter in model.prunable().items()}
    if source == "uniform":
        return [
            (density, {name: uniform_mask(shape, density, [i]) for i, (name, shape) in enumerate(shapes.items())})
            for density in densities or ()
        ]
    rounds = tt.load(source).trials[0].rounds
    found = {name: mask.shape for name, mask in rounds[0].masks.items()}
    if found != shapes:
        raise InputError(f"--masks {source} holds masks of shapes {found}, but the model has {shapes}")
    if densities is not None:
        rounds = [min(rounds, key=lambda r: abs(np.log(r.density / density))) for density in densities]
    return [(r.density, r.masks) for r in dict.fromkeys(rounds)]
