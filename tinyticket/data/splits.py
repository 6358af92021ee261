"""Setting validation examples aside, so that the test set never chooses anything."""

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError


def split_validation(
    size: int, count: int, rng: np.random.Generator | int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the training examples into those to train on and those to validate with.

    Parameters
    ----------
    size : int
        The number of examples, N.
    count : int
        How many of them to set aside, 1 to N - 1.
    rng : numpy.random.Generator or seed, optional
        Draws them, uniformly and without replacement; a generator in the same state gives the same split.

    Returns
    -------
    train, validation : ndarray of int64
        Indices of shape (N - count,) and (count,), each in ascending order; together every index once.

    Raises
    ------
    InputError
        If nothing would be left to train on, or nothing to validate with.
    """
    if count >= size:
        raise InputError(f"{count} validation examples of {size} leave none to train on; expected fewer than {size}")
    if count < 1:
        raise InputError(f"{count} validation examples are too few; expected at least 1")
    shuffled = np.random.default_rng(rng).permutation(size)
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])
