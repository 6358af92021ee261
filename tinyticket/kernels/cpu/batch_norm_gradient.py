"""The gradients of a batch normalisation by its input, its addend, its weight and its bias; `batch_norm` tells how."""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import (
    addend_like,
    elementwise_window,
    even_shares,
    flat_each,
    images_like,
    images_to_write,
)
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.image_common import finish, passing, plane_of, row_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, broadcast, load, muladd, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, masked, valid_lanes, wide_zero, widened
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Image, Window, check_samples


class BatchNormGradient(NamedTuple):
    """The job of `batch_norm_gradient`, whose share are channels, each in all tiles; fields as in `BatchNorm`."""

    x: Floats
    y: Floats  # read only with an addend and a ReLU
    dy: Floats
    dx: Floats  # may be x
    addend: Floats  # as d_addend, touched only if there is one
    d_addend: Floats  # may be dy, unless the addend is x
    weight: Floats
    bias: Floats
    mean: Floats
    inverse: Floats
    dweight: Floats
    dbias: Floats
    has_addend: bool
    relu: bool  # dy passes only where y is positive; compiled steps see to it where y is read
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    add_to_addend: bool  # start from what d_addend holds
    addend_is_relu_output: bool
    window: Window
    addend_image: Image
    feed: Fed  # samples: lanes beyond get no gradient


@device
def _upstream(off, above, after, w, channel, lanes, has_addend, relu):
    """Return the gradient by what went into the ReLU, zero in lanes without a sample; off is x - mean."""
    gradient = load(above, w)
    if relu:
        gradient = passing(load(after, w) if has_addend else muladd(off, channel[1], channel[2]), gradient)
    return masked(gradient, lanes)


@device
def _add_vector(before, above, after, w, channel, lanes, has_addend, relu, total, product):
    """Add an upstream gradient to one total, and its product with x - mean to the other."""
    off = load(before, w) - channel[0]
    gradient = _upstream(off, above, after, w, channel, lanes, has_addend, relu)
    return total + gradient, muladd(gradient, off, product)


@device
def _sums(x, y, dy, window, samples, channel, has_addend, relu):
    """Return the sums of the upstream gradient, and of its product with x - mean, in float64."""
    total, product = wide_zero(), wide_zero()
    for tile in range(window.tiles):
        channels, lanes = tile * window.inputs, valid_lanes(samples, tile)
        for h in range(window.height):
            before = advance(x, channels * window.x_plane + h * window.x_row)
            place = channels * window.y_plane + h * window.y_row
            after, above = advance(y, place), advance(dy, place)
            a, b, c, d = zero(), zero(), zero(), zero()
            w, end = 0, window.width * LANES
            while w + LANES < end:
                a, b = _add_vector(before, above, after, w, channel, lanes, has_addend, relu, a, b)
                c, d = _add_vector(before, above, after, w + LANES, channel, lanes, has_addend, relu, c, d)
                w += 2 * LANES
            if w < end:
                a, b = _add_vector(before, above, after, w, channel, lanes, has_addend, relu, a, b)
            total, product = widened(total, a + c), widened(product, masked(b + d, lanes))
    return lane_sum(total), lane_sum(product)


@kernel(BatchNormGradient)
def _batch_norm_gradient(job, first, last):
    window, samples, has_addend, relu = job.window, job.feed.samples, job.has_addend, job.relu
    count = np.float64(samples * window.height * window.width)
    for channel in range(first, last):
        before, after = advance(job.x, channel * window.x_plane), advance(job.y, channel * window.y_plane)
        above = advance(job.dy, channel * window.y_plane)
        root = at(job.inverse, channel)
        scale = root * at(job.weight, channel)
        vectors = broadcast(at(job.mean, channel)), broadcast(scale), broadcast(at(job.bias, channel))
        total, product = _sums(before, after, above, window, samples, vectors, has_addend, relu)
        put(job.dbias, channel, np.float32(total))
        put(job.dweight, channel, np.float32(product * np.float64(root)))
        level = np.float32(total / count)
        slope = np.float32(product * np.float64(root) * np.float64(root) / count)
        _input_gradient(job, channel, before, after, above, vectors, broadcast(level), broadcast(slope))


@device
def _input_gradient(job, number, x, y, dy, channel, level, slope):
    """Write one channel of dx = scale * (g - mean of g - (x - mean) * slope), and hand g on to the addend."""
    window, addend_image, samples = job.window, job.addend_image, job.feed.samples
    has_addend, relu, add, x_is_relu_output = job.has_addend, job.relu, job.add, job.x_is_relu_output
    add_to_addend, addend_is_relu_output = job.add_to_addend, job.addend_is_relu_output
    place = number * plane_of(addend_image)
    dx, addend, d_addend = (
        advance(job.dx, number * window.x_plane),
        advance(job.addend, place),
        advance(job.d_addend, place),
    )
    for tile in range(window.tiles - 1, -1, -1):
        channels, lanes = tile * window.inputs, valid_lanes(samples, tile)
        for h in range(window.height):
            start = channels * window.x_plane + h * window.x_row
            before, result = advance(x, start), advance(dx, start)
            start = channels * window.y_plane + h * window.y_row
            after, above = advance(y, start), advance(dy, start)
            start = channels * plane_of(addend_image) + h * row_of(addend_image)
            beside, passed = advance(addend, start), advance(d_addend, start)
            for w in range(0, window.width * LANES, LANES):
                off = load(before, w) - channel[0]
                gradient = _upstream(off, above, after, w, channel, lanes, has_addend, relu)
                centered = masked(channel[1] * ((gradient - level) - off * slope), lanes)
                finish(result, w, centered, before, add, x_is_relu_output)
                if has_addend:
                    finish(passed, w, gradient, beside, add_to_addend, addend_is_relu_output)


# -- function of arrays


def batch_norm_gradient(
    x: Images,
    y: Images,
    dy: Images,
    weight: np.ndarray,
    bias: np.ndarray,
    mean: np.ndarray,
    inverse: np.ndarray,
    samples: int,
    *,
    addend: Images | None = None,
    relu: bool = False,
    add_to: Written[Images] | None = None,
    x_is_relu_output: bool = False,
    addend_add_to: Written[Images] | None = None,
    addend_is_relu_output: bool = False,
    threads: int | None = None,
) -> tuple[Images, Images | None, np.ndarray, np.ndarray]:
    """Return the gradients of `batch_norm` by its input, its addend, its weight and its bias.

    x, y, weight, bias, mean, inverse, samples, addend and relu are what `batch_norm` was given and returned, dy is like y, and
    options are as in `kernels.cpu`.

    Returns
    -------
    dx : Images like x, zero in lanes without a sample
    d_addend : Images like the addend; None without one
    dweight, dbias : arrays of shape (channels,)

    Raises
    ------
    InputError
        If the tiles do not hold so many samples.
    """
    window, channels = elementwise_window(x, y.border), (x.geometry.channels,)
    check_samples(samples, x.tiles, least=1)
    after = x.geometry._replace(border=y.border)
    dx, dweight, dbias = images_to_write(add_to, x.tiles, x.geometry, "add_to"), empty(*channels), empty(*channels)
    beside, image = addend_like(addend, x)
    if addend is None and addend_add_to is not None:
        raise InputError("addend_add_to is added to the gradient of an addend, but there is none")
    d_addend = None if addend is None else images_to_write(addend_add_to, x.tiles, image, "addend_add_to")
    images = x.interior, images_like(y, x.tiles, after, "y"), images_like(dy, x.tiles, after, "dy"), dx.interior, beside
    numbers = flat_each(channels, weight=weight, bias=bias, mean=mean, inverse=inverse)
    arrays = *images, 0 if d_addend is None else d_addend.interior, *numbers, dweight, dbias
    of_x, of_addend = (add_to is not None, x_is_relu_output), (addend_add_to is not None, addend_is_relu_output)
    flags = addend is not None, relu, *of_x, *of_addend
    job = BatchNormGradient._make((*arrays, *flags, window, image, Feed(samples=samples)))
    run(job, even_shares(*channels, threads))
    return dx, d_addend, dweight, dbias
