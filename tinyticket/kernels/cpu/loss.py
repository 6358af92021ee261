"""Softmax and cross-entropy of packed logits: loss, gradient and hits, sixteen samples at a time.

Labels travel as float32, exact for any number of classes there will ever be, so that they can be compared with the class that a
loop has arrived at. Lanes beyond the last sample get a loss, a gradient and a hit of zero, whatever their logits are.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, kernel, run, specialised
from tinyticket.kernels.cpu.packing import empty, packed_shape
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


class CrossEntropy(NamedTuple):
    """The job of `cross_entropy`, whose share are vectors of sixteen samples over all tiles."""

    logits: Floats
    labels: Floats  # one a lane, as are losses and hits
    gradient: Floats  # of the mean loss by the logits; not in evaluation
    losses: Floats
    hits: Floats  # 1 where the largest logit is the label's
    shape: Shape
    feed: Fed  # samples, batch


class CrossEntropyEval(CrossEntropy):
    """The job of `cross_entropy_eval`, which does without the gradient: the same bits of losses and hits."""


_gradient: Any = None  # stands for whether the gradient is written


def _losses(job, first, last):
    """Write losses and hits, and perhaps the gradient."""
    logits, shape, samples = job.logits, job.shape, job.feed.samples
    classes, lanes, scale = shape.outputs, shape.lanes, broadcast(_ONE / np.float32(job.feed.batch))
    for v in range(first, last):
        start, label = _place(v, shape), load(job.labels, v * LANES)
        largest, winner, chosen = _extremes(logits, start, label, shape)
        total = zero()
        for c in range(classes):
            power = exponential(load(logits, start + c * lanes) - largest)
            if _gradient:
                store(job.gradient, start + c * lanes, power)
            total = total + power
        counted = below(samples - v * LANES)
        if _gradient:
            factor = scale / total
            for c in range(classes):
                share = load(job.gradient, start + c * lanes) * factor
                pulled = select(label == broadcast(np.float32(c)), share - scale, share)
                store(job.gradient, start + c * lanes, select(counted, pulled, zero()))
        loss, hit = logarithm(total) - (chosen - largest), select(winner == label, broadcast(_ONE), zero())
        store(job.losses, v * LANES, select(counted, loss, zero()))
        store(job.hits, v * LANES, select(counted, hit, zero()))


kernel(CrossEntropy)(specialised(_losses, "_cross_entropy", _gradient=True))
kernel(CrossEntropyEval)(specialised(_losses, "_cross_entropy_eval", _gradient=False))


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


class StoreLosses(NamedTuple):
    """The job of `store_losses`: what `sum_losses` would add up, for sums over more samples than a turn's; by the share from 0."""

    losses: Floats
    hits: Floats
    feed: Fed  # samples, results: two for each sample


@kernel(StoreLosses)
def _store_losses(job, first, last):
    if first == 0:
        losses, hits, feed = job.losses, job.hits, job.feed
        for sample in range(feed.samples):
            put(feed.results, 2 * sample, np.float64(at(losses, sample)))
            put(feed.results, 2 * sample + 1, np.float64(at(hits, sample)))


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

    Raises
    ------
    InputError
        If the logits are not packed, or there are labels for more samples than they hold, or of other classes.
    """
    shape = packed_shape(logits, "logits")
    spots = shape.tiles * shape.lanes
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not 0 < labels.size <= spots:
        given = f"{labels.dtype} of shape {labels.shape}"
        raise InputError(
            f"labels are whole numbers, one for each of at most {spots} samples of the logits, not {given}"
        )
    if labels.min() < 0 or labels.max() >= shape.outputs:
        raise InputError(f"labels must be from 0 to {shape.outputs - 1}, not {labels.min()} to {labels.max()}")
    wide, losses, hits, gradient = empty(spots), empty(spots), empty(spots), empty(*logits.shape)
    wide[:] = 0
    wide[: labels.size] = labels
    arrays = flat(logits, logits.shape, "logits"), wide, gradient, losses, hits
    job = CrossEntropy(*arrays, shape, Feed(samples=labels.size, batch=labels.size))
    run(job, even_shares(spots // LANES, threads))
    return Loss(float(losses.sum(dtype=np.float64)) / labels.size, int(hits.sum()), gradient)
