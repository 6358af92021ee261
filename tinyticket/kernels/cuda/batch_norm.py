"""Batch normalisation (Ioffe and Szegedy 2015) on a device, with what usually follows fused: an addend and a ReLU.

Reading and writing memory is all it costs, so a channel's pixels are cut into parts, a block each, until a device is busy; a warp
takes a pixel at a time. Two launches follow each other, for all blocks must have finished with the sums before the first can use
them: every block of the second brings together what all parts have left, in their order, which costs less than another launch.
Means and squared deviations from them are brought together as Chan, Golub and LeVeque (1983) do: the difference of two large sums
would not do in float32.

Only lanes that hold samples count; in the others a gradient is zero.
"""

import math

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Division, divided
from tinyticket.kernels.cuda.rows import add_up, finish, passed, rectified
from tinyticket.kernels.cuda.toolkit import cuda

BUSY = 2 * 132
"""Blocks that keep a large device busy. A constant, not asked for: results must not depend on the device."""

WORTHWHILE = 2048
"""Numbers of a channel below which a part is not worth a block of its own."""

FEW, MANY = 64, 256
"""Threads for parts of up to 1024 numbers, and for larger ones."""

_ZERO, _ONE = np.float32(0), np.float32(1)


def scratch_size(g: Geometry) -> int:
    """Return how many numbers the parts of all channels leave."""
    return 2 * g.inputs * _parts(g)


def _parts(g: Geometry) -> int:
    pixels = g.height * g.width
    return max(1, min(pixels, pixels * g.lanes // WORTHWHILE, -(-BUSY // g.inputs)))


def over_parts(g: Geometry) -> Division:
    """Have a block for each part of each channel, so many pixels."""
    parts = _parts(g)
    pixels = -(-g.height * g.width // parts)
    return (parts, g.inputs), FEW if pixels * g.lanes <= 1024 else MANY, {"pixels": pixels}


@cuda.jit(device=True)
def sum_of(sums, number):
    """Return the sum of a number of every thread, the same to each of them."""
    add_up(sums, number)
    total = sums[0]
    cuda.syncthreads()
    return total


@cuda.jit(device=True)
def own_part(g, pixels):
    """Return this thread's lane, its first pixel, one past the last pixel of its block's part, and the step to its next pixel."""
    first, end = cuda.blockIdx.x * pixels, (cuda.blockIdx.x + 1) * pixels
    last = end if end < g.height * g.width else g.height * g.width
    return cuda.threadIdx.x % WARP, first + cuda.threadIdx.x // WARP, last, cuda.blockDim.x // WARP


@cuda.jit(device=True)
def first_spot(origin, row, plane, pixel, g):
    """Return where the first lane of a pixel of this block's channel is."""
    h, w = np.uint32(pixel) // np.uint32(g.width), np.uint32(pixel) % np.uint32(g.width)
    return (origin + cuda.blockIdx.y * plane + np.int64(h) * row + np.int64(w)) * g.lanes


@cuda.jit(device=True)
def leave(scratch, one, other):
    """Write two numbers of a part down, for the next launch."""
    if cuda.threadIdx.x == 0:
        place = np.uint32(2 * (cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x))
        scratch[place] = one
        scratch[np.uint32(place + 1)] = other


@divided(over_parts)
def batch_statistics(x, scratch, g, state, pixels=0):
    """Leave the mean of a part of a channel, and its sum of squared deviations: `batch_norm` follows."""
    sums = cuda.shared.array(MANY, np.float32)
    lane, begin, end, warps = own_part(g, pixels)
    samples, total = state[1], _ZERO
    for pixel in range(begin, end, warps):
        start = first_spot(g.x_origin, g.x_row, g.x_plane, pixel, g)
        for i in range(lane, samples, WARP):
            total += x[np.uint32(start + i)]
    count = (end - cuda.blockIdx.x * pixels) * samples
    mean = sum_of(sums, total) / np.float32(count if count > 0 else 1)
    total = _ZERO
    for pixel in range(begin, end, warps):
        start = first_spot(g.x_origin, g.x_row, g.x_plane, pixel, g)
        for i in range(lane, samples, WARP):
            off = x[np.uint32(start + i)] - mean
            total += off * off
    leave(scratch, mean, sum_of(sums, total))


@cuda.jit(device=True)
def normalise(x, addend, addend_spots, y, g, pixels, terms, flags):
    """Write a part of a channel of y."""
    lane, begin, end, warps = own_part(g, pixels)
    (mean, scale, shift), (has_addend, relu) = terms, flags
    for pixel in range(begin, end, warps):
        before = first_spot(g.x_origin, g.x_row, g.x_plane, pixel, g)
        beside = first_spot(addend_spots.origin, addend_spots.row, addend_spots.plane, pixel, g)
        after = first_spot(g.y_origin, g.y_row, g.y_plane, pixel, g)
        for i in range(lane, g.lanes, WARP):
            value = (x[np.uint32(before + i)] - mean) * scale + shift
            if has_addend != 0:
                value += addend[np.uint32(beside + i)]
            y[np.uint32(after + i)] = rectified(value, relu)


@divided(over_parts)
def batch_norm(
    x,
    addend,
    addend_spots,
    has_addend,
    y,
    weight,
    bias,
    running_mean,
    running_variance,
    mean,
    inverse,
    scratch,
    g,
    state,
    epsilon,
    momentum,
    relu=0,
    pixels=0,
):
    """Normalise by the statistics of the batch: y = relu?((x - mean) / sqrt(var + epsilon) * weight + bias + addend?).

    Parameters
    ----------
    addend, addend_spots
        As for `elementwise.add`; any array if not `has_addend`.
    running_mean, running_variance : float32 device arrays of (channels,)
        Moved towards the batch's mean and unbiased variance by the share `momentum`.
    mean, inverse : float32 device arrays of (channels,)
        The mean and one over the standard deviation are left here for the backward pass.
    scratch : float32 device array of `scratch_size`
        As `batch_statistics` has left it.
    """
    channel, size = cuda.blockIdx.y, g.height * g.width
    center, squares, counted = _ZERO, _ZERO, _ZERO
    for part in range(cuda.gridDim.x):
        end = (part + 1) * pixels if (part + 1) * pixels < size else size
        place = np.uint32(2 * (channel * cuda.gridDim.x + part))
        # The last parts may be empty.
        count = np.float32((end - part * pixels) * state[1] if end > part * pixels else 0)
        if count > _ZERO:
            share = count / (counted + count)
            off = scratch[place] - center
            center += off * share
            squares += scratch[np.uint32(place + 1)] + off * off * counted * share
            counted += count
    variance = squares / counted
    root = _ONE / math.sqrt(variance + epsilon)
    if cuda.blockIdx.x == 0 and cuda.threadIdx.x == 0:
        mean[channel] = center
        inverse[channel] = root
        running_mean[channel] += momentum * (center - running_mean[channel])
        running_variance[channel] += momentum * (squares / (counted - _ONE) - running_variance[channel])
    terms, flags = (center, root * weight[channel], bias[channel]), (has_addend, relu)
    normalise(x, addend, addend_spots, y, g, pixels, terms, flags)


@divided(over_parts)
def batch_norm_eval(
    x, addend, addend_spots, has_addend, y, weight, bias, running_mean, running_variance, g, epsilon, relu=0, pixels=0
):
    """Normalise by the running statistics; arguments as for `batch_norm`."""
    channel = cuda.blockIdx.y
    scale = _ONE / math.sqrt(running_variance[channel] + epsilon) * weight[channel]
    terms, flags = (running_mean[channel], scale, bias[channel]), (has_addend, relu)
    normalise(x, addend, addend_spots, y, g, pixels, terms, flags)


@divided(over_parts)
def batch_gradient_sums(x, y, dy, mean, scratch, g, state, relu=0, pixels=0):
    """Leave the sum of a part of the gradient, and of its product with x - mean: `batch_norm_gradient` follows."""
    sums = cuda.shared.array(MANY, np.float32)
    lane, begin, end, warps = own_part(g, pixels)
    center, total, product = mean[cuda.blockIdx.y], _ZERO, _ZERO
    for pixel in range(begin, end, warps):
        before = first_spot(g.x_origin, g.x_row, g.x_plane, pixel, g)
        above = first_spot(g.y_origin, g.y_row, g.y_plane, pixel, g)
        for i in range(lane, state[1], WARP):
            value = passed(dy, y, np.uint32(above + i), relu)
            total += value
            product += value * (x[np.uint32(before + i)] - center)
    total = sum_of(sums, total)
    leave(scratch, total, sum_of(sums, product))


@divided(over_parts)
def batch_norm_gradient(
    x, y, dy, dx, weight, mean, inverse, dweight, dbias, scratch, g, state, relu=0, add=0, x_is_relu_output=0, pixels=0
):
    """Compute the gradients of input, weight and bias: dx = scale * (g - mean of g - (x - mean) * slope).

    The gradient of the addend is `elementwise.copy_gradient` of dy. What is called as in the forward pass is what that had and
    left; `batch_gradient_sums` has filled the scratch.
    """
    lane, begin, end, warps = own_part(g, pixels)
    channel, samples, total, product = cuda.blockIdx.y, state[1], _ZERO, _ZERO
    for part in range(cuda.gridDim.x):
        place = np.uint32(2 * (channel * cuda.gridDim.x + part))
        total += scratch[place]
        product += scratch[np.uint32(place + 1)]
    center, root = mean[channel], inverse[channel]
    if cuda.blockIdx.x == 0 and cuda.threadIdx.x == 0:
        dbias[channel] = total
        dweight[channel] = product * root
    count = np.float32(g.height * g.width * samples)
    scale, level, slope = root * weight[channel], total / count, product * root * root / count
    for pixel in range(begin, end, warps):
        before = first_spot(g.x_origin, g.x_row, g.x_plane, pixel, g)
        above = first_spot(g.y_origin, g.y_row, g.y_plane, pixel, g)
        for i in range(lane, g.lanes, WARP):
            place, value = np.uint32(before + i), _ZERO
            if i < samples:
                value = passed(dy, y, np.uint32(above + i), relu) - level
                value = scale * (value - (x[place] - center) * slope)
            finish(dx, place, value, x, add, x_is_relu_output)
