"""The gradients of a batch normalisation by its input, its addend, its weight and its bias."""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares, flat, images_like, images_to_write
from tinyticket.kernels.cpu.batch_norm.forward import addend_like, check_samples
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.image_common import finish, passing, plane_of, row_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, broadcast, load, muladd, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, masked, valid_lanes, wide_zero, widened
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Image, Window


@device
def _upstream(off, above, after, w, scale, shift, lanes, has_addend, relu):
    """Return the gradient by what went into the ReLU, zero in lanes without a sample."""
    gradient = load(above, w)
    if relu:
        gradient = passing(load(after, w) if has_addend else muladd(off, scale, shift), gradient)
    return masked(gradient, lanes)


@device
def _sums(x, y, dy, window, samples, mean, scale, shift, has_addend, relu):
    """Return the sums of the upstream gradient, and of its product with x - mean, in float64."""
    mean, scale, shift = broadcast(mean), broadcast(scale), broadcast(shift)
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
                off = load(before, w) - mean
                gradient = _upstream(off, above, after, w, scale, shift, lanes, has_addend, relu)
                a, b = a + gradient, muladd(gradient, off, b)
                off = load(before, w + LANES) - mean
                gradient = _upstream(off, above, after, w + LANES, scale, shift, lanes, has_addend, relu)
                c, d = c + gradient, muladd(gradient, off, d)
                w += 2 * LANES
            if w < end:
                off = load(before, w) - mean
                gradient = _upstream(off, above, after, w, scale, shift, lanes, has_addend, relu)
                a, b = a + gradient, muladd(gradient, off, b)
            total, product = widened(total, a + c), widened(product, masked(b + d, lanes))
    return lane_sum(total), lane_sum(product)


class BatchNormGradient(NamedTuple):
    """The job of `batch_norm_gradient`, whose share are channels, each in all tiles."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # read only with an addend and a ReLU
    dy: Floats
    dx: Floats  # may be x
    addend: Floats  # as d_addend, touched only if there is one
    d_addend: Floats  # may be dy, unless the addend is x
    weight: Floats  # one number a channel, as all that follow
    bias: Floats
    mean: Floats  # as `batch_norm` left them
    inverse: Floats
    dweight: Floats
    dbias: Floats
    has_addend: bool  # as in `batch_norm`
    relu: bool  # dy passes only where y is positive; compiled steps see to it where y is read
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    add_to_addend: bool  # start from what d_addend holds
    addend_is_relu_output: bool
    window: Window
    addend_image: Image
    feed: Fed  # samples: lanes beyond get no gradient


@kernel(BatchNormGradient)
def _batch_norm_gradient(job, first, last):
    window, addend_image, samples = job.window, job.addend_image, job.feed.samples
    has_addend, relu, add, x_is_relu_output = job.has_addend, job.relu, job.add, job.x_is_relu_output
    flags = has_addend, relu, add, x_is_relu_output, job.add_to_addend, job.addend_is_relu_output
    count = np.float64(samples * window.height * window.width)
    for channel in range(first, last):
        before, gradient = advance(job.x, channel * window.x_plane), advance(job.dx, channel * window.x_plane)
        after, above = advance(job.y, channel * window.y_plane), advance(job.dy, channel * window.y_plane)
        plane = channel * plane_of(addend_image)
        beside, passed = advance(job.addend, plane), advance(job.d_addend, plane)
        near, root, shift = at(job.mean, channel), at(job.inverse, channel), at(job.bias, channel)
        scale = root * at(job.weight, channel)
        total, product = _sums(before, after, above, window, samples, near, scale, shift, has_addend, relu)
        put(job.dbias, channel, np.float32(total))
        put(job.dweight, channel, np.float32(product * np.float64(root)))
        level = np.float32(total / count)
        slope = np.float32(product * np.float64(root) * np.float64(root) / count)
        vectors = broadcast(near), broadcast(scale), broadcast(shift), broadcast(level), broadcast(slope)
        addresses = before, after, above, gradient, beside, passed
        _input_gradient(addresses, vectors, window, addend_image, samples, flags)


@device
def _input_gradient(addresses, vectors, window, addend_image, samples, flags):
    """Write one channel of dx = scale * (g - mean of g - (x - mean) * slope), and hand g on to the addend."""
    x, y, dy, dx, addend, d_addend = addresses
    mean, scale, shift, level, slope = vectors
    has_addend, relu, add, x_is_relu_output, add_to_addend, addend_is_relu_output = flags
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
                value = load(before, w)
                off = value - mean
                gradient = _upstream(off, above, after, w, scale, shift, lanes, has_addend, relu)
                centered = masked(scale * ((gradient - level) - off * slope), lanes)
                finish(result, w, centered, value, add, x_is_relu_output)
                if has_addend:
                    tested = load(beside, w) if addend_is_relu_output else zero()
                    finish(passed, w, gradient, tested, add_to_addend, addend_is_relu_output)


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
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    addend_add_to: Images | None = None,
    addend_is_relu_output: bool = False,
    threads: int | None = None,
) -> tuple[Images, Images | None, np.ndarray, np.ndarray]:
    """Return the gradients of `batch_norm` by its input, its addend, its weight and its bias.

    Parameters
    ----------
    x, y, weight, bias, mean, inverse, samples, addend, relu, threads
        What `batch_norm` was given and returned.
    dy : Images like y
    add_to, addend_add_to : Images like x and like the addend, optional
        What other consumers of them gave; changed and returned.
    x_is_relu_output, addend_is_relu_output : bool
        Make the results the gradients by what went into the ReLU that made x or the addend.

    Returns
    -------
    dx : Images like x, zero in lanes without a sample
    d_addend : Images like the addend; None without one
    dweight, dbias : arrays of shape (channels,)

    Raises
    ------
    InputError
        If the tiles do not hold so many samples, or if an array does not fit x or its border.
    """
    window, channels = elementwise_window(x, y.border), (x.geometry.channels,)
    check_samples(samples, x.tiles)
    after = x.geometry._replace(border=y.border)
    dx, dweight, dbias = images_to_write(add_to, x.tiles, x.geometry, "add_to"), empty(*channels), empty(*channels)
    beside, addend_image = addend_like(addend, x)
    d_addend = None if addend is None else images_to_write(addend_add_to, x.tiles, addend_image, "addend_add_to")
    job = BatchNormGradient(
        x=x.interior,
        y=images_like(y, x.tiles, after, "y"),
        dy=images_like(dy, x.tiles, after, "dy"),
        dx=dx.interior,
        addend=beside,
        d_addend=0 if d_addend is None else d_addend.interior,
        weight=flat(weight, channels, "weight"),
        bias=flat(bias, channels, "bias"),
        mean=flat(mean, channels, "mean"),
        inverse=flat(inverse, channels, "inverse"),
        dweight=dweight,
        dbias=dbias,
        has_addend=addend is not None,
        relu=relu,
        add=add_to is not None,
        x_is_relu_output=x_is_relu_output,
        add_to_addend=addend_add_to is not None,
        addend_is_relu_output=addend_is_relu_output,
        window=window,
        addend_image=addend_image,
        feed=Feed(samples=samples),
    )
    run(job, even_shares(*channels, threads))
    return dx, d_addend, dweight, dbias
