"""Maximum and average pooling on a device.

A thread owns a number of the result, of y forward and of dx backward, and reads the windows that it belongs to; their numbers
come from the first-level cache after the first of their neighbours has read them. What a window misses at the edge of an image is
clipped away, so padding needs no border. No positions of maxima are kept: the backward pass looks whether a number is the first,
in row order, that its window's maximum does not exceed, which gives ties to the number that PyTorch gives them to.
"""

from collections.abc import Callable

import numpy as np

from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Division, Kernel, Launch, divided
from tinyticket.kernels.cuda.rows import finish, in_x, in_y, over_x, over_y, own
from tinyticket.kernels.cuda.toolkit import cuda

_ZERO = np.float32(0)


def with_share(divide: Callable[[Geometry], Division]) -> Callable[[Geometry], Division]:
    """Give a kernel, besides, what each number counts in an average; padding counts, as zeros."""
    return lambda g: (*divide(g)[:2], {"share": 1 / (g.kernel_height * g.kernel_width)})


@cuda.jit(device=True)
def own_unsigned():
    """Return what `own` does for divisions, which are quicker without signs."""
    return np.uint32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x), cuda.blockIdx.y, cuda.blockIdx.z


@cuda.jit(device=True)
def inside(start, size, extent):
    """Return which numbers of a window that begins at `start` lie inside the image: the first, and one past the last."""
    first, last = start, start + size
    return first if first > 0 else 0, last if last < extent else extent


@cuda.jit(device=True)
def covering(position, size, stride, padding, count):
    """Return which windows along one axis cover a position: the first, and one past the last."""
    reached = position + padding
    first, last = (reached - size + stride) // stride if reached >= size else 0, reached // stride + 1
    return first, last if last < count else count


def make_pool(average: bool) -> Kernel:
    """Make the kernel that computes the average of each window, or its maximum: NaN if one is in it."""

    @divided(with_share(over_y))
    def pool(x, y, g, share=0):
        i, h, channel = own_unsigned()
        if i < g.width * g.lanes:
            lanes = np.uint32(g.lanes)
            w, lane = np.int32(i // lanes), np.int32(i % lanes)
            top, bottom = inside(h * g.stride - g.padding, g.kernel_height, g.x_height)
            left, right = inside(w * g.stride - g.padding, g.kernel_width, g.x_width)
            corner = g.x_origin + channel * g.x_plane
            result = _ZERO if average else x[np.uint32((corner + top * g.x_row + left) * g.lanes + lane)]
            for row in range(top, bottom):
                for column in range(left, right):
                    value = x[np.uint32((corner + row * g.x_row + column) * g.lanes + lane)]
                    if average:
                        result += value
                    elif value > result or value != value:
                        result = value
            y[in_y(i, h, channel, g)] = result * share if average else result

    return pool


max_pool2d, avg_pool2d = make_pool(average=False), make_pool(average=True)


def max_pool2d_gradient(x, y, dy, dx, g: Geometry, add: int = 0, x_is_relu_output: int = 0) -> Launch:
    """Give the gradient of each maximum to the first number in row order that equals it."""
    whole = (g.height * g.stride, g.width * g.stride) == (g.x_height, g.x_width)
    apart = whole and g.padding == 0 and g.stride == g.kernel_height == g.kernel_width
    return (give_to_first if apart else give_to_maximum)(x, y, dy, dx, g, add, x_is_relu_output)


@divided(over_y)
def give_to_first(x, y, dy, dx, g, add, x_is_relu_output):
    """Write the gradient of one window a thread, where windows neither overlap nor leave anything between them."""
    i, h, channel = own_unsigned()
    if i < g.width * g.lanes:
        lanes = np.uint32(g.lanes)
        w, lane = np.uint32(i // lanes), np.uint32(i % lanes)
        above = in_y(i, h, channel, g)
        corner = g.x_origin + channel * g.x_plane + h * g.kernel_height * g.x_row + w * g.kernel_width
        most, left = y[above], dy[above]
        for row in range(g.kernel_height):
            for column in range(g.kernel_width):
                place = np.uint32((corner + row * g.x_row + column) * g.lanes + lane)
                value = _ZERO
                if not x[place] < most:
                    value, left = left, _ZERO
                finish(dx, place, value, x, add, x_is_relu_output)


@divided(over_x)
def give_to_maximum(x, y, dy, dx, g, add, x_is_relu_output):
    """Write one number of the gradient a thread: from every window in which nothing before it is the maximum."""
    i, h, channel = own()
    if i < g.x_width * g.lanes:
        w, lane = i // g.lanes, i % g.lanes
        corner = g.x_origin + channel * g.x_plane
        place = np.uint32((corner + h * g.x_row) * g.lanes + i)
        value, total = x[place], _ZERO
        first_row, last_row = covering(h, g.kernel_height, g.stride, g.padding, g.height)
        first_column, last_column = covering(w, g.kernel_width, g.stride, g.padding, g.width)
        for window_row in range(first_row, last_row):
            for window_column in range(first_column, last_column):
                above = g.y_origin + channel * g.y_plane + window_row * g.y_row + window_column
                above = np.uint32(above * g.lanes + lane)
                most = y[above]
                if not value < most:
                    top, _ = inside(window_row * g.stride - g.padding, g.kernel_height, g.x_height)
                    left, right = inside(window_column * g.stride - g.padding, g.kernel_width, g.x_width)
                    wins = True
                    for row in range(top, h + 1):
                        end = w if row == h else right
                        for column in range(left, end):
                            if not x[np.uint32((corner + row * g.x_row + column) * g.lanes + lane)] < most:
                                wins = False
                    if wins:
                        total += dy[above]
        finish(dx, place, total, x, add, x_is_relu_output)


@divided(with_share(over_x))
def avg_pool2d_gradient(dy, x, dx, g, add=0, x_is_relu_output=0, share=0):
    """Give each number its share of the gradients of the windows that cover it."""
    i, h, channel = own()
    if i < g.x_width * g.lanes:
        w, lane = i // g.lanes, i % g.lanes
        first_row, last_row = covering(h, g.kernel_height, g.stride, g.padding, g.height)
        first_column, last_column = covering(w, g.kernel_width, g.stride, g.padding, g.width)
        corner, total = g.y_origin + channel * g.y_plane, _ZERO
        for row in range(first_row, last_row):
            for column in range(first_column, last_column):
                total += dy[np.uint32((corner + row * g.y_row + column) * g.lanes + lane)]
        finish(dx, in_x(i, h, channel, g), total * share, x, add, x_is_relu_output)
