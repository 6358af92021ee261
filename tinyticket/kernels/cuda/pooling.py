"""Maximum and average pooling on a device.

A thread owns a number of the result, of y forward and of dx backward, and reads the windows that it belongs to; their numbers
come from the first-level cache after the first of their neighbours has read them. What a window misses at the edge of an image is
clipped away, so padding needs no border. No positions of maxima are kept: the backward pass looks whether a number is the first,
in row order, that its window's maximum does not exceed, which gives ties to the number that PyTorch gives them to.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.finish import finish
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 256

_ZERO = np.float32(0)


def max_pool2d(x: Any, x_origin: int, y: Any, y_origin: int, g: Geometry) -> Launch:
    """Compute the maximum of each window, NaN if one is in it.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values.
    x_origin, y_origin : int
        Pixels before the first one inside the border.
    g : Geometry
        Its padding is smaller than its kernel.
    """
    return _pixels(take_maximum, g.height, g.width, g, x, x_origin, y, y_origin, g)


def max_pool2d_gradient(
    x: Any,
    y: Any,
    dy: Any,
    dy_origin: int,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Give the gradient of each maximum to the first number in row order that equals it.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values; x is placed as dx is, y as dy is.
    dy, dx : float32 device arrays
        Blocks of gradients.
    dy_origin, dx_origin : int
    g : Geometry
    add, x_is_relu_output : int
        As in `finish.finish`.
    """
    given = x, y, dy, dy_origin, dx, dx_origin, g, int(add), int(x_is_relu_output)
    whole = (g.height * g.stride, g.width * g.stride) == (g.x_height, g.x_width)
    if whole and g.padding == 0 and g.stride == g.kernel_height == g.kernel_width:
        return _pixels(give_to_first, g.height, g.width, g, *given)
    return _pixels(give_to_maximum, g.x_height, g.x_width, g, *given)


def avg_pool2d(x: Any, x_origin: int, y: Any, y_origin: int, g: Geometry) -> Launch:
    """Compute the average of each window; padding counts, as zeros. Arguments as in `max_pool2d`."""
    share = _share(g)
    return _pixels(take_average, g.height, g.width, g, x, x_origin, y, y_origin, share, g)


def avg_pool2d_gradient(
    dy: Any, dy_origin: int, x: Any, dx: Any, dx_origin: int, g: Geometry, add: int = 0, x_is_relu_output: int = 0
) -> Launch:
    """Give each number its share of the gradients of the windows that cover it.

    Parameters
    ----------
    dy, dx : float32 device arrays
        Blocks of gradients.
    dy_origin, dx_origin : int
    x : float32 device array, or None
        Placed as dx is; read only if `x_is_relu_output`.
    g : Geometry
    add, x_is_relu_output : int
        As in `finish.finish`.
    """
    given = dy, dy_origin, dx if x is None else x, dx, dx_origin, _share(g), g, int(add), int(x_is_relu_output)
    return _pixels(give_shares, g.x_height, g.x_width, g, *given)


def _share(g: Geometry) -> np.float32:
    return np.float32(1 / (g.kernel_height * g.kernel_width))


def _pixels(kernel: Any, height: int, width: int, g: Geometry, *arguments: Any) -> Launch:
    """Launch a kernel for all pixels of x or of y: blocks are stretches of rows."""
    threads = min(width * g.lanes, THREADS)
    return Launch(kernel, (-(-width * g.lanes // threads), height, g.inputs), (threads,), arguments)


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


@cuda.jit
def take_maximum(x, x_origin, y, y_origin, g):
    """Write one maximum a thread."""
    i, h, channel = np.uint32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x), cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        lanes = np.uint32(g.lanes)
        w, lane = np.int32(i // lanes), np.int32(i % lanes)
        top, bottom = inside(h * g.stride - g.padding, g.kernel_height, g.x_height)
        left, right = inside(w * g.stride - g.padding, g.kernel_width, g.x_width)
        corner = x_origin + channel * g.x_plane
        most = x[np.uint32((corner + top * g.x_row + left) * g.lanes + lane)]
        for row in range(top, bottom):
            for column in range(left, right):
                value = x[np.uint32((corner + row * g.x_row + column) * g.lanes + lane)]
                if value > most or value != value:
                    most = value
        y[np.uint32((y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] = most


@cuda.jit
def give_to_first(x, y, dy, dy_origin, dx, dx_origin, g, add, x_is_relu_output):
    """Write the gradient of one window a thread, where windows neither overlap nor leave anything between them."""
    i, h, channel = np.uint32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x), cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        lanes = np.uint32(g.lanes)
        w, lane = np.uint32(i // lanes), np.uint32(i % lanes)
        above = np.uint32((dy_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)
        corner = dx_origin + channel * g.x_plane + h * g.kernel_height * g.x_row + w * g.kernel_width
        most, left = y[above], dy[above]
        for row in range(g.kernel_height):
            for column in range(g.kernel_width):
                place = np.uint32((corner + row * g.x_row + column) * g.lanes + lane)
                value = _ZERO
                if not x[place] < most:
                    value, left = left, _ZERO
                finish(dx, place, value, x, add, x_is_relu_output)


@cuda.jit
def give_to_maximum(x, y, dy, dy_origin, dx, dx_origin, g, add, x_is_relu_output):
    """Write one number of the gradient a thread: from every window in which nothing before it is the maximum."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.x_width * g.lanes:
        w, lane = i // g.lanes, i % g.lanes
        corner = dx_origin + channel * g.x_plane
        place = np.uint32((corner + h * g.x_row) * g.lanes + i)
        value, total = x[place], np.float32(0)
        first_row, last_row = covering(h, g.kernel_height, g.stride, g.padding, g.height)
        first_column, last_column = covering(w, g.kernel_width, g.stride, g.padding, g.width)
        for window_row in range(first_row, last_row):
            for window_column in range(first_column, last_column):
                above = dy_origin + channel * g.y_plane + window_row * g.y_row + window_column
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


@cuda.jit
def take_average(x, x_origin, y, y_origin, share, g):
    """Write one average a thread."""
    i, h, channel = np.uint32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x), cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        lanes = np.uint32(g.lanes)
        w, lane = np.int32(i // lanes), np.int32(i % lanes)
        top, bottom = inside(h * g.stride - g.padding, g.kernel_height, g.x_height)
        left, right = inside(w * g.stride - g.padding, g.kernel_width, g.x_width)
        corner, total = x_origin + channel * g.x_plane, np.float32(0)
        for row in range(top, bottom):
            for column in range(left, right):
                total += x[np.uint32((corner + row * g.x_row + column) * g.lanes + lane)]
        y[np.uint32((y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] = total * share


@cuda.jit
def give_shares(dy, dy_origin, x, dx, dx_origin, share, g, add, x_is_relu_output):
    """Write one number of the gradient a thread."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.x_width * g.lanes:
        w, lane = i // g.lanes, i % g.lanes
        first_row, last_row = covering(h, g.kernel_height, g.stride, g.padding, g.height)
        first_column, last_column = covering(w, g.kernel_width, g.stride, g.padding, g.width)
        corner, total = dy_origin + channel * g.y_plane, np.float32(0)
        for row in range(first_row, last_row):
            for column in range(first_column, last_column):
                total += dy[np.uint32((corner + row * g.y_row + column) * g.lanes + lane)]
        place = np.uint32((dx_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)
        finish(dx, place, total * share, x, add, x_is_relu_output)
