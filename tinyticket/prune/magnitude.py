"""The criterion of the lottery-ticket paper: keep what ended large (Frankle and Carbin 2019, step 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyticket.prune.selection import Masks, keep_largest


def magnitude(
    weights: Mapping[str, np.ndarray],
    masks: Mapping[str, np.ndarray] | None = None,
    fraction: float | Mapping[str, float] = 0.2,
    scope: str = "layer",
) -> Masks:
    """Remove the surviving weights of smallest magnitude.

    Parameters
    ----------
    weights
        Trained weights by layer, of any shape.
    masks
        What survives so far, True for survivors; None for everything.
    fraction
        How much of the survivors is removed: a number in (0, 1), or in layer scope one per layer.
    scope : {"layer", "global"}
        Whether each layer loses its own smallest weights, or the network its smallest wherever they are.

    Returns
    -------
    dict of boolean arrays
        The new masks: exactly floor(fraction * survivors + 1/2) fewer True values; of equal magnitudes the higher flat index goes.

    Raises
    ------
    InputError
        If fractions, names, shapes or weights make no sense.

    Examples
    --------
    >>> weights = {"fc": np.array([[0.1, -3.0], [0.5, -0.2]])}
    >>> magnitude(weights, fraction=0.5)["fc"]
    array([[False,  True],
           [ True, False]])
    """
    scores = {name: np.abs(np.asarray(weight)) for name, weight in weights.items()}
    if masks is None:
        masks = {name: np.ones(score.shape, bool) for name, score in scores.items()}
    return keep_largest(scores, {name: np.asarray(mask) for name, mask in masks.items()}, fraction, scope)
