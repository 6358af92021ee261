"""SGD, momentum, Nesterov momentum and Adam on a device, as `kernels.cpu.update` defines them.

One thread for each weight; what bounds it is memory. The parts of a gradient are added up here, in their order, so that a split
sum needs no launch of its own. One launch updates all parameters of a network, which lie in one arena.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.update import ADAM, NESTEROV, SGD
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 128

_RATE, _DECAY, _MOMENTUM, _FIRST, _SECOND_KEPT, _SECOND, _CORRECTION, _EPSILON, SCALARS = range(9)
_ZERO, _TINY = np.float32(0), np.float32(np.finfo(np.float32).tiny)


class Place(NamedTuple):
    """Where what belongs to a parameter begins in the arena; slots that the rule does not have may lie anywhere."""

    partial: int
    splits: int
    weight: int
    first: int
    second: int
    mask: int  # in the array of bytes; -1 if there is none
    size: int


FIELDS = len(Place._fields)


@cuda.jit(device=True)
def _flushed(value):
    """Return zero for what has decayed below the smallest normal number, as on the CPU."""
    return _ZERO if abs(value) < _TINY else value


@cuda.jit(device=True)
def _step(rule, scalars, at, gradient, weight, first, second):
    """Return what weight, first and second slot become; `at` is where the scalars of this turn begin."""
    gradient += scalars[at + _DECAY] * weight
    direction = gradient
    if rule == ADAM:
        first = _flushed(first + scalars[at + _FIRST] * (gradient - first))
        second = _flushed(scalars[at + _SECOND_KEPT] * second + scalars[at + _SECOND] * gradient * gradient)
        direction = first / (math.sqrt(second) * scalars[at + _CORRECTION] + scalars[at + _EPSILON])
    elif rule != SGD:
        first = _flushed(scalars[at + _MOMENTUM] * first + gradient)
        direction = gradient + scalars[at + _MOMENTUM] * first if rule == NESTEROV else first
    return weight - scalars[at + _RATE] * direction, first, second


@cuda.jit
def update_each(rule, floats, masks, table, blocks, scalars, state):
    """Update a piece of one parameter in each block; `blocks` says of which, and where the piece begins."""
    block = np.uint32(2 * cuda.blockIdx.x)
    row, number = FIELDS * blocks[block], blocks[block + 1] + cuda.threadIdx.x
    size = table[row + 6]
    if number >= size:
        return
    gradient, part = _ZERO, table[row] + number
    for _ in range(table[row + 1]):
        gradient += floats[np.uint64(part)]
        part += size
    at = SCALARS * state[0]
    weight, first = np.uint64(table[row + 2] + number), np.uint64(table[row + 3] + number)
    second = np.uint64(table[row + 4] + number)
    old_first = floats[first] if rule != SGD else _ZERO
    old_second = floats[second] if rule == ADAM else _ZERO
    new, new_first, new_second = _step(rule, scalars, at, gradient, floats[weight], old_first, old_second)
    if table[row + 5] >= 0 and masks[np.uint64(table[row + 5] + number)] == 0:
        new, new_first, new_second = _ZERO, _ZERO, _ZERO
    floats[weight] = new
    if rule != SGD:
        floats[first] = new_first
    if rule == ADAM:
        floats[second] = new_second


def update(rule: int, floats, masks, places: Sequence[Place], scalars, state) -> Launch:
    """Take one step of an optimizer on all parameters of a network in one launch.

    `rule` is a number of `kernels.cpu.update.RULES`, `floats` the arena that holds gradients, weights and slots; where `masks`,
    uint8, are zero, weights and slots become +0.0. A turn's scalars are a row of (turns, 8): `kernels.cpu.update.scalars_of`.
    """
    pieces = [-(-place.size // THREADS) for place in places]
    rows = np.repeat(np.arange(len(places)), pieces)
    starts = np.concatenate([np.arange(count) * THREADS for count in pieces])
    blocks = cuda.to_device(np.stack((rows, starts), axis=1).astype(np.int32).reshape(-1))
    table = cuda.to_device(np.array(places, np.int64).reshape(-1))
    return Launch(update_each, (len(rows),), (THREADS,), (rule, floats, masks, table, blocks, scalars, state))
