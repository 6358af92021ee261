"""The update of sixteen weights, and of a range of them: what every optimizer does, once their gradient is known.

The rule is a run-time number: a branch for each vector that the CPU always predicts costs nothing beside the
arithmetic, and four compiled versions would. The last weights of an array go through the same vector operations as
all others, with fewer lanes, so where threads cut the array never shows in the bits. Moments that have decayed below
the smallest normal number are set to zero: arithmetic on subnormals is a hundred times slower, and a weight that no
gradient reaches would otherwise drag the whole step down after some hundred iterations.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import (
    absolute,
    at,
    broadcast,
    load,
    load_part,
    muladd,
    pointer,
    select,
    square_root,
    store,
    store_part,
    surviving,
    zero,
)

SGD, MOMENTUM, NESTEROV, ADAM = range(4)

# Places in the array of scalars that `optimizers.settings` makes.
_RATE, _DECAY, _MOMENTUM, _FIRST, _SECOND_KEPT, _SECOND, _CORRECTION, _EPSILON = range(8)
_TINY = np.float32(np.finfo(np.float32).tiny)


class State(NamedTuple):
    """What an update reads and writes, all flat and of the weights' size: arrays, or inside kernels their addresses."""

    weights: np.ndarray
    first: np.ndarray  # momentum, or Adam's first moment
    second: np.ndarray  # Adam's second moment
    mask: np.ndarray  # uint8
    masked: bool  # is the mask to be read


@device
def addresses(state):
    """Return the state with addresses in place of arrays."""
    w, first, second = pointer(state.weights, 0), pointer(state.first, 0), pointer(state.second, 0)
    return State(w, first, second, pointer(state.mask, 0), state.masked)


@device
def _flushed(x):
    """Return x with subnormal lanes set to zero."""
    return select(absolute(x) < broadcast(_TINY), zero(), x)


@device
def _part(array, place, count):
    """Load sixteen values, or as many as there are."""
    return load(array, place) if count == LANES else load_part(array, place, count)


@device
def _keep(array, place, value, state, count):
    """Store sixteen values, or as many as there are, zero where a weight is pruned."""
    if state.masked:
        value = select(surviving(state.mask, place, count), value, zero())
    if count == LANES:
        store(array, place, value)
    else:
        store_part(array, place, value, count)


@device
def update_vector(rule, scalars, state, place, count, gradient):
    """Update weights[place : place + count], at most sixteen, and their slots with a vector of gradients."""
    weight = _part(state.weights, place, count)
    gradient = muladd(broadcast(at(scalars, _DECAY)), weight, gradient)
    rate = zero() - broadcast(at(scalars, _RATE))
    if rule == ADAM:
        first, second = _part(state.first, place, count), _part(state.second, place, count)
        first = _flushed(muladd(broadcast(at(scalars, _FIRST)), gradient - first, first))
        fresh = broadcast(at(scalars, _SECOND)) * gradient
        second = _flushed(muladd(fresh, gradient, broadcast(at(scalars, _SECOND_KEPT)) * second))
        _keep(state.first, place, first, state, count)
        _keep(state.second, place, second, state, count)
        root = square_root(second)
        gradient = first / muladd(root, broadcast(at(scalars, _CORRECTION)), broadcast(at(scalars, _EPSILON)))
    elif rule != SGD:
        momentum = broadcast(at(scalars, _MOMENTUM))
        first = _flushed(muladd(momentum, _part(state.first, place, count), gradient))
        _keep(state.first, place, first, state, count)
        gradient = muladd(momentum, first, gradient) if rule == NESTEROV else first
    _keep(state.weights, place, muladd(rate, gradient, weight), state, count)


@device
def update_range(rule, scalars, state, gradient, first, last):
    """Update weights[first:last]; all arguments are addresses."""
    for place in range(first, last, LANES):
        count = min(LANES, last - place)
        update_vector(rule, scalars, state, place, count, _part(gradient, place, count))


@device
def _update_chunk(rule, scalars, state, gradient, first, last):
    update_range(rule, pointer(scalars, 0), addresses(state), pointer(gradient, 0), first, last)


@kernel
def update_all(bounds, rule, scalars, state, gradient):
    """`update_range` over chunks of the weights."""
    if bounds.size == 2:
        _update_chunk(rule, scalars, state, gradient, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _update_chunk(rule, scalars, state, gradient, bounds[chunk], bounds[chunk + 1])
