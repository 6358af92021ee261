"""Batch normalisation (Ioffe and Szegedy 2015) of packed images, with what usually follows fused: an addend and a ReLU.

A channel belongs to one thread, in all tiles. Training reads it twice: for its moments about a number near the mean (the
difference of two large sums would not do), and to normalise. Only lanes that hold samples count. The backward pass reads twice,
too: for the two sums that are the gradients of bias and weight, and for the input's gradient. Second readings go from the last
tile to the first, because a channel is about as large as the second-level cache and its end is what is still there. A ReLU's mask
is recomputed from x, by the same operations on the same numbers, rather than read from y, unless an addend took part.
"""

import math

import numpy as np

from tinyticket.kernels.geometry import Image
from tinyticket.kernels.cpu.image_common import finish, plane_of, row_of
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, broadcast, load, muladd, relu, select, store, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, masked, row_moments, row_sum, valid_lanes, wide_zero, widened
from tinyticket.kernels.cpu.vector.transpose import put


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
def _normalise(x, y, addend, window, other, mean, scale, shift, has_addend, rectify):
    """Write one channel of y = (x - mean) * scale + shift, perhaps plus an addend, perhaps through a ReLU."""
    mean, scale, shift = broadcast(mean), broadcast(scale), broadcast(shift)
    for tile in range(window.tiles - 1, -1, -1):
        channels = tile * window.inputs
        for h in range(window.height):
            before = advance(x, channels * window.x_plane + h * window.x_row)
            after = advance(y, channels * window.y_plane + h * window.y_row)
            beside = advance(addend, channels * plane_of(other) + h * row_of(other))
            for w in range(0, window.width * LANES, LANES):
                value = muladd(load(before, w) - mean, scale, shift)
                if has_addend:
                    value = value + load(beside, w)
                if rectify:
                    value = relu(value)
                store(after, w, value)


@device
def batch_norm_forward(
    x,
    y,
    addend,
    weight,
    bias,
    running_mean,
    running_variance,
    mean,
    inverse,
    window,
    other,
    samples,
    epsilon,
    momentum,
    first,
    last,
    has_addend,
    rectify,
):
    """Normalise channels first to last by the statistics of the batch.

    Parameters
    ----------
    x, y, addend : addresses of the interior of tile 0
        y may be x; addend is read only if `has_addend`.
    weight, bias : addresses of one float32 a channel
    running_mean, running_variance : addresses of one float32 a channel
        Moved towards the batch's mean and unbiased variance by the share `momentum`.
    mean, inverse : addresses of one float32 a channel
        The mean and one over the standard deviation are left here for the backward pass.
    window : Window
        Of x and y, one by one pixel.
    other : Image
        Of the addend.
    samples : int64
        How many there are; lanes beyond count for nothing.
    epsilon, momentum : float32
    first, last : int64
        Channels.
    has_addend, rectify : boolean
        y = relu?(normalised x + addend?)
    """
    count = np.float64(samples * window.height * window.width)
    for channel in range(first, last):
        before, after = advance(x, channel * window.x_plane), advance(y, channel * window.y_plane)
        beside = advance(addend, channel * plane_of(other))
        average, variance = _moments(before, window, samples)
        near, root = np.float32(average), np.float32(1.0 / math.sqrt(variance + np.float64(epsilon)))
        put(mean, channel, near)
        put(inverse, channel, root)
        old, share = np.float64(at(running_mean, channel)), np.float64(momentum)
        put(running_mean, channel, np.float32(old + share * (average - old)))
        old = np.float64(at(running_variance, channel))
        put(running_variance, channel, np.float32(old + share * (variance * count / (count - 1.0) - old)))
        scale = root * at(weight, channel)
        _normalise(before, after, beside, window, other, near, scale, at(bias, channel), has_addend, rectify)


@device
def batch_norm_again(x, y, weight, bias, mean, inverse, window, first, last, rectify):
    """Write y of channels first to last once more, bit for bit, from what `batch_norm_forward` left; there was no addend."""
    other = Image(window.outputs, window.height, window.width, 0, 0)
    for channel in range(first, last):
        before, after = advance(x, channel * window.x_plane), advance(y, channel * window.y_plane)
        near, scale, shift = at(mean, channel), at(inverse, channel) * at(weight, channel), at(bias, channel)
        _normalise(before, after, before, window, other, near, scale, shift, False, rectify)


@device
def batch_norm_eval(
    x,
    y,
    addend,
    weight,
    bias,
    running_mean,
    running_variance,
    window,
    other,
    epsilon,
    first,
    last,
    has_addend,
    rectify,
):
    """Normalise channels first to last by the running statistics; arguments as in `batch_norm_forward`."""
    for channel in range(first, last):
        before, after = advance(x, channel * window.x_plane), advance(y, channel * window.y_plane)
        beside = advance(addend, channel * plane_of(other))
        variance = np.float64(at(running_variance, channel)) + np.float64(epsilon)
        scale = np.float32(1.0 / math.sqrt(variance)) * at(weight, channel)
        center, shift = at(running_mean, channel), at(bias, channel)
        _normalise(before, after, beside, window, other, center, scale, shift, has_addend, rectify)


@device
def _upstream(off, above, after, w, scale, shift, lanes, has_addend, rectify):
    """Return the gradient by what went into the ReLU, zero in lanes without a sample."""
    gradient = load(above, w)
    if rectify:
        output = load(after, w) if has_addend else muladd(off, scale, shift)
        gradient = select(output <= zero(), zero(), gradient)
    return masked(gradient, lanes)


@device
def _sums(x, y, dy, window, samples, mean, scale, shift, has_addend, rectify):
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
                gradient = _upstream(off, above, after, w, scale, shift, lanes, has_addend, rectify)
                a, b = a + gradient, muladd(gradient, off, b)
                off = load(before, w + LANES) - mean
                gradient = _upstream(off, above, after, w + LANES, scale, shift, lanes, has_addend, rectify)
                c, d = c + gradient, muladd(gradient, off, d)
                w += 2 * LANES
            if w < end:
                off = load(before, w) - mean
                gradient = _upstream(off, above, after, w, scale, shift, lanes, has_addend, rectify)
                a, b = a + gradient, muladd(gradient, off, b)
            total, product = widened(total, a + c), widened(product, masked(b + d, lanes))
    return lane_sum(total), lane_sum(product)


@device
def batch_norm_backward(
    x,
    y,
    dy,
    dx,
    addend,
    d_addend,
    weight,
    bias,
    mean,
    inverse,
    dweight,
    dbias,
    window,
    other,
    samples,
    first,
    last,
    has_addend,
    rectify,
    add,
    rectified,
    add_addend,
    rectified_addend,
):
    """Write the gradients of channels first to last: of the input, the addend, the weight and the bias.

    Parameters
    ----------
    x, y, dy, dx, addend, d_addend : addresses of the interior of tile 0
        The addend and its gradient are touched only if `has_addend`, y is read only if there is a ReLU too. dx may be x, and
        d_addend dy, unless the addend is x.
    weight, bias, mean, inverse : addresses of one float32 a channel
        As the forward pass had and left them.
    dweight, dbias : addresses of one float32 a channel
        Overwritten.
    window, other, samples, first, last
        As in `batch_norm_forward`.
    has_addend, rectify : boolean
        What the forward pass did; with a ReLU, dy passes only where y is positive.
    add, rectified : boolean
        Start from what dx holds; leave zero where x, the output of a ReLU, is zero.
    add_addend, rectified_addend : boolean
        The same of d_addend and the addend.
    """
    count = np.float64(samples * window.height * window.width)
    for channel in range(first, last):
        before, gradient = advance(x, channel * window.x_plane), advance(dx, channel * window.x_plane)
        after, above = advance(y, channel * window.y_plane), advance(dy, channel * window.y_plane)
        beside, passed = advance(addend, channel * plane_of(other)), advance(d_addend, channel * plane_of(other))
        near, root, shift = at(mean, channel), at(inverse, channel), at(bias, channel)
        scale = root * at(weight, channel)
        total, product = _sums(before, after, above, window, samples, near, scale, shift, has_addend, rectify)
        put(dbias, channel, np.float32(total))
        put(dweight, channel, np.float32(product * np.float64(root)))
        level = np.float32(total / count)
        slope = np.float32(product * np.float64(root) * np.float64(root) / count)
        vectors = broadcast(near), broadcast(scale), broadcast(shift), broadcast(level), broadcast(slope)
        flags = has_addend, rectify, add, rectified, add_addend, rectified_addend
        addresses = before, after, above, gradient, beside, passed
        _input_gradient(addresses, vectors, window, other, samples, flags)


@device
def _input_gradient(addresses, vectors, window, other, samples, flags):
    """Write one channel of dx = scale * (g - mean of g - (x - mean) * slope), and hand g on to the addend."""
    x, y, dy, dx, addend, d_addend = addresses
    mean, scale, shift, level, slope = vectors
    has_addend, rectify, add, rectified, add_addend, rectified_addend = flags
    for tile in range(window.tiles - 1, -1, -1):
        channels, lanes = tile * window.inputs, valid_lanes(samples, tile)
        for h in range(window.height):
            start = channels * window.x_plane + h * window.x_row
            before, result = advance(x, start), advance(dx, start)
            start = channels * window.y_plane + h * window.y_row
            after, above = advance(y, start), advance(dy, start)
            start = channels * plane_of(other) + h * row_of(other)
            beside, passed = advance(addend, start), advance(d_addend, start)
            for w in range(0, window.width * LANES, LANES):
                value = load(before, w)
                off = value - mean
                gradient = _upstream(off, above, after, w, scale, shift, lanes, has_addend, rectify)
                finish(result, w, masked(scale * ((gradient - level) - off * slope), lanes), value, add, rectified)
                if has_addend:
                    tested = load(beside, w) if rectified_addend else zero()
                    finish(passed, w, gradient, tested, add_addend, rectified_addend)
