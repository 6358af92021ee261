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
from tinyticket.prune.counts import removed
from tinyticket.prune.selection import all_but_smallest, checked_fraction, largest

PIECE = 1 << 16
"""Connections whose positions are held at a time: memory that is used again is several times faster than new."""


def set_move(connections: Connections, values: np.ndarray, fraction: float, rng: Any, by_sign: bool = False) -> Move:
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
    by_sign
        As in SET's paper, drop that fraction of the positive weights (the smallest) and of the negative ones (the largest), zeros
        counting as positive.
    """
    left = _drop(connections, values, fraction, connections.pairs - connections.count, by_sign)
    grown, before = _draw(connections, connections.count - int(np.count_nonzero(left)), np.random.default_rng(rng))
    return _merged(connections, left, grown, before)


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
    return Connections.at(connections.shape, _free(drawn.reshape(-1), connections)[0])


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
    chosen = largest(sizes, connections.count - int(np.count_nonzero(left)))
    return _merged(connections, left, *_among(connections, candidates, chosen))


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
    chosen = _largest_of_lines(sizes, candidates.rows(), lost)
    return _merged(connections, left, *_among(connections, candidates, chosen))


def _drop(
    connections: Connections, values: np.ndarray, fraction: float, most: int, by_sign: bool = False
) -> np.ndarray:
    """Return which connections stay: all but the smallest magnitudes, of equal ones the later, at most so many."""
    if values.shape != (connections.count,):
        raise InputError(f"there are {connections.count} connections, and values of shape {values.shape}")
    sizes = np.abs(values)
    if np.isnan(sizes).any():
        raise InputError("a connection's weight is not a number; nothing can be said about its magnitude")
    left, parts = np.ones(sizes.size, bool), [values < 0, values >= 0] if by_sign else [slice(None)]
    for part in parts:
        count = min(removed(sizes[part].size, checked_fraction(fraction)), most)
        left[part], most = all_but_smallest(sizes[part], count), most - count
    return left


def _sizes(candidates: Connections, gradients: np.ndarray) -> np.ndarray:
    if gradients.shape != (candidates.count,) or np.isnan(gradients).any():
        raise InputError(f"{candidates.count} candidates have a gradient each, which is a number")
    return np.abs(gradients)


def _among(connections: Connections, candidates: Connections, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of some candidates, and how many connections lie before each."""
    grown, before = _free(candidates.positions()[chosen], connections)
    if grown.size < chosen.size:
        raise InputError("a candidate is a place without a connection, but one of these is a connection already")
    return grown, before


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


def _draw(connections: Connections, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` positions without a connection, ascending; return how many connections lie before each, too."""
    total = connections.pairs
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    if 2 * (connections.count + count) > total:
        is_free = np.ones(total, bool)
        is_free[connections.positions()] = False
        free = np.flatnonzero(is_free)
        drawn = np.sort(rng.choice(free.size, count, replace=False, shuffle=False))
        return free[drawn], (free[drawn] - drawn).astype(np.int32)
    likely = 1 - (connections.count + count) / total  # at least, that a draw is a new one
    found, before = np.zeros(0, np.int64), np.zeros(0, np.int32)
    while (missing := count - found.size) > 0:
        drawn = rng.integers(0, total, math.ceil(missing / likely + 4 * math.sqrt(missing)))
        if found.size:
            drawn = np.concatenate((found, drawn))
        drawn.sort()
        found, before = _free(drawn, connections)
    extra = rng.choice(found.size, found.size - count, replace=False, shuffle=False)
    return np.delete(found, extra), np.delete(before, extra)


def _free(positions: np.ndarray, connections: Connections) -> tuple[np.ndarray, np.ndarray]:
    """Leave out positions of connections, and all but one of equal ones; return how many connections lie before each, too.

    The positions that are given ascend, and are overwritten: memory that is used again is faster than new.
    """
    before, begin, size = np.empty(positions.size, np.int32), 0, 0
    for piece in _pieces(connections):
        places = connections.positions(piece.start, piece.stop)
        is_last = piece.stop == connections.count
        end = positions.size if is_last else int(np.searchsorted(positions, places[-1], side="right"))
        keys = np.concatenate(([-1], places, positions[begin:end]))  # the first is before all others
        keys <<= 1
        keys[1 + places.size :] |= 1
        keys.sort(kind="stable")  # merges them, whatever sorts do else
        found = np.flatnonzero((keys & 1).astype(bool))
        given, places_before = keys[found] >> 1, found - np.arange(1 - piece.start, found.size + 1 - piece.start)
        free = np.flatnonzero(given != keys[found - 1] >> 1)
        positions[size : size + free.size], before[size : size + free.size] = given[free], places_before[free]
        begin, size = end, size + free.size
    return positions[:size], before[:size]


def _merged(connections: Connections, left: np.ndarray, grown: np.ndarray, before: np.ndarray) -> Move:
    """Return the connections that are left and those that have grown at other positions, in order.

    Of those before the move, so many lie `before` each that has grown.
    """
    (outputs, inputs), count = connections.shape, connections.count
    if not grown.size:
        return Move(connections, np.arange(count, dtype=np.int32))
    columns, origins = np.empty(count, np.int32), np.full(count, -1, np.int32)
    starts, fan_in_grown = np.zeros(outputs + 1, np.int64), np.zeros(outputs + 1, np.int64)
    kept = first = row = 0
    for piece in _pieces(connections):
        stays = np.flatnonzero(left[piece])
        kept_before = np.zeros(piece.stop - piece.start + 1, np.int32)
        np.cumsum(left[piece], out=kept_before[1:])
        last = grown.size if piece.stop == count else int(np.searchsorted(before, np.int32(piece.stop), side="right"))
        rows = grown[first:last] // inputs
        places = kept_before[before[first:last] - piece.start] + np.arange(rows.size)
        is_old = np.ones(stays.size + rows.size, bool)
        is_old[places] = False
        old, written = np.flatnonzero(is_old), slice(kept + first, kept + first + is_old.size)
        columns[written][places] = (grown[first:last] - rows * inputs).astype(np.int32)
        columns[written][old] = connections.columns[piece][stays]
        origins[written][old] = (stays + piece.start).astype(np.int32)
        beyond = int(np.searchsorted(connections.starts, piece.stop, side="right"))
        starts[row:beyond] = kept + kept_before[connections.starts[row:beyond] - piece.start]
        if rows.size:
            fan_in_grown[rows[0] + 1 : rows[-1] + 2] += np.bincount(rows - rows[0])
        kept, first, row = kept + stays.size, last, beyond
    starts += np.cumsum(fan_in_grown)
    columns.flags.writeable = starts.flags.writeable = False
    names = connections.input_names, connections.output_names
    return Move(Connections(connections.shape, starts, columns, *names), origins)


def _pieces(connections: Connections) -> Iterator[slice]:
    """Cut connections into pieces, at least one."""
    for first in range(0, max(1, connections.count), PIECE):
        yield slice(first, min(first + PIECE, connections.count))
