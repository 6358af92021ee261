"""The kernels of batch normalisation: each block has a part of the pixels of one channel, each warp a pixel at a time.

In the forward pass a part leaves its mean and its squared deviations from that, and those of all parts are brought together as
Chan, Golub and LeVeque (1983) do: the difference of two large sums would not do in float32. Every block of the next launch does so
for itself, in the order of the parts; that is less than another launch would cost.
"""

import math

import numpy as np

from tinyticket.kernels.cuda.finish import finish
from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.toolkit import cuda

MANY = 256
"""The most threads that a block may have."""

_ZERO, _ONE = np.float32(0), np.float32(1)


@cuda.jit(device=True)
def add_up(sums, total):
    """Return the sum of a number of every thread, the same to each of them."""
    thread, half = cuda.threadIdx.x, cuda.blockDim.x // 2
    sums[thread] = total
    cuda.syncthreads()
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()
        half //= 2
    total = sums[0]
    cuda.syncthreads()
    return total


@cuda.jit(device=True)
def end_of_part(g, pixels):
    """Return one past the last pixel of this block's part."""
    end = (cuda.blockIdx.x + 1) * pixels
    return end if end < g.height * g.width else g.height * g.width


@cuda.jit(device=True)
def first_spot(origin, row, plane, pixel, g):
    """Return where the first lane of a pixel of this block's channel is."""
    h, w = np.uint32(pixel) // np.uint32(g.width), np.uint32(pixel) % np.uint32(g.width)
    return (origin + cuda.blockIdx.y * plane + np.int64(h) * row + np.int64(w)) * g.lanes


@cuda.jit
def measure_parts(x, x_origin, scratch, g, state, pixels):
    """Leave the mean of a part of a channel, and its sum of squared deviations."""
    sums = cuda.shared.array(MANY, np.float32)
    lane, warp, warps = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP, cuda.blockDim.x // WARP
    first, end, samples = cuda.blockIdx.x * pixels, end_of_part(g, pixels), state[1]
    total = _ZERO
    for pixel in range(first + warp, end, warps):
        start = first_spot(x_origin, g.x_row, g.x_plane, pixel, g)
        for i in range(lane, samples, WARP):
            total += x[np.uint32(start + i)]
    count = (end - first) * samples
    mean = add_up(sums, total) / np.float32(count if count > 0 else 1)
    total = _ZERO
    for pixel in range(first + warp, end, warps):
        start = first_spot(x_origin, g.x_row, g.x_plane, pixel, g)
        for i in range(lane, samples, WARP):
            off = x[np.uint32(start + i)] - mean
            total += off * off
    total = add_up(sums, total)
    if cuda.threadIdx.x == 0:
        place = np.uint32(2 * (cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x))
        scratch[place] = mean
        scratch[np.uint32(place + 1)] = total


@cuda.jit(device=True)
def normalise(x, x_origin, addend, addend_origin, addend_row, addend_plane, y, y_origin, g, pixels, terms, flags):
    """Write a part of a channel of y."""
    lane, warp, warps = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP, cuda.blockDim.x // WARP
    mean, scale, shift = terms
    has_addend, relu = flags
    for pixel in range(cuda.blockIdx.x * pixels + warp, end_of_part(g, pixels), warps):
        before = first_spot(x_origin, g.x_row, g.x_plane, pixel, g)
        beside = first_spot(addend_origin, addend_row, addend_plane, pixel, g)
        after = first_spot(y_origin, g.y_row, g.y_plane, pixel, g)
        for i in range(lane, g.lanes, WARP):
            value = (x[np.uint32(before + i)] - mean) * scale + shift
            if has_addend != 0:
                value += addend[np.uint32(beside + i)]
            if relu != 0 and value < _ZERO:
                value = _ZERO
            y[np.uint32(after + i)] = value


@cuda.jit
def normalise_parts(
    x,
    x_origin,
    addend,
    addend_origin,
    addend_row,
    addend_plane,
    has_addend,
    y,
    y_origin,
    weight,
    bias,
    running_mean,
    running_variance,
    mean,
    inverse,
    scratch,
    g,
    state,
    pixels,
    epsilon,
    momentum,
    relu,
):
    """Bring the statistics of a channel's parts together and write one part of y."""
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
    normalise(x, x_origin, addend, addend_origin, addend_row, addend_plane, y, y_origin, g, pixels, terms, flags)


@cuda.jit
def normalise_by_running(
    x,
    x_origin,
    addend,
    addend_origin,
    addend_row,
    addend_plane,
    has_addend,
    y,
    y_origin,
    weight,
    bias,
    running_mean,
    running_variance,
    g,
    pixels,
    epsilon,
    relu,
):
    """Write a part of a channel of y by fixed statistics."""
    channel = cuda.blockIdx.y
    scale = _ONE / math.sqrt(running_variance[channel] + epsilon) * weight[channel]
    terms, flags = (running_mean[channel], scale, bias[channel]), (has_addend, relu)
    normalise(x, x_origin, addend, addend_origin, addend_row, addend_plane, y, y_origin, g, pixels, terms, flags)


@cuda.jit
def sum_parts(x, x_origin, y, dy, dy_origin, mean, scratch, g, state, pixels, relu):
    """Leave the sum of a part of the gradient, and of its product with x - mean."""
    sums = cuda.shared.array(MANY, np.float32)
    lane, warp, warps = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP, cuda.blockDim.x // WARP
    center, total, product = mean[cuda.blockIdx.y], _ZERO, _ZERO
    for pixel in range(cuda.blockIdx.x * pixels + warp, end_of_part(g, pixels), warps):
        before = first_spot(x_origin, g.x_row, g.x_plane, pixel, g)
        above = first_spot(dy_origin, g.y_row, g.y_plane, pixel, g)
        for i in range(lane, state[1], WARP):
            value = dy[np.uint32(above + i)]
            if relu != 0 and y[np.uint32(above + i)] <= _ZERO:
                value = _ZERO
            total += value
            product += value * (x[np.uint32(before + i)] - center)
    total = add_up(sums, total)
    product = add_up(sums, product)
    if cuda.threadIdx.x == 0:
        place = np.uint32(2 * (cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x))
        scratch[place] = total
        scratch[np.uint32(place + 1)] = product


@cuda.jit
def normalise_parts_back(
    x,
    y,
    dy,
    dy_origin,
    dx,
    dx_origin,
    weight,
    mean,
    inverse,
    dweight,
    dbias,
    scratch,
    g,
    state,
    pixels,
    relu,
    add,
    x_is_relu_output,
):
    """Add the sums of a channel's parts and write one part of dx = scale * (g - mean of g - (x - mean) * slope)."""
    lane, warp, warps = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP, cuda.blockDim.x // WARP
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
    for pixel in range(cuda.blockIdx.x * pixels + warp, end_of_part(g, pixels), warps):
        before = first_spot(dx_origin, g.x_row, g.x_plane, pixel, g)
        above = first_spot(dy_origin, g.y_row, g.y_plane, pixel, g)
        for i in range(lane, g.lanes, WARP):
            place, value = np.uint32(before + i), _ZERO
            if i < samples:
                value = dy[np.uint32(above + i)]
                if relu != 0 and y[np.uint32(above + i)] <= _ZERO:
                    value = _ZERO
                value = scale * ((value - level) - (x[place] - center) * slope)
            finish(dx, place, value, x, add, x_is_relu_output)
