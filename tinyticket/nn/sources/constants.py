"""Weights of which only the sign is left."""

from __future__ import annotations

import math

import numpy as np

from tinyticket.nn.init import fans


def signed_deviation(weight: np.ndarray) -> np.ndarray:
    """Return sign(w) times the standard deviation of the layer's weights (Zhou et al. 2019, "signed constant"); 0 where w is 0."""
    return (np.sign(weight) * weight.std()).astype(weight.dtype)


def kaiming_constant(weight: np.ndarray) -> np.ndarray:
    """Return sign(w) sqrt(2 / fan_in), the constant of Ramanujan et al. (2020, section 3); 0 where w is 0."""
    return (np.sign(weight) * math.sqrt(2 / fans(weight.shape)[0])).astype(weight.dtype)
