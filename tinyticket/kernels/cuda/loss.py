"""Softmax and cross-entropy on a device: loss, gradient and hits, a thread for each sample; and their sums, which end a turn.

Lanes beyond the last sample get a loss, a gradient and a hit of zero, whatever their logits are.
"""

import math

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Division, Launch, divided
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 128
"""Of the block that sums losses."""

_ZERO, _ONE = np.float32(0), np.float32(1)


def over_lanes(g: Geometry) -> Division:
    """Have a thread for each sample."""
    return (g.lanes // WARP,), WARP, {}


@divided(over_lanes)
def cross_entropy(logits, labels, gradient, losses, hits, g, state, wanted=1):
    """Compute each lane's loss and whether it is right, and, if it is wanted, the gradient of the mean loss.

    Logits and gradient are (classes, lanes): those of a class are neighbours, so all accesses are. Labels, int32, losses
    and hits are (lanes,); a hit is 1 where the largest logit, the first of equal ones, is the label's.
    """
    lane, samples, classes, lanes = cuda.blockIdx.x * WARP + cuda.threadIdx.x, state[1], g.outputs, g.lanes
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
    """Sum losses and hits, zero in lanes beyond the last sample, pairwise, write them down for this turn, and go on to the next."""
    loss_sums = cuda.shared.array(THREADS, np.float32)
    hit_sums = cuda.shared.array(
        THREADS, np.float32
    )  # on a line of its own: the simulator tells arrays apart by their lines
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


def cross_entropy_eval(logits, labels, losses, hits, g: Geometry, state) -> Launch:
    """Compute each lane's loss and whether it is right; arguments as for `cross_entropy`."""
    return cross_entropy(logits, labels, logits, losses, hits, g, state, wanted=0)


def sum_losses(losses, hits, results, state) -> Launch:
    """Sum the losses and hits of a batch into results, (turns, 2), flat; the turn of the state becomes the next."""
    return Launch(sum_lanes, (1,), (THREADS,), (losses, hits, results, state))
