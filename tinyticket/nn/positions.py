"""Sets of whole numbers, ascending: the flat positions of connections, drawn at random and rewired."""

from __future__ import annotations

import numpy as np

SWAPS = 20
"""How often each connection may exchange its input with another one's where a graph is rewired."""


def draw(total: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` of the numbers below `total`, ascending."""
    if 2 * count > total:
        kept = np.ones(total, bool)
        if count < total:
            kept[draw(total, total - count, rng)] = False
        return np.flatnonzero(kept)
    found = distinct(np.sort(rng.integers(0, total, count)))
    while found.size < count:  # a few at a time: merged into what is in order
        more = np.concatenate((found, np.sort(rng.integers(0, total, count - found.size))))
        more.sort(kind="stable")
        found = distinct(more)
    return found


def distinct(ascending: np.ndarray) -> np.ndarray:
    """Leave one of each of equal numbers: `np.unique`, which hashes them, takes ten times as long."""
    again = np.flatnonzero(ascending[1:] == ascending[:-1])
    return np.delete(ascending, again) if again.size else ascending


def swap(positions: np.ndarray, inputs: int, rng: np.random.Generator) -> None:
    """Let pairs of connections, drawn at random, exchange their inputs in place where no connection is then there twice.

    Positions are flat and ascend.
    """
    # How many pairs is drawn too: after a fixed number of exchanges, always odd or always even, not all graphs could come out.
    count = int(rng.integers(positions.size // 4, positions.size // 2, endpoint=True))
    pairs = rng.permutation(positions.size)[: 2 * count].reshape(2, -1)
    outputs, columns = np.divmod(positions[pairs], inputs)
    proposed = outputs * inputs + columns[::-1]
    order = np.argsort(proposed, axis=None)
    ascending = proposed.reshape(-1)[order]
    place = np.minimum(np.searchsorted(positions, ascending), positions.size - 1)
    is_taken = positions[place] == ascending
    again = np.flatnonzero(ascending[1:] == ascending[:-1])
    is_taken[again] = is_taken[again + 1] = True
    refused = np.empty(proposed.size, bool)
    refused[order] = is_taken
    swapped = ~refused.reshape(proposed.shape).any(axis=0)
    positions[pairs[:, swapped]] = proposed[:, swapped]
    positions.sort()


def others(positions: np.ndarray, total: int) -> np.ndarray:
    """Return the numbers below `total` that are not among some."""
    is_other = np.ones(total, bool)
    is_other[positions] = False
    return np.flatnonzero(is_other)
