"""Mean squared error of packed outputs: loss and gradient, sixteen samples at a time.

Targets are read where the data set has them, one number for each output. Lanes beyond the last sample get a loss and a gradient of
zero, whatever their outputs are.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, kernel, run, specialised
from tinyticket.kernels.cpu.packing import empty, packed_shape
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import at, below, broadcast, load, select, store, zero
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Shape

_ONE, _TWO = np.float32(1), np.float32(2)


class MseLoss(NamedTuple):
    """The job of `mse_loss`, whose share are vectors of sixteen samples over all tiles."""

    outputs: Floats
    gradient: Floats  # of the mean loss by the outputs; not in evaluation
    losses: Floats  # one a lane, as are hits
    hits: Floats  # zeros: numbers are not right or wrong
    shape: Shape
    feed: Fed  # samples, batch, indices, labels: an example's targets beside each other


class MseLossEval(MseLoss):
    """The job of `mse_loss_eval`, which does without the gradient: the same bits of losses."""


_gradient: Any = None  # stands for whether the gradient is written


def _losses(job, first, last):
    """Write losses, and perhaps the gradient."""
    outputs, losses, shape, feed = job.outputs, job.losses, job.shape, job.feed
    known, indices, samples, lanes, count = feed.labels, feed.indices, feed.samples, shape.lanes, shape.outputs
    scale, share = broadcast(_TWO / np.float32(feed.batch * count)), broadcast(_ONE / np.float32(count))
    for v in range(first, last):
        start = (v * LANES) // lanes * count * lanes + (v * LANES) % lanes
        total, counted = zero(), below(samples - v * LANES)
        for c in range(count):
            for sample in range(v * LANES, (v + 1) * LANES):  # the targets of sixteen samples, where the losses will be
                put(losses, sample, at(known, at(indices, min(sample, samples - 1)) * count + c))
            distance = load(outputs, start + c * lanes) - load(losses, v * LANES)
            total = total + distance * distance
            if _gradient:
                store(job.gradient, start + c * lanes, select(counted, distance * scale, zero()))
        store(losses, v * LANES, select(counted, total * share, zero()))
        store(job.hits, v * LANES, zero())


kernel(MseLoss)(specialised(_losses, "_mse_loss", _gradient=True))
kernel(MseLossEval)(specialised(_losses, "_mse_loss_eval", _gradient=False))


# -- functions of arrays


class Loss(NamedTuple):
    """The result of `mse_loss`."""

    loss: float  # the mean over samples and outputs
    gradient: np.ndarray  # of the mean loss by the outputs, packed


def mse_loss(outputs: np.ndarray, targets: np.ndarray, *, threads: int | None = None) -> Loss:
    """Compute the mean squared error of a batch and its gradient by the outputs.

    Parameters
    ----------
    outputs : array of shape (tiles, outputs, lanes)
    targets : float array of shape (samples, outputs)
        As many samples as there are targets count; the lanes beyond are padding.
    threads : int, optional

    Raises
    ------
    InputError
        If the outputs are not packed, or the targets are not real numbers for at most as many samples as they hold.
    """
    shape = packed_shape(outputs, "outputs")
    spots, wanted = shape.tiles * shape.lanes, (targets.shape[0] if targets.ndim else 0, shape.outputs)
    if targets.dtype.kind != "f" or targets.shape != wanted or not 0 < len(targets) <= spots:
        given = f"{targets.dtype} of shape {targets.shape}"
        raise InputError(f"targets are real numbers, {shape.outputs} for each of at most {spots} samples, not {given}")
    losses, hits, gradient, samples = empty(spots), empty(spots), empty(*outputs.shape), len(targets)
    known = np.ascontiguousarray(targets, np.float32).reshape(-1)
    feed = Feed(samples=samples, batch=samples, labels=known, indices=np.arange(samples))
    run(
        MseLoss(flat(outputs, outputs.shape, "outputs"), gradient, losses, hits, shape, feed),
        even_shares(spots // LANES, threads),
    )
    return Loss(float(losses.sum(dtype=np.float64)) / samples, gradient)
