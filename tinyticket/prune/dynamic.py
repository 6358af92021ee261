"""Dynamic sparse training: a mask that moves while the network trains, and keeps its size.

Each update drops a fraction of a layer's survivors, those nearest zero, and grows as many at places that are empty then:

    SET   at random            Mocanu et al. (2018), "Scalable training of artificial neural networks ..."
    RigL  by |dense gradient|  Evci et al. (2020), "Rigging the lottery", algorithm 1
    SNFS  by |its momentum|    Dettmers and Zettlemoyer (2019), "Sparse networks from scratch", section 3

What was dropped may grow again in the same update, in all three: RigL's algorithm 1 grows among all that is not in
theta without I_drop, and the published codes of the others draw among whatever is zero after the drop. A weight that does so was
never gone. New weights are under the new mask and not under the old one; they start at zero, and so do their optimizer slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.counts import removed
from tinyticket.prune.selection import Arrays, Masks, check, checked_fraction, drop_smallest, largest


def drop_fraction(iteration: int, end: int, initial: float = 0.3) -> float:
    """Return f0/2 (1 + cos(pi t / T_end)), the fraction to drop at iteration t, and 0 from T_end on (RigL, section 3, (2))."""
    if end < 1 or iteration < 0:
        raise InputError(f"the fraction to drop falls from iteration 0 to an end after it; got {iteration} and {end}")
    return checked_fraction(initial) / 2 * (1 + math.cos(math.pi * min(iteration, end) / end))


def set_masks(weights: Arrays, masks: Arrays, fraction: float, rng: Any, by_sign: bool = False) -> Masks:
    """Drop the weights nearest zero and grow as many at random (SET, algorithm 2).

    Parameters
    ----------
    weights, masks
        By layer, of equal shapes.
    fraction
        Of a layer's survivors that is dropped, in (0, 1): floor(fraction * survivors + 1/2) of them.
    rng : Generator or int
        Where the places to grow at come from.
    by_sign
        As in SET's paper, drop that fraction of the positive weights (the smallest) and of the negative ones (the largest), zeros
        counting as positive; False drops the smallest magnitudes, as RigL's authors run SET.
    """
    generator = np.random.default_rng(rng)

    def at_random(name: str, empty: np.ndarray, count: int) -> np.ndarray:
        return generator.choice(empty, count, replace=False, shuffle=False)

    left = _drop(weights, masks, fraction, by_sign)
    return {name: _grow(name, mask, _count(masks[name]) - _count(mask), at_random) for name, mask in left.items()}


def rigl_masks(weights: Arrays, masks: Arrays, gradients: Arrays, fraction: float, round_down: bool = False) -> Masks:
    """Drop the smallest magnitudes and grow where the dense gradient is largest (RigL, algorithm 1).

    Parameters
    ----------
    weights, masks, gradients
        By layer, of equal shapes; gradients of all weights, those pruned included, and of whatever else. Of equal ones the lower
        flat index grows.
    fraction
        Of a layer's survivors that is dropped: `drop_fraction` of the iteration.
    round_down
        Drop floor(fraction * survivors), as the authors' code does, instead of the nearest whole number.

    Notes
    -----
    The update takes the place of a step of the optimizer: the batch is spent on the gradients.
    """
    left = _drop(weights, masks, fraction, round_down=round_down)
    by_gradient = _by(gradients, masks)
    return {name: _grow(name, mask, _count(masks[name]) - _count(mask), by_gradient) for name, mask in left.items()}


def snfs_masks(weights: Arrays, masks: Arrays, momentum: Arrays, fraction: float, redistribute: bool = True) -> Masks:
    """Drop the smallest magnitudes and grow where the momentum of the dense gradient is largest (SNFS, algorithm 1).

    Parameters
    ----------
    weights, masks, momentum
        By layer, of equal shapes; the momentum of all weights, an exponential average of gradients with factor 0.9.
    fraction
        Of a layer's survivors that is dropped.
    redistribute
        Share all that was dropped among the layers in proportion to the mean |momentum| of their survivors before the drop, so that
        layers change their size and the network keeps its own; False grows in each layer what it has dropped.
    """
    left, by_momentum = _drop(weights, masks, fraction), _by(momentum, masks)
    dropped = {name: _count(masks[name]) - _count(mask) for name, mask in left.items()}
    if redistribute:
        worth = {name: float(np.abs(momentum[name][mask]).mean()) if mask.any() else 0 for name, mask in masks.items()}
        room = {name: mask.size - _count(mask) for name, mask in left.items()}
        dropped = shares(sum(dropped.values()), worth, room)
    return {name: _grow(name, mask, dropped[name], by_momentum) for name, mask in left.items()}


def shares(total: int, worth: Mapping[str, float], room: Mapping[str, int]) -> dict[str, int]:
    """Divide `total` in proportion to `worth`, at most `room` for each, into whole numbers that add up to it.

    Who would get more than there is room for is filled, and the rest divided among the others. Remainders go to the largest
    fractions, of equal ones to the earlier name. If nobody is worth anything, all are worth the same.
    """
    if total > sum(room.values()):
        raise InputError(f"{total} weights cannot grow where there are {sum(room.values())} empty places")
    full: dict[str, int] = {}
    while True:
        open_ = [name for name in room if name not in full]
        rest, sum_ = total - sum(full.values()), sum(worth[name] for name in open_)
        exact = {name: rest * (worth[name] / sum_ if sum_ else 1 / len(open_)) for name in open_}
        above = [name for name in open_ if exact[name] > room[name]]
        if not above:
            break
        full |= {name: room[name] for name in above}
    whole = {name: math.floor(exact[name]) for name in open_}
    for name in sorted(
        (name for name in open_ if whole[name] < room[name]), key=lambda name: whole[name] - exact[name]
    ):
        whole[name] += sum(whole.values()) < rest
    return {name: {**full, **whole}[name] for name in room}


def _drop(weights: Arrays, masks: Arrays, fraction: float, by_sign: bool = False, round_down: bool = False) -> Masks:
    """Return masks without the weights nearest zero, of equal ones without the higher flat index."""
    check(weights, masks)
    checked_fraction(fraction)
    left = {}
    for name, mask in masks.items():
        magnitude, flat = np.abs(weights[name]).ravel(), mask.ravel()
        if by_sign:
            negative = flat & (weights[name].ravel() < 0)
            parts = [negative, flat & ~negative]
            kept = np.logical_or.reduce(
                [drop_smallest(magnitude, part, removed(_count(part), fraction)) for part in parts]
            )
        else:
            survivors = _count(flat)
            count = math.floor(fraction * survivors) if round_down else removed(survivors, fraction)
            kept = drop_smallest(magnitude, flat, count)
        left[name] = kept.reshape(mask.shape)
    return left


def _grow(name: str, mask: np.ndarray, count: int, choose: Callable[[str, np.ndarray, int], np.ndarray]) -> np.ndarray:
    """Return a mask with `count` of its empty places filled, which `choose` chooses among their flat indices."""
    grown = mask.copy().ravel()
    grown[choose(name, np.flatnonzero(~grown), count)] = True
    return grown.reshape(mask.shape)


def _by(scores: Arrays, masks: Arrays) -> Callable[[str, np.ndarray, int], np.ndarray]:
    """Return a choice of the largest magnitudes; every score must be a number, wherever it stands."""
    everywhere = {name: np.ones(mask.shape, bool) for name, mask in masks.items()}
    check({name: scores[name] for name in masks if name in scores}, everywhere)

    def choose(name: str, empty: np.ndarray, count: int) -> np.ndarray:
        return empty[largest(np.abs(scores[name].ravel()[empty]), count)]

    return choose


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))
