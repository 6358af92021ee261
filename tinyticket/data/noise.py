"""Label noise: training labels that are wrong, of which a network that fits them all has learned nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError
from tinyticket.nn.targets import split_weights


def noisy_labels(labels: NDArray, classes: int, share: float, rng: Any) -> NDArray:
    """Return labels of which a share is wrong: symmetric noise, as of He et al. (2022), "Sparse double descent", section 3.

    Exactly floor(share * N + 1/2) labels, chosen uniformly, become another class, each of the others with equal probability.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,), or as of `weighted`
        From 0 to classes - 1; weights of examples stay.
    classes : int
        At least 2.
    share : float
        From 0 to 1.
    rng : Generator or int
        Where the choice comes from.

    Raises
    ------
    InputError
        If the share is out of its range, or there are not two classes.
    """
    if not 0 <= share <= 1:
        raise InputError(f"the share of labels that are wrong is from 0 to 1; got {share}")
    if classes < 2:
        raise InputError(f"wrong labels are of another class, but there are {classes} classes")
    generator, noisy = np.random.default_rng(rng), labels.copy()
    count = math.floor(share * len(labels) + 0.5)
    chosen = generator.choice(len(labels), count, replace=False, shuffle=False)
    values = split_weights(noisy)[0]
    values[chosen] = (values[chosen] + generator.integers(1, classes, count)) % classes
    return noisy
