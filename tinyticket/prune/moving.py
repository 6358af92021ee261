"""Connections that move while a network trains: dynamic sparse training of layers that were never dense.

A move drops the smallest magnitudes among a layer's connections and grows as many where there were none. What it costs is in
proportion to the connections, and nothing of all pairs of inputs and outputs is ever made, gradients included:

    SET            grows at random                              Mocanu et al. (2018), algorithm 2
    sampled RigL   by |gradient| among some candidates          Evci et al. (2020), algorithm 1, without the dense gradient
    SRigL          the same, every output keeping its fan-in    Lasby et al. (2024), section 3, without ablation

Candidates are drawn anew for each move, a number for each output, where there is no connection; their gradients are those of a
sparse layer of theirs with the same x and dy. Top-KAST (Jayakumar et al. 2020) has gradients of more weights than it uses, too, but
the same ones for a while, chosen by magnitude; RigL itself needs those of all pairs.

Other than the masks of `prune.dynamic`, what is dropped does not grow again in the same move.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn.connections import Connections, Move
from tinyticket.nn.positions import distinct
from tinyticket.prune.counts import removed
from tinyticket.prune.selection import all_but_smallest, checked_fraction, largest

PIECE = 1 << 16
"""Connections whose positions are held at a time: memory that is used again is several times faster than new."""


def set_move(connections: Connections, values: np.ndarray, fraction: float, rng: Any) -> Move:
    """Drop the connections nearest zero and grow as many at random, all places without one being equally likely (SET).

    Parameters
    ----------
    connections : Connections
    values : array of shape (connections,)
        Their weights.
    fraction
        Share that moves, in (0, 1): floor(fraction * connections + 1/2) of them, or as many as there are empty places. Of equal
        magnitudes the later connection goes.
    rng : Generator or int
        Where the new places come from.
    """
    left = _drop(connections, values, fraction, connections.pairs - connections.count)
    grown = _draw(connections, int(np.count_nonzero(~left)), np.random.default_rng(rng))
    return _merged(connections, left, grown)


def candidates(connections: Connections, count: int, rng: Any) -> Connections:
    """Draw places without a connection, for every output up to `count` of them.

    Each output has so many draws among all inputs; those that hit a connection, or a place twice, are none.

    Parameters
    ----------
    connections : Connections
    count : int
        Draws for each output, at least 1.
    rng : Generator or int
    """
    outputs, inputs = connections.shape
    if count < 1:
        raise InputError(f"every output needs 1 candidate at least, not {count}")
    drawn = np.random.default_rng(rng).integers(0, inputs, (outputs, count))
    drawn += np.arange(outputs, dtype=np.int64)[:, np.newaxis] * inputs
    drawn.sort(axis=1)
    return Connections.at(connections.shape, _without(drawn.reshape(-1), connections))


def rigl_move(
    connections: Connections, values: np.ndarray, fraction: float, candidates: Connections, gradients: np.ndarray
) -> Move:
    """Drop the smallest magnitudes and grow the candidates of the largest gradients (RigL among sampled candidates).

    Parameters
    ----------
    connections, values, fraction
        As of `set_move`; no more than there are candidates are dropped.
    candidates : Connections
        Places without a connection, from `prune.candidates`.
    gradients : array of shape (candidates,)
        Of x and dy of a batch: `Step.gradients(x, y, candidates)`, or `kernels.reference.sparse_linear_weight_gradient`. Of equal
        magnitudes the earlier candidate grows.
    """
    sizes = _sizes(candidates, gradients)
    left = _drop(connections, values, fraction, sizes.size)
    grown = candidates.positions()[largest(sizes, int(np.count_nonzero(~left)))]
    return _merged(connections, left, grown)


def srigl_move(
    connections: Connections, values: np.ndarray, fraction: float, candidates: Connections, gradients: np.ndarray
) -> Move:
    """Drop the layer's smallest magnitudes and grow at every output as many as it lost, by gradients of candidates (SRigL).

    So every output keeps its fan-in, which is constant over the layer if it was. An output with fewer candidates than it would lose
    keeps the largest of these. No output is ablated.

    Parameters
    ----------
    connections, values, fraction, candidates, gradients
        As of `rigl_move`; gradients are compared as float32.
    """
    sizes, rows = _sizes(candidates, gradients), connections.rows()
    left = _drop(connections, values, fraction, connections.count)
    gone, found = np.flatnonzero(~left), candidates.fan_in()
    excess = np.maximum(np.bincount(rows[gone], minlength=found.size) - found, 0)
    stays = _largest_of_lines(np.abs(values[gone]), rows[gone], excess)
    left[gone[stays]] = True
    lost = np.bincount(rows[gone], minlength=found.size) - excess
    grown = candidates.positions()[_largest_of_lines(sizes, candidates.rows(), lost)]
    return _merged(connections, left, grown)


def _drop(connections: Connections, values: np.ndarray, fraction: float, most: int) -> np.ndarray:
    """Return which connections stay: all but the smallest magnitudes, of equal ones the later, at most so many."""
    if values.shape != (connections.count,):
        raise InputError(f"there are {connections.count} connections, and values of shape {values.shape}")
    sizes = np.abs(values)
    if np.isnan(sizes).any():
        raise InputError("a connection's weight is not a number; nothing can be said about its magnitude")
    count = min(removed(sizes.size, checked_fraction(fraction)), most)
    return all_but_smallest(sizes, count)


def _sizes(candidates: Connections, gradients: np.ndarray) -> np.ndarray:
    if gradients.shape != (candidates.count,) or np.isnan(gradients).any():
        raise InputError(f"{candidates.count} candidates have a gradient each, which is a number")
    return np.abs(gradients)


def _largest_of_lines(sizes: np.ndarray, lines: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the indices, ascending, of so many largest sizes (float32) of each line; of equal sizes the earlier is taken.

    Lines ascend, and none has fewer sizes than its count. Bits of floats above 0 are in the order of the numbers.
    """
    keys = lines.astype(np.int64) << 32
    keys |= 0xFFFFFFFF - sizes.astype(np.float32).view(np.uint32)  # the largest of a line are the smallest keys
    ordered, bars = np.sort(keys), np.full(counts.size, -1, np.int64)
    some = np.flatnonzero(counts)
    bars[some] = ordered[np.searchsorted(lines, some) + counts[some] - 1]
    bar = bars[lines]
    taken, equal = keys < bar, np.flatnonzero(keys == bar)
    ends = np.cumsum(np.bincount(lines[equal], minlength=counts.size))
    rank = np.arange(equal.size) - (ends - np.bincount(lines[equal], minlength=counts.size))[lines[equal]]
    missing = counts - np.bincount(lines[taken], minlength=counts.size)
    taken[equal[rank < missing[lines[equal]]]] = True
    return np.flatnonzero(taken)


def _draw(connections: Connections, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` positions without a connection, ascending."""
    total = connections.pairs
    if 2 * (connections.count + count) > total:
        free = np.ones(total, bool)
        free[connections.positions()] = False
        return np.sort(rng.choice(np.flatnonzero(free), count, replace=False, shuffle=False))
    likely = 1 - (connections.count + count) / total  # at least, that a draw is a new one
    found = np.zeros(0, np.int64)
    while (missing := count - found.size) > 0:
        drawn = rng.integers(0, total, math.ceil(missing / likely + 4 * math.sqrt(missing)))
        drawn.sort()
        drawn = _without(drawn, connections)
        if found.size:
            drawn = np.concatenate((found, drawn))
            drawn.sort(kind="stable")  # merges them
            drawn = distinct(drawn)
        found = drawn
    return np.delete(found, rng.choice(found.size, found.size - count, replace=False, shuffle=False))


def _without(positions: np.ndarray, connections: Connections) -> np.ndarray:
    """Leave out the positions of connections, and all but one of equal ones; they ascend."""
    free = []
    for _, places, inside in _pieces(connections, positions):
        given = distinct(positions[inside])
        given = np.delete(given, np.flatnonzero(places[np.searchsorted(places[:-1], given)] == given))
        free.append(given)
    return np.concatenate(free) if free else distinct(positions)


def _merged(connections: Connections, left: np.ndarray, grown: np.ndarray) -> Move:
    """Return the connections that are left and those that have grown at other positions, in order."""
    (outputs, inputs), count = connections.shape, connections.count
    columns, origins, starts = np.empty(count, np.int32), np.empty(count, np.int32), np.zeros(outputs + 1, np.int64)
    end, row = 0, 0
    for piece, places, inside in _pieces(connections, grown):
        stays = np.flatnonzero(left[piece])
        merged, new = _interleaved(places[stays], grown[inside])
        begin, end = end, end + merged.size
        np.remainder(merged, inputs, out=columns[begin:end], casting="unsafe")
        origins[begin:end] = -1
        origins[begin:end][np.flatnonzero(~new)] = stays + piece.start
        last = outputs if end == count else int(merged[-1]) // inputs if merged.size else row
        starts[row : last + 1] = begin + np.searchsorted(merged, np.arange(row, last + 1, dtype=np.int64) * inputs)
        row = last + 1
    columns.flags.writeable = starts.flags.writeable = False
    names = connections.input_names, connections.output_names
    return Move(Connections(connections.shape, starts, columns, *names), origins)


def _interleaved(positions: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of ascending positions, none of which is in both, as one, and where those of the second are in it."""
    keys = np.concatenate((positions, others))
    keys <<= 1
    keys[positions.size :] |= 1
    keys.sort(kind="stable")  # merges them, whatever sorts do else
    second = (keys & 1).astype(bool)
    keys >>= 1
    return keys, second


def _pieces(connections: Connections, positions: np.ndarray) -> Iterator[tuple[slice, np.ndarray, slice]]:
    """Yield connections in pieces: which they are, where, and which of other positions, ascending, lie up to the next piece."""
    count, begin = connections.count, 0
    for first in range(0, count, PIECE):
        piece = slice(first, min(first + PIECE, count))
        places = connections.positions(piece.start, piece.stop)
        end = positions.size if piece.stop == count else int(np.searchsorted(positions, places[-1], side="right"))
        yield piece, places, slice(begin, end)
        begin = end
