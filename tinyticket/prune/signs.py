"""Which weights changed sign."""

from __future__ import annotations

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.selection import Arrays


def sign_flips(before: Arrays, after: Arrays, masks: Arrays) -> float:
    """Return the share of surviving weights, over all layers, that change sign from one state of a network to another.

    sum(m * [sign(w_before) != sign(w_after)]) / sum(m), which Gadhikar and Burkholz (2024, arXiv 2402.19262) follow
    over pruning iterations; 0 where nothing survives. Weights of other names than those of the masks are left alone.
    """
    flips = survivors = 0
    for name, mask in masks.items():
        first, second, kept = np.asarray(before[name]), np.asarray(after[name]), np.asarray(mask)
        if kept.dtype != bool or not first.shape == second.shape == kept.shape:
            raise InputError(
                f"weights and mask of {name} have one shape, and the mask is boolean; got {first.shape}, {second.shape} and "
                f"{kept.dtype} {kept.shape}"
            )
        flips += int(np.count_nonzero((np.signbit(first) != np.signbit(second)) & kept))
        survivors += int(np.count_nonzero(kept))
    return flips / survivors if survivors else 0.0
