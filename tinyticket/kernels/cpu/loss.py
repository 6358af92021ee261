"""Softmax and cross-entropy of packed logits: loss, gradient and hits, sixteen samples at a time.

Labels travel as float32, exact for any number of classes there will ever be, so that they can be compared with the
class that a loop has arrived at. Lanes beyond the last sample get a loss, a gradient and a hit of zero, whatever
their logits are.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat, packed_shape
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.elementary import exponential, logarithm
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import at, below, broadcast, load, select, store, zero
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Shape

_ONE = np.float32(1)


@device
def _place(vector, shape):
    """Return where the first class of a vector of samples is."""
    tile, lane = (vector * LANES) // shape.lanes, (vector * LANES) % shape.lanes
    return tile * shape.outputs * shape.lanes + lane


@device
def _extremes(logits, start, label, shape):
    """Return the largest logit of sixteen samples, its class, the first of equal ones, and the label's logit."""
    largest, winner, chosen = load(logits, start), zero(), load(logits, start)
    for c in range(1, shape.outputs):
        logit, number = load(logits, start + c * shape.lanes), broadcast(np.float32(c))
        larger = largest < logit
        largest, winner = select(larger, logit, largest), select(larger, number, winner)
        chosen = select(label == number, logit, chosen)
    return largest, winner, chosen


@device
def _store_loss(losses, hits, vector, counted, loss, winner, label):
    store(losses, vector * LANES, select(counted, loss, zero()))
    store(hits, vector * LANES, select(counted, select(winner == label, broadcast(_ONE), zero()), zero()))


class CrossEntropy(NamedTuple):
    """The job of `cross_entropy`, whose share are vectors of sixteen samples over all tiles."""

    logits: Floats
    labels: Floats  # one a lane, as are losses and hits
    gradient: Floats  # of the mean loss by the logits
    losses: Floats
    hits: Floats  # 1 where the largest logit is the label's
    shape: Shape
    feed: Fed  # samples, batch


@kernel(CrossEntropy)
def _cross_entropy(job, first, last):
    logits, labels, gradient, losses, hits = job.logits, job.labels, job.gradient, job.losses, job.hits
    shape, samples = job.shape, job.feed.samples
    classes, lanes = shape.outputs, shape.lanes
    scale = np.float32(1) / np.float32(job.feed.batch)
    for v in range(first, last):
        start, label = _place(v, shape), load(labels, v * LANES)
        largest, winner, chosen = _extremes(logits, start, label, shape)
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
        _store_loss(losses, hits, v, counted, logarithm(total) - (chosen - largest), winner, label)


class CrossEntropyEval(NamedTuple):
    """The job of `cross_entropy_eval`, which does without the gradient: the same share, the same bits of losses and hits."""

    logits: Floats
    labels: Floats
    losses: Floats
    hits: Floats
    shape: Shape
    feed: Fed  # samples


@kernel(CrossEntropyEval)
def _cross_entropy_eval(job, first, last):
    logits, labels, losses, hits, shape, samples = (
        job.logits,
        job.labels,
        job.losses,
        job.hits,
        job.shape,
        job.feed.samples,
    )
    for v in range(first, last):
        start, label = _place(v, shape), load(labels, v * LANES)
        largest, winner, chosen = _extremes(logits, start, label, shape)
        total = zero()
        for c in range(shape.outputs):
            total = total + exponential(load(logits, start + c * shape.lanes) - largest)
        loss = logarithm(total) - (chosen - largest)
        _store_loss(losses, hits, v, below(samples - v * LANES), loss, winner, label)


class SumLosses(NamedTuple):
    """The job of `sum_losses`: the sums over the batch, in the order of its samples, by the share that begins at 0."""

    losses: Floats
    hits: Floats
    feed: Fed  # samples, results


@kernel(SumLosses)
def _sum_losses(job, first, last):
    if first == 0:
        losses, hits, feed = job.losses, job.hits, job.feed
        loss, correct = 0.0, 0.0
        for sample in range(feed.samples):
            loss += at(losses, sample)
            correct += at(hits, sample)
        put(feed.results, 0, loss)
        put(feed.results, 1, correct)


# -- functions of arrays


class Loss(NamedTuple):
    """The result of `cross_entropy`."""

    loss: float  # the mean over the samples
    correct: int  # samples whose largest logit, the first of equal ones, is the label's
    gradient: np.ndarray  # of the mean loss by the logits, packed


def cross_entropy(logits: np.ndarray, labels: np.ndarray, *, threads: int | None = None) -> Loss:
    """Compute the mean cross-entropy of a batch, its gradient by the logits and the number of correct answers.

    Parameters
    ----------
    logits : array of shape (tiles, classes, lanes)
    labels : integer array of shape (samples,)
        As many samples as there are labels count; the lanes beyond are padding.
    threads : int, optional

    Returns
    -------
    Loss

    Raises
    ------
    InputError
        If the logits are not packed, or there are labels for more samples than they hold, or of other classes.
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
    arrays = flat(logits, logits.shape, "logits"), wide, gradient, losses, hits
    run(
        CrossEntropy(*arrays, shape, Feed(samples=labels.size, batch=labels.size)), even_shares(spots // LANES, threads)
    )
    return Loss(float(losses.sum(dtype=np.float64)) / labels.size, int(hits.sum()), gradient)
