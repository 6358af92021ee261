"""Constant fan-in: a mask that moves while the network trains, in which every neuron of a layer has as many weights.

Lasby et al. (2024), "Dynamic sparse training with structured sparsity" (arXiv 2305.02299), section 3: SRigL drops and grows as RigL
does, but each neuron grows as many weights as bring it back to its layer's fan-in, and neurons of which little is worth keeping
are ablated: they lose all weights, which the others share. Such masks are dense matrices of (neurons, fan-in) with column indices.

A neuron is a row of a linear layer's weight, or a channel that a convolution makes; its fan-in counts places of the kernel too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyticket.errors import InputError, about
from tinyticket.prune.counts import kept, removed
from tinyticket.prune.densities import Shapes, checked_density
from tinyticket.prune.selection import Arrays, Masks, check, checked_fraction, drop_smallest, largest


def fan_in(size: int, density: float) -> int:
    """Return how many of a neuron's `size` weights a density keeps: the nearest whole number, at least one."""
    return max(1, kept(size, density))


def constant_fan_in_masks(shapes: Shapes, densities: Mapping[str, float], rng: Any) -> Masks:
    """Return masks in which each neuron keeps `fan_in` of its weights, chosen uniformly: where SRigL starts.

    Parameters
    ----------
    shapes
        Shape of every layer's weight, (neurons, ...).
    densities
        By layer, in (0, 1].
    rng : Generator or int
        Where the choice comes from.
    """
    generator, masks = np.random.default_rng(rng), {}
    for name, shape in shapes.items():
        scores = generator.random(shape).reshape(shape[0], -1)
        chosen = np.zeros(scores.shape, bool)
        for neuron, row in zip(chosen, scores, strict=True):
            neuron[largest(row, fan_in(row.size, checked_density(densities[name], name)))] = True
        masks[name] = chosen.reshape(shape)
    return masks


def srigl_masks(
    weights: Arrays,
    masks: Arrays,
    gradients: Arrays,
    fraction: float,
    salient: float = 0.3,
    budget: Mapping[str, int] | None = None,
) -> Masks:
    """Drop the smallest magnitudes, ablate neurons, and grow by the dense gradient up to a constant fan-in (SRigL, section 3.1).

    With n survivors in a layer and K = floor(fraction * n + 1/2), a weight is salient if it is among the n - K largest magnitudes
    of survivors, or then among the K largest gradients of the places left. Neurons with fewer salient weights than
    salient * fan-in lose all weights, for good; the others keep those of the n - K that are theirs, and grow where their
    gradients are largest until each has floor(budget / neurons left) weights, at most all.

    Parameters
    ----------
    weights, masks, gradients
        By layer, first to last, of equal shapes (neurons, ...); gradients of all weights. Neurons that have weights have as many
        as the others of their layer. Of equal magnitudes the higher flat index is dropped, of equal gradients the lower grows.
    fraction
        Of a layer's survivors that is dropped: `drop_fraction` of the iteration.
    salient
        From 0, which ablates nothing, to below 1. Neurons of the last layer are the classes and never ablated.
    budget
        How many weights the neurons of each layer share; None for as many as there are now, which forgets remainders.

    Returns
    -------
    dict of boolean arrays
        Masks of the budgets' sizes, less what cannot be divided by the neurons left.

    Raises
    ------
    InputError
        If arrays do not fit, fan-ins differ within a layer, or a number is out of its range.
    """
    check(weights, masks)
    if missing := masks.keys() - gradients.keys():
        raise InputError(f"{', '.join(sorted(missing))} has no gradient; growing compares those of all places")
    everywhere = {name: np.ones(mask.shape, bool) for name, mask in masks.items()}
    check({name: gradients[name] for name in masks}, everywhere)
    checked_fraction(fraction)
    if not 0 <= salient < 1:
        raise InputError(
            f"the share of salient weights below which a neuron is ablated is from 0 to below 1; got {salient}"
        )
    last, moved = [*masks][-1], {}
    for name, mask in masks.items():
        share = 0 if name == last else salient
        weight, gradient = (np.abs(part[name]).reshape(len(mask), -1) for part in (weights, gradients))
        room = budget[name] if budget else int(np.count_nonzero(mask))
        with about(name):
            found = _move(weight, gradient, mask.reshape(len(mask), -1), fraction, share, room)
        moved[name] = found.reshape(mask.shape)
    return moved


def _move(
    weight: np.ndarray, gradient: np.ndarray, mask: np.ndarray, fraction: float, salient: float, budget: int
) -> np.ndarray:
    """Return the mask that follows that of one layer, of magnitudes in shape (neurons, inputs)."""
    counts, count = np.count_nonzero(mask, axis=1), int(np.count_nonzero(mask))
    before, alive = int(counts.max(initial=0)), counts > 0
    if (counts[alive] != before).any():
        raise InputError(f"a constant fan-in is as many weights in each neuron, not {counts[alive].min()} to {before}")
    if budget < count:
        raise InputError(f"{count} weights do not fit into a budget of {budget}")
    if not count:
        return mask.copy()
    dropped = removed(count, fraction)
    left = drop_smallest(weight.ravel(), mask.ravel(), dropped).reshape(mask.shape)
    worth = left.copy()
    empty = np.flatnonzero(~left & alive[:, np.newaxis])
    worth.ravel()[empty[largest(gradient.ravel()[empty], dropped)]] = True
    # Salient weights are `before` a neuron in the mean, so that some neuron always stays.
    stays = alive & (np.count_nonzero(worth, axis=1) >= salient * before)
    after = min(mask.shape[1], budget // np.count_nonzero(stays))
    left &= stays[:, np.newaxis]
    for neuron, row in zip(left[stays], np.flatnonzero(stays), strict=True):
        empty = np.flatnonzero(~neuron)
        left[row, empty[largest(gradient[row, empty], after - np.count_nonzero(neuron))]] = True
    return left
