"""Batch normalisation (Ioffe and Szegedy 2015) of packed images, with what usually follows fused: an addend and a ReLU.

A channel belongs to one thread, in all tiles. Training reads it twice: for its moments about a number near the mean (the
difference of two large sums would not do), and to normalise. Only lanes that hold samples count. The backward pass reads twice,
too: for the two sums that are the gradients of bias and weight, and for the input's gradient. Second readings go from the last
tile to the first, because a channel is about as large as the second-level cache and its end is what is still there. A ReLU's mask
is recomputed from x, by the same operations on the same numbers, rather than read from y, unless an addend took part.
"""

import math
from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import addend_like, elementwise_window, even_shares, flat_each, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.image_common import plane_of, row_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, broadcast, load, muladd, relu, store
from tinyticket.kernels.cpu.vector.sums import lane_sum, masked, row_moments, row_sum, valid_lanes, wide_zero, widened
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Image, Window, check_samples


class BatchNorm(NamedTuple):
    """The job of `batch_norm`, whose share are channels, each in all tiles."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # may be x
    addend: Floats
    weight: Floats  # one number a channel, as all that follow
    bias: Floats
    running_mean: Floats  # moved towards the batch's mean by the share `momentum`
    running_variance: Floats  # the same of the unbiased variance
    mean: Floats  # written for the gradient: the batch's mean ...
    inverse: Floats  # ... and one over its standard deviation
    epsilon: float  # taken as float32, as is momentum
    momentum: float
    has_addend: bool  # y = relu?(normalised x + addend?)
    relu: bool
    window: Window  # of x and y: one by one pixel
    addend_image: Image
    feed: Fed  # samples: lanes beyond count for nothing


class BatchNormAgain(NamedTuple):
    """The job of `batch_norm_again`: y once more, bit for bit, after a `batch_norm` without addend; fields as there."""

    x: Floats
    y: Floats
    weight: Floats
    bias: Floats
    mean: Floats
    inverse: Floats
    relu: bool
    window: Window


class BatchNormEval(NamedTuple):
    """The job of `batch_norm_eval`; fields and share as in `BatchNorm`."""

    x: Floats
    y: Floats
    addend: Floats
    weight: Floats
    bias: Floats
    running_mean: Floats
    running_variance: Floats
    epsilon: float
    has_addend: bool
    relu: bool
    window: Window
    addend_image: Image


@device
def _moments_about(x, window, samples, center):
    """Return how far the mean of one channel over the samples lies from `center`, and its biased variance, in float64."""
    total, squares, near = wide_zero(), wide_zero(), broadcast(center)
    for tile in range(window.tiles):
        start, lanes = tile * window.inputs * window.x_plane, valid_lanes(samples, tile)
        for h in range(window.height):
            first, second = row_moments(advance(x, start + h * window.x_row), window.width, near)
            total, squares = widened(total, masked(first, lanes)), widened(squares, masked(second, lanes))
    count = np.float64(samples * window.height * window.width)
    off = lane_sum(total) / count
    return off, max(lane_sum(squares) / count - off * off, 0.0)


@device
def _moments(x, window, samples):
    """Return the mean and the biased variance of one channel over the samples, in float64.

    They are taken about the mean of the first row; should that turn out to be more than a deviation away, once more about the mean.
    """
    lanes = valid_lanes(samples, 0)
    row = lane_sum(widened(wide_zero(), masked(row_sum(x, window.width), lanes)))
    center = np.float32(row / np.float64(lanes * window.width))
    off, variance = _moments_about(x, window, samples, center)
    mean = np.float64(center) + off
    if off * off > variance:
        center = np.float32(mean)
        off, variance = _moments_about(x, window, samples, center)
        mean = np.float64(center) + off
    return mean, variance


@device
def _normalise(images, channel, mean, scale, shift, has_addend, with_relu):
    """Write one channel of y = (x - mean) * scale + shift, perhaps plus an addend, perhaps through a ReLU."""
    x, y, addend, window, addend_image = images
    mean, scale, shift = broadcast(mean), broadcast(scale), broadcast(shift)
    for tile in range(window.tiles - 1, -1, -1):
        plane = tile * window.inputs + channel
        for h in range(window.height):
            before = advance(x, plane * window.x_plane + h * window.x_row)
            after = advance(y, plane * window.y_plane + h * window.y_row)
            beside = advance(addend, plane * plane_of(addend_image) + h * row_of(addend_image))
            for w in range(0, window.width * LANES, LANES):
                value = muladd(load(before, w) - mean, scale, shift)
                if has_addend:
                    value = value + load(beside, w)
                store(after, w, relu(value) if with_relu else value)


@kernel(BatchNorm)
def _batch_norm(job, first, last):
    window, samples, running_mean, running_variance = (
        job.window,
        job.feed.samples,
        job.running_mean,
        job.running_variance,
    )
    epsilon, momentum = np.float64(np.float32(job.epsilon)), np.float64(np.float32(job.momentum))
    count = np.float64(samples * window.height * window.width)
    images = job.x, job.y, job.addend, window, job.addend_image
    for channel in range(first, last):
        average, variance = _moments(advance(job.x, channel * window.x_plane), window, samples)
        near, root = np.float32(average), np.float32(1.0 / math.sqrt(variance + epsilon))
        put(job.mean, channel, near)
        put(job.inverse, channel, root)
        old = np.float64(at(running_mean, channel))
        put(running_mean, channel, np.float32(old + momentum * (average - old)))
        old = np.float64(at(running_variance, channel))
        put(running_variance, channel, np.float32(old + momentum * (variance * count / (count - 1.0) - old)))
        scale, shift = root * at(job.weight, channel), at(job.bias, channel)
        _normalise(images, channel, near, scale, shift, job.has_addend, job.relu)


@kernel(BatchNormAgain)
def _batch_norm_again(job, first, last):
    window = job.window
    images = job.x, job.y, job.x, window, Image(window.outputs, window.height, window.width, 0, 0)  # no addend
    for channel in range(first, last):
        scale, shift = at(job.inverse, channel) * at(job.weight, channel), at(job.bias, channel)
        _normalise(images, channel, at(job.mean, channel), scale, shift, False, job.relu)


@kernel(BatchNormEval)
def _batch_norm_eval(job, first, last):
    epsilon, images = np.float64(np.float32(job.epsilon)), (job.x, job.y, job.addend, job.window, job.addend_image)
    for channel in range(first, last):
        variance = np.float64(at(job.running_variance, channel)) + epsilon
        scale, shift = np.float32(1.0 / math.sqrt(variance)) * at(job.weight, channel), at(job.bias, channel)
        _normalise(images, channel, at(job.running_mean, channel), scale, shift, job.has_addend, job.relu)


# -- functions of arrays


def batch_norm(
    x: Images,
    weight: np.ndarray,
    bias: np.ndarray,
    running_mean: Written[np.ndarray],
    running_variance: Written[np.ndarray],
    samples: int,
    *,
    addend: Images | None = None,
    relu: bool = False,
    epsilon: float = 1e-5,
    momentum: float = 0.1,
    border: int = 0,
    threads: int | None = None,
) -> tuple[Images, np.ndarray, np.ndarray]:
    """Normalise each channel by the mean and variance of the batch (Ioffe and Szegedy 2015, algorithm 1).

    Parameters
    ----------
    x : Images
    weight, bias : arrays of shape (channels,)
    running_mean, running_variance : float32 arrays of shape (channels,)
        Changed in place: moved towards the mean and the unbiased variance by the share `momentum`.
    samples : int
        How many lanes hold samples; the rest count for nothing.
    addend : Images of x's size, optional
        Added after normalising, before the ReLU.
    epsilon : float
        Added to the variance.
    momentum : float
    relu, border, threads
        As in `kernels.cpu`.

    Returns
    -------
    y : Images
    mean, inverse : arrays of shape (channels,)
        The batch's mean and one over its standard deviation, which `batch_norm_gradient` needs.

    Raises
    ------
    InputError
        If the tiles do not hold so many samples, or if there is one number a channel only.
    """
    window, channels = elementwise_window(x, border), (x.geometry.channels,)
    check_samples(samples, x.tiles, least=1)
    if samples * window.height * window.width == 1:
        raise InputError("a variance needs more than one value a channel, but the batch has one sample of one pixel")
    y, mean, inverse = Images.zeros(x.tiles, x.geometry._replace(border=border)), empty(*channels), empty(*channels)
    beside, image = addend_like(addend, x)
    parameters = flat_each(channels, weight=weight, bias=bias)
    running = flat_each(channels, flat_output, running_mean=running_mean, running_variance=running_variance)
    arrays = x.interior, y.interior, beside, *parameters, *running, mean, inverse
    settings = float(epsilon), float(momentum), addend is not None, relu, window, image, Feed(samples=samples)
    run(BatchNorm._make((*arrays, *settings)), even_shares(*channels, threads))
    return y, mean, inverse


def batch_norm_eval(
    x: Images,
    weight: np.ndarray,
    bias: np.ndarray,
    running_mean: np.ndarray,
    running_variance: np.ndarray,
    *,
    addend: Images | None = None,
    relu: bool = False,
    epsilon: float = 1e-5,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Normalise each channel by the running mean and variance; arguments and y as in `batch_norm`."""
    window, channels = elementwise_window(x, border), (x.geometry.channels,)
    y = Images.zeros(x.tiles, x.geometry._replace(border=border))
    beside, image = addend_like(addend, x)
    numbers = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_variance": running_variance}
    arrays = x.interior, y.interior, beside, *flat_each(channels, **numbers)
    job = BatchNormEval._make((*arrays, float(epsilon), addend is not None, relu, window, image))
    run(job, even_shares(*channels, threads))
    return y
