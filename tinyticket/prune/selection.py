"""Remove an exact number of the smallest scores."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.counts import removed

SAMPLED = 64
"""Of so many scores one is looked at beforehand, where there are enough."""

Arrays = Mapping[str, np.ndarray]
Masks = dict[str, np.ndarray]


def keep_largest(scores: Arrays, masks: Arrays, fraction: float | Mapping[str, float], scope: str = "layer") -> Masks:
    """Remove the fraction of surviving weights whose scores are smallest.

    Exactly floor(fraction * survivors + 1/2) go, from each layer or from all layers together; among equal scores the one with
    the higher flat index (in global scope: of the later layer) goes first, so that the result never depends on a sort's whims.

    Parameters
    ----------
    scores, masks
        By layer, of equal shapes; only scores under True count.
    fraction
        Between 0 and 1; in layer scope also one per layer, where 0 leaves a layer alone.
    scope : {"layer", "global"}
        Whether scores are compared within a layer or over all of them.

    Returns
    -------
    dict of boolean arrays
        New masks; the given ones are not changed.

    Raises
    ------
    InputError
        If names or shapes differ, a score is NaN, a fraction is not in (0, 1), or the scope is unknown.
    """
    check(scores, masks)
    if scope == "layer":
        fractions = fraction if isinstance(fraction, Mapping) else dict.fromkeys(scores, checked_fraction(fraction))
        if fractions.keys() != scores.keys():
            raise InputError(f"fractions are given for {sorted(fractions)}, but the weights are {sorted(scores)}")
        kept = {}
        for name, mask in masks.items():
            share = fractions[name] and checked_fraction(fractions[name])
            count = removed(int(np.count_nonzero(mask)), share)
            kept[name] = drop_smallest(scores[name].ravel(), mask.ravel(), count).reshape(mask.shape)
        return kept
    if scope == "global":
        if isinstance(fraction, Mapping):
            raise InputError(
                "in global scope all layers share one fraction; leave out the layers that shall not be pruned"
            )
        together = np.concatenate([mask.ravel() for mask in masks.values()])
        count = removed(int(np.count_nonzero(together)), checked_fraction(fraction))
        kept_flat = drop_smallest(np.concatenate([scores[name].ravel() for name in masks]), together, count)
        pieces = np.split(kept_flat, np.cumsum([mask.size for mask in masks.values()])[:-1])
        return {name: piece.reshape(mask.shape) for (name, mask), piece in zip(masks.items(), pieces, strict=True)}
    raise InputError(f"the scope is 'layer' or 'global', not {scope!r}")


def keep_counts(scores: Arrays, masks: Arrays, counts: Mapping[str, int]) -> Masks:
    """Keep so many survivors of each layer, those of the largest scores; of equal ones the lower flat index stays.

    Parameters
    ----------
    scores, masks
        By layer, of equal shapes; only scores under True count.
    counts
        How many to keep, by layer; at most as many as survive.
    """
    check(scores, masks)
    kept = {}
    for name, mask in masks.items():
        survivors = int(np.count_nonzero(mask))
        if not 0 <= counts[name] <= survivors:
            raise InputError(f"{counts[name]} weights of {name} cannot be kept where {survivors} survive")
        kept[name] = drop_smallest(scores[name].ravel(), mask.ravel(), survivors - counts[name]).reshape(mask.shape)
    return kept


def without_ties(scores: Arrays, masks: Arrays, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ranks in place of scores, in the order of the scores, and of equal scores in a random one.

    Ranks count from 0 over the survivors of all layers together, so that they compare within a layer and between layers as scores
    do; they are 0 where weights are pruned.
    """
    check(scores, masks)
    flat = np.concatenate([scores[name][mask] for name, mask in masks.items()])
    ranks = np.empty(flat.size)
    ranks[np.lexsort((rng.random(flat.size), flat))] = np.arange(flat.size)
    pieces = np.split(ranks, np.cumsum([np.count_nonzero(mask) for mask in masks.values()])[:-1])
    ranked = {name: np.zeros(mask.shape) for name, mask in masks.items()}
    for (name, mask), piece in zip(masks.items(), pieces, strict=True):
        ranked[name][mask] = piece
    return ranked


def checked_fraction(fraction: float) -> float:
    """Return `fraction` if it lies strictly between 0 and 1; raise InputError if not."""
    if not 0 < fraction < 1:
        raise InputError(f"a fraction to remove lies between 0 and 1, both excluded; got {fraction}")
    return fraction


def drop_smallest(scores: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """Return a copy of a flat mask without `count` survivors of the smallest scores; of equal ones the higher index goes."""
    kept = mask.copy()
    if count:
        kept[mask] = all_but_smallest(scores[mask], count)
    return kept


def all_but_smallest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return where flat scores stay if `count` of the smallest go; of equal ones the higher index goes."""
    if not count:
        return np.ones(scores.size, bool)
    last = _ranked(scores, count - 1)  # the largest score that goes: a full sort would say no more
    kept, equal = scores >= last, np.flatnonzero(scores == last)
    kept[equal[equal.size - (count - (scores.size - np.count_nonzero(kept))) :]] = False
    return kept


def _ranked(scores: np.ndarray, rank: int) -> np.generic:
    """Return the score at a place, from 0, among flat scores in ascending order.

    Of many scores a sample tells nearly certainly between which two it lies. So few are brought in order, and no crowd of equal
    ones, which takes ten times as long: weights are 0 where nothing has been learned since they grew.
    """
    if scores.size > SAMPLED**2:
        sample = np.sort(scores[::SAMPLED])
        margin = 4 * math.isqrt(sample.size)  # eight standard deviations at least
        low, high = (sample[min(max(0, rank // SAMPLED + way), sample.size - 1)] for way in (-margin, margin))
        below, up_to = np.count_nonzero(scores < low), np.count_nonzero(scores <= low)
        if below <= rank < up_to:
            return low
        near = np.flatnonzero((scores > low) & (scores <= high))
        if up_to <= rank < up_to + near.size:
            return np.partition(scores[near], rank - up_to)[rank - up_to]
    return np.partition(scores, rank)[rank]


def largest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` largest of flat scores, ascending; of equal ones the lower index is taken.

    No sort: finding the smallest that is taken is enough, and several times quicker. Where few are taken, a sample tells which of
    the others can be left out beforehand.
    """
    if count == 0:
        return np.zeros(0, np.intp)
    if scores.size > 32 * count:
        sample = scores[::16]
        about_twice = count // 8 + 1
        likely = np.flatnonzero(scores >= np.partition(sample, sample.size - about_twice)[sample.size - about_twice])
        if count <= likely.size < scores.size:
            return likely[largest(scores[likely], count)]
    bar = np.partition(scores, scores.size - count)[scores.size - count]
    taken = scores > bar
    equal = np.flatnonzero(scores == bar)
    taken[equal[: count - np.count_nonzero(taken)]] = True
    return np.flatnonzero(taken)


def check(scores: Arrays, masks: Arrays) -> None:
    """Raise InputError unless scores and masks have equal names and shapes and every survivor's score is a number."""
    if scores.keys() != masks.keys():
        raise InputError(f"masks are given for {sorted(masks)}, but the weights are {sorted(scores)}")
    for name, mask in masks.items():
        if mask.dtype != bool or mask.shape != scores[name].shape:
            raise InputError(
                f"the mask of {name} must be boolean of shape {scores[name].shape}, not {mask.dtype} of shape {mask.shape}"
            )
        if np.isnan(scores[name][mask]).any():
            raise InputError(f"{name} has a weight that is not a number; nothing can be said about its magnitude")
