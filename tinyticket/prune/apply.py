"""Weights under masks, as they are or scaled to the fan-in that is left."""

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


def scaled_to_fan_in(weights: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights under masks, those of sparse layers with a variance of 2 / (survivors of a neuron in the mean).

    So sums of few weights are as large as those of many (He et al. 2015, equation 10, with the fan-in that is left; SWI of Zhang et
    al. 2024, Cannistraci-Hebb training). Layers of which all or nothing survives, or whose weights are all the same, stay as they
    are.

    Parameters
    ----------
    weights, masks : dict of arrays
        By name, of equal shapes (neurons, ...); the variance is that of all weights of a layer before. Arrays without a mask are
        copied as they are.
    """
    scaled = apply_masks(weights, masks)
    for name, mask in masks.items():
        count, deviation = np.count_nonzero(mask), weights[name].std(dtype=np.float64)
        if 0 < count < mask.size and deviation:
            scaled[name] *= scaled[name].dtype.type(np.sqrt(2 * len(mask) / count) / deviation)
    return scaled
