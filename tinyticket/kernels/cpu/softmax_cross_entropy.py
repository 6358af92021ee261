"""Softmax and cross-entropy of packed logits: loss, gradient and hits, sixteen samples at a time.

Labels travel as float32, exact for any number of classes there will ever be, so that they can be compared with the
class that a loop has arrived at. Lanes beyond the last sample get a loss, a gradient and a hit of zero, whatever
their logits are.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, packed_shape
from tinyticket.kernels.cpu.vector.elementary import exponential, logarithm
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import below, broadcast, load, pointer, select, store, zero
from tinyticket.kernels.cpu.threads import thread_count

_ONE = np.float32(1)


class CrossEntropy(NamedTuple):
    """What a batch's loss is made of."""

    loss: float  # the mean over the samples
    correct: int  # samples whose largest logit, the first of equal ones, is the label's
    gradient: np.ndarray  # of the mean loss by the logits, packed


@device
def cross_entropy_vectors(logits, labels, gradient, losses, hits, shape, samples, scale, first, last):
    """Losses, hits and gradient times `scale` of the vectors first to last of all tiles; arguments are addresses."""
    classes, lanes = shape.outputs, shape.lanes
    for v in range(first, last):
        tile, lane = (v * LANES) // lanes, (v * LANES) % lanes
        start = tile * classes * lanes + lane
        label = load(labels, v * LANES)
        largest, winner, chosen = load(logits, start), zero(), load(logits, start)
        for c in range(1, classes):
            logit, number = load(logits, start + c * lanes), broadcast(np.float32(c))
            larger = largest < logit
            largest, winner = select(larger, logit, largest), select(larger, number, winner)
            chosen = select(label == number, logit, chosen)
        total = zero()
        for c in range(classes):
            power = exponential(load(logits, start + c * lanes) - largest)
            store(gradient, start + c * lanes, power)
            total = total + power
        counted = below(samples - v * LANES)
        factor = broadcast(scale) / total
        for c in range(classes):
            share = load(gradient, start + c * lanes) * factor
            pulled = select(label == broadcast(np.float32(c)), share - broadcast(scale), share)
            store(gradient, start + c * lanes, select(counted, pulled, zero()))
        store(losses, v * LANES, select(counted, logarithm(total) - (chosen - largest), zero()))
        store(hits, v * LANES, select(counted, select(winner == label, broadcast(_ONE), zero()), zero()))


@device
def _chunk(logits, labels, gradient, losses, hits, shape, samples, scale, first, last):
    z, y, g = pointer(logits, 0), pointer(labels, 0), pointer(gradient, 0)
    cross_entropy_vectors(z, y, g, pointer(losses, 0), pointer(hits, 0), shape, samples, scale, first, last)


@kernel
def cross_entropy(bounds, logits, labels, gradient, losses, hits, shape, samples, scale):
    """`cross_entropy_vectors` over chunks of samples."""
    if bounds.size == 2:
        _chunk(logits, labels, gradient, losses, hits, shape, samples, scale, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _chunk(logits, labels, gradient, losses, hits, shape, samples, scale, first, last)


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray, *, threads: int | None = None) -> CrossEntropy:
    """Compute the mean cross-entropy of a batch, its gradient by the logits and the number of correct answers.

    Parameters
    ----------
    logits : array of shape (tiles, classes, lanes)
    labels : integer array of shape (samples,)
        As many samples as there are labels count; the lanes beyond are padding.
    threads : int, optional

    Returns
    -------
    CrossEntropy
    """
    shape = packed_shape(logits, "logits")
    spots = shape.tiles * shape.lanes
    labels = np.asarray(labels)
    if labels.ndim != 1 or not 0 < labels.size <= spots:
        raise InputError(f"labels have shape {labels.shape}, but the logits hold at most {spots} samples")
    if labels.min() < 0 or labels.max() >= shape.outputs:
        raise InputError(f"labels must be from 0 to {shape.outputs - 1}, not {labels.min()} to {labels.max()}")
    wide, losses, hits, gradient = empty(spots), empty(spots), empty(spots), empty(*logits.shape)
    wide[:] = 0
    wide[: labels.size] = labels
    bounds = even_bounds(spots // LANES, thread_count(threads))
    scale = np.float32(1 / labels.size)
    arrays = flat(logits, logits.shape, "logits"), wide, gradient.reshape(-1), losses, hits
    cross_entropy(bounds, *arrays, shape, labels.size, scale)
    return CrossEntropy(float(losses.sum(dtype=np.float64)) / labels.size, int(hits.sum()), gradient)
