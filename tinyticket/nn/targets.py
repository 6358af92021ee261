"""Targets as one array: what a network should answer, and what each example counts, wherever the array is indexed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyticket.errors import InputError


def weighted(targets: ArrayLike, weights: ArrayLike) -> NDArray:
    """Return targets with a weight each, as a structured array with the fields "target" and "weight".

    Parameters
    ----------
    targets : array_like, shape (N,) or (N, outputs)
        Labels, or numbers.
    weights : array_like, shape (N,)
        What the loss of each example counts, above 0; twice as much is as if there were two of it.

    Raises
    ------
    InputError
        If there are not as many weights as targets, or one is not a number above 0.
    """
    values, each = np.asarray(targets), np.asarray(weights)
    if each.dtype.kind not in "biuf" or each.shape != values.shape[:1]:
        raise InputError(f"weights are numbers, one for each of {len(values)} examples, not {each.dtype} {each.shape}")
    each = each.astype(np.float32)
    if not ((each > 0) & np.isfinite(each)).all():
        wrong = int(np.argmin((each > 0) & np.isfinite(each)))
        raise InputError(
            f"the weight at index {wrong} is {each[wrong]}; expected a number above 0 (leave out what counts nothing)"
        )
    both = np.empty(len(values), [("target", values.dtype, values.shape[1:]), ("weight", np.float32)])
    both["target"], both["weight"] = values, each
    return both


def split_weights(targets: NDArray) -> tuple[NDArray, NDArray | None]:
    """Return targets, and their weights, None where all count the same."""
    return (targets["target"], targets["weight"]) if targets.dtype.names else (targets, None)
