"""Pruning whole units: neurons of fully-connected layers, channels of convolutions.

What is left is a smaller dense network, which any library runs faster; `shrink` makes it. Weights are given in the order in
which the signal passes them; each unit's outgoing weights are those of the next layer. That holds for networks without
branches only: residual networks, whose layers add up, are not meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.selection import Arrays, Masks, keep_largest


def unit_norms(weights: Arrays, norm: int = 2) -> Masks:
    """Return the L1 or L2 norm of each unit's incoming weights, by layer.

    Parameters
    ----------
    weights
        By layer, of shape (out, in) or (out, in, kernel rows, kernel columns).
    norm : {1, 2}
        1 is the filter criterion of Li et al. (2017, "Pruning filters for efficient ConvNets", section 3.1).

    Returns
    -------
    dict of float64 arrays of shape (out,)
    """
    if norm not in (1, 2):
        raise InputError(f"the norm of a unit's weights is 1 or 2, not {norm!r}")
    rows = {name: np.asarray(weight, np.float64).reshape(len(weight), -1) for name, weight in weights.items()}
    return {name: np.linalg.norm(row, ord=norm, axis=1) for name, row in rows.items()}


def prune_units(
    weights: Arrays,
    fraction: float | Mapping[str, float] = 0.2,
    units: Arrays | None = None,
    scope: str = "layer",
    norm: int = 2,
) -> Masks:
    """Remove the surviving units of smallest norm, of every layer but the last, whose units are the classes.

    Parameters
    ----------
    weights
        By layer, first to last; see `unit_norms`.
    fraction
        How much of the surviving units is removed: a number in (0, 1), or in layer scope one per layer (0 leaves one alone).
    units
        What survives so far by layer, True for survivors; None for everything.
    scope : {"layer", "global"}
        Whether norms are compared within a layer or over all of them. They are compared as they are: of equally scaled weights,
        units with more inputs have larger norms.

    Returns
    -------
    dict of boolean arrays of shape (out,)
        Exactly floor(fraction * units + 1/2) fewer True values, of equal norms the higher index first; nothing for the last layer.
        `unit_masks` makes masks of weights of them.

    Raises
    ------
    InputError
        If weights do not follow each other, there is no hidden layer, or a layer would lose all its units.
    """
    check_chain({name: np.shape(weight) for name, weight in weights.items()})
    hidden = list(weights)[:-1]
    if not hidden:
        raise InputError("only hidden units can be pruned; these weights have none, their one layer is the output's")
    scores = unit_norms({name: weights[name] for name in hidden}, norm)
    before = {name: np.ones(score.shape, bool) for name, score in scores.items()}
    before |= {name: np.asarray(kept) for name, kept in (units or {}).items()}
    kept = keep_largest(scores, before, fraction, scope)
    for name, mask in kept.items():
        if not mask.any():
            raise InputError(f"{name} would lose all its units, and with them the network its signal: prune less")
    return kept


def unit_masks(weights: Arrays, units: Arrays) -> Masks:
    """Return masks of weights without the incoming and the outgoing weights of pruned units.

    A convolution's channel goes into all its positions of a fully-connected layer that follows: flattening keeps them together.

    Raises
    ------
    InputError
        If units are missing for a hidden layer, or do not fit its weight.
    """
    check_chain({name: np.shape(weight) for name, weight in weights.items()})
    masks: Masks = {name: np.ones(np.shape(weight), bool) for name, weight in weights.items()}
    if list(units) != list(weights)[:-1]:
        raise InputError(f"units are given for {list(units)}, but the hidden layers are {list(weights)[:-1]}")
    for (name, mask), (_, following) in pairwise(masks.items()):
        kept = np.asarray(units[name])
        if kept.dtype != bool or kept.shape != mask.shape[:1]:
            raise InputError(
                f"the units of {name} are a boolean array of shape {mask.shape[:1]}, not {kept.dtype} {kept.shape}"
            )
        mask[~kept] = False
        following[:, ~spread(kept, following.shape[1])] = False
    return masks


def spread(units: np.ndarray, inputs: int) -> np.ndarray:
    """Repeat each unit's value for all inputs that it feeds: one, or every position of a flattened channel."""
    return np.repeat(units, inputs // len(units))


def check_chain(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless each layer's inputs are a multiple of the units of the layer before."""
    for name, shape in shapes.items():
        if len(shape) not in (2, 4) or 0 in shape:
            raise InputError(
                f"{name} has shape {shape}; units have weights of shape (out, in) or (out, in, rows, columns)"
            )
    for (name, shape), (after, following) in pairwise(shapes.items()):
        if following[1] % shape[0] != 0 or (len(following) == 4 and following[1] != shape[0]):
            raise InputError(
                f"{after} has {following[1]} inputs, which the {shape[0]} units of {name} cannot feed: give the weights of a "
                "network without branches, first to last"
            )
