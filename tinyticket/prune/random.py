"""Random masks: with the counts of other masks, the control that keeps sparsity and loses structure, or of given densities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyticket.prune.densities import keep_density
from tinyticket.prune.selection import Masks


def random(masks: Mapping[str, np.ndarray], rng: Any) -> dict[str, np.ndarray]:
    """Return masks that keep as many weights of each layer as `masks` do, chosen uniformly.

    Parameters
    ----------
    masks
        The masks to imitate, True for survivors.
    rng : Generator or int
        Where the choice comes from.
    """
    rng = np.random.default_rng(rng)
    drawn = {}
    for name, mask in masks.items():
        flat = np.zeros(mask.size, bool)
        flat[rng.permutation(mask.size)[: np.count_nonzero(mask)]] = True
        drawn[name] = flat.reshape(mask.shape)
    return drawn


def random_masks(shapes: Mapping[str, tuple[int, ...]], densities: float | Mapping[str, float], rng: Any) -> Masks:
    """Return masks chosen uniformly that keep exactly floor(density * weights + 1/2) weights of each layer.

    Parameters
    ----------
    shapes
        Shape of every layer's weight.
    densities
        One for every layer, or by layer, such as `erdos_renyi_kernel` gives: where dynamic sparse training starts.
    rng : Generator or int
        Where the choice comes from.

    Raises
    ------
    InputError
        If a density is outside (0, 1], or keeps no weight of a layer.
    """
    by_layer = densities if isinstance(densities, Mapping) else dict.fromkeys(shapes, densities)
    generator = np.random.default_rng(rng)
    return keep_density({name: generator.random(shape) for name, shape in shapes.items()}, by_layer)
