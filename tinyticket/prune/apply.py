"""Weights under masks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def apply_masks(weights: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a copy of weights in which pruned ones are +0.0, where a product with the mask could give -0.0.

    Parameters
    ----------
    weights, masks : dict of arrays
        By name, of equal shapes; arrays without a mask are copied as they are.
    """
    return {
        name: np.where(masks[name], value, value.dtype.type(0)) if name in masks else value.copy()
        for name, value in weights.items()
    }
