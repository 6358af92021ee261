"""Softmax and cross-entropy on a device: loss, gradient and hits, a thread for each sample; and their sums, which end a turn.

Lanes beyond the last sample get a loss, a gradient and a hit of zero, whatever their logits are.
"""

import math
from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 128
"""Of the block that sums losses."""

_ZERO, _ONE = np.float32(0), np.float32(1)


@cuda.jit
def measure_lanes(logits, labels, gradient, losses, hits, state, classes, lanes, wanted):
    """Softmax-cross-entropy of a lane in each thread; logits of a class are neighbours, so all accesses are."""
    lane, samples = cuda.blockIdx.x * WARP + cuda.threadIdx.x, state[1]
    counted = lane < samples
    loss, hit = _ZERO, _ZERO
    largest, total = _ZERO, _ONE
    label = labels[np.uint32(lane)]
    if counted:
        largest = logits[np.uint32(lane)]
        winner = 0
        for c in range(1, classes):
            logit = logits[np.uint32(c * lanes + lane)]
            if largest < logit:
                largest, winner = logit, c
        total = _ZERO
        for c in range(classes):
            total += math.exp(logits[np.uint32(c * lanes + lane)] - largest)
        loss = math.log(total) - (logits[np.uint32(label * lanes + lane)] - largest)
        if winner == label:
            hit = _ONE
    losses[np.uint32(lane)] = loss
    hits[np.uint32(lane)] = hit
    if wanted != 0:
        scale = _ONE / np.float32(samples)
        factor = scale / total
        for c in range(classes):
            value = _ZERO
            if counted:
                value = math.exp(logits[np.uint32(c * lanes + lane)] - largest) * factor
                if c == label:
                    value -= scale
            gradient[np.uint32(c * lanes + lane)] = value


@cuda.jit
def sum_lanes(losses, hits, results, state):
    """Sum losses and hits pairwise, write them down for this turn, and go on to the next."""
    loss_sums = cuda.shared.array(THREADS, np.float32)
    hit_sums = cuda.shared.array(THREADS, np.float32)
    thread = cuda.threadIdx.x
    loss, hit = _ZERO, _ZERO
    for lane in range(thread, losses.size, THREADS):
        loss += losses[np.uint32(lane)]
        hit += hits[np.uint32(lane)]
    loss_sums[thread], hit_sums[thread] = loss, hit
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if thread < half:
            loss_sums[thread] += loss_sums[thread + half]
            hit_sums[thread] += hit_sums[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        turn = state[0]
        results[np.uint32(2 * turn)] = loss_sums[0]
        results[np.uint32(2 * turn + 1)] = hit_sums[0]
        state[0] = turn + 1


def cross_entropy(logits: Any, labels: Any, gradient: Any, losses: Any, hits: Any, g: Geometry, state: Any) -> Launch:
    """Compute each lane's loss and whether it is right, and the gradient of the mean loss.

    Parameters
    ----------
    logits : float32 device array of (classes, lanes), flat
    labels : int32 device array of (lanes,)
    gradient : float32 device array of the logits' size
    losses, hits : float32 device arrays of (lanes,)
        `hits` becomes 1 where the largest logit, the first of equal ones, is the label's.
    g : Geometry
        Its outputs are the classes.
    state : int32 device array of (2,)
        The turn, and how many lanes hold samples.
    """
    arguments = logits, labels, gradient, losses, hits, state, g.outputs, g.lanes, 1
    return Launch(measure_lanes, (g.lanes // WARP,), (WARP,), arguments)


def cross_entropy_eval(logits: Any, labels: Any, losses: Any, hits: Any, g: Geometry, state: Any) -> Launch:
    """Compute each lane's loss and whether it is right; arguments as in `cross_entropy`."""
    arguments = logits, labels, logits, losses, hits, state, g.outputs, g.lanes, 0
    return Launch(measure_lanes, (g.lanes // WARP,), (WARP,), arguments)


def sum_losses(losses: Any, hits: Any, results: Any, state: Any) -> Launch:
    """Sum the losses and hits of a batch, and go on to the next turn.

    Parameters
    ----------
    losses, hits : float32 device arrays of (lanes,)
        Zero in lanes beyond the last sample.
    results : float32 device array of (turns, 2), flat
        Of this turn, becomes the sum of the losses and the number of hits.
    state : int32 device array of (2,)
        The turn, which becomes the next, and how many lanes hold samples.
    """
    return Launch(sum_lanes, (1,), (THREADS,), (losses, hits, results, state))
