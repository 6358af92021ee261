"""Random masks with the same number of survivors in every layer: the control that keeps sparsity and loses structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


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
