"""Dealing out the training examples, epoch by epoch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError


def batches(count: int, batch_size: int, rng: np.random.Generator | int | None = None) -> Iterator[NDArray[np.int64]]:
    """Deal out examples in random order, without end.

    Every epoch is a fresh permutation, drawn when its first batch is asked for. What is left over at its end, fewer
    than a batch, is dropped, so no batch spans two epochs.

    Parameters
    ----------
    count : int
        The number of examples, N.
    batch_size : int
        Examples a batch, 1 to N.
    rng : numpy.random.Generator or seed, optional
        Draws one permutation of N an epoch and nothing else.

    Returns
    -------
    iterator of ndarray of int64
        Indices from 0 to N - 1, shape (batch_size,), no two the same.

    Raises
    ------
    InputError
        If the batch is larger than the data or empty; already by this call, not by the first batch.
    """
    if batch_size > count:
        raise InputError(f"a batch of {batch_size} is larger than the data; expected at most {count} examples")
    if batch_size < 1:
        raise InputError(f"a batch of {batch_size} is empty; expected at least 1 example")
    return _deal(count, batch_size, np.random.default_rng(rng))


def _deal(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    while True:
        order = rng.permutation(count)
        for start in range(0, count - batch_size + 1, batch_size):
            yield order[start : start + batch_size]
