"""Maximum and average pooling of packed images, and their gradients, a plane (one channel of one tile) at a time.

What a window misses at the edge of an image is clipped away, so padding needs no border: a maximum then never sees the border's
zeros, and an average counts them because it always divides by the whole window. No positions of maxima are kept: the backward
pass looks for the first element of a window that the maximum does not exceed, which is quicker than reading an index per lane,
and gives ties to the element that PyTorch gives them to. Windows of two by two that do not overlap, the common case, need each
element once and have straight-line versions.
"""

from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from tinyticket.kernels.cpu.arguments import pooling_window
from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.job import kernel, specialised
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.planes import GradientOptions, Options, Planes, PlanesGradient, run_forward, run_gradient
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, intrinsic, load, select, store, vector, zero


class MaxPool2d(Planes):
    """The job of `max_pool2d`; the window's padding is smaller than its kernel."""


class MaxPool2dGradient(PlanesGradient):
    """The job of `max_pool2d_gradient`."""


class AvgPool2d(Planes):
    """The job of `avg_pool2d`.

    A window as large as the image is global average pooling; one by one it is a copy, which may subsample (stride) or pad.
    """


class AvgPool2dGradient(PlanesGradient):
    """The job of `avg_pool2d_gradient`."""


@device
def _bounds(start, size, extent):
    """Return which elements of a window that begins at `start` lie inside the image."""
    return max(-start, 0), min(size, extent - start)


_visit: Any = None  # stands for what is done with each window


def _windows(job, first, last):
    window = job.window
    for plane in range(first, last):
        for h in range(window.height):
            top, line = h * window.stride - window.padding, plane * window.y_plane + h * window.y_row
            rows = _bounds(top, window.kernel_height, window.x_height)
            for w in range(window.width):
                left = w * window.stride - window.padding
                columns = _bounds(left, window.kernel_width, window.x_width)
                corner = plane * window.x_plane + top * window.x_row + left * LANES
                _visit(job, corner, line + w * LANES, rows, columns)


def _each_window(visit: Callable) -> Any:
    """Make the function of planes that calls visit(job, corner of a window in x, place in y, its rows and columns inside)."""
    return specialised(_windows, visit.__name__, _visit=device(visit))


# -- maxima


@intrinsic
def larger(typing, x, y):
    """Return the larger of two vectors, x where they are equal, and NaN where one is."""

    def codegen(context, builder, sig, args):
        x, y = args
        most = builder.select(builder.fcmp_ordered(">", y, x), y, x)  # one vmaxps, which returns x when unordered
        return builder.select(builder.fcmp_unordered("uno", y, y), y, most)

    return vector(vector, vector), codegen


@device
def _is_two_by_two(window):
    return window.kernel_height == 2 and window.kernel_width == 2 and window.stride == 2 and window.padding == 0


@device
def _max_two_by_two(job, plane):
    window = job.window
    for h in range(window.height):
        upper = advance(job.x, plane * window.x_plane + 2 * h * window.x_row)
        lower, out = advance(upper, window.x_row), advance(job.y, plane * window.y_plane + h * window.y_row)
        for w in range(window.width):
            i = 2 * LANES * w
            a, b = larger(load(upper, i), load(upper, i + LANES)), larger(load(lower, i), load(lower, i + LANES))
            store(out, w * LANES, larger(a, b))


@device
@_each_window
def _max(job, corner, place, rows, columns):
    x, row = advance(job.x, corner), job.window.x_row
    most = load(x, rows[0] * row + columns[0] * LANES)
    for i in range(rows[0], rows[1]):
        for j in range(columns[0], columns[1]):
            most = larger(most, load(x, i * row + j * LANES))
    store(job.y, place, most)


@kernel(MaxPool2d)
def _max_pool2d(job, first, last):
    for plane in range(first, last):
        if _is_two_by_two(job.window):
            _max_two_by_two(job, plane)
        else:
            _max(job, plane, plane + 1)


@device
def _clear_row(dx, place, end, x, add, x_is_relu_output):
    """Finish pixels that no window reaches, from `place` to `end`."""
    if x_is_relu_output or not add:
        while place < end:
            finish(dx, place, zero(), x, add, x_is_relu_output)
            place += LANES


@device
def _clear_plane(job, plane, add, x_is_relu_output):
    window = job.window
    for h in range(window.x_height):
        start = plane * window.x_plane + h * window.x_row
        _clear_row(job.dx, start, start + window.x_width * LANES, job.x, add, x_is_relu_output)


@device
def _give(dx, place, most, left, x, add, x_is_relu_output):
    """Give an element what is left of the gradient of a maximum if it equals it; return what is left then."""
    smaller = load(x, place) < most
    finish(dx, place, select(smaller, zero(), left), x, add, x_is_relu_output)
    return select(smaller, left, zero())


@device
def _max_two_by_two_gradient(job, plane):
    window, add, x_is_relu_output = job.window, job.add, job.x_is_relu_output
    x, dx = advance(job.x, plane * window.x_plane), advance(job.dx, plane * window.x_plane)
    y, dy = advance(job.y, plane * window.y_plane), advance(job.dy, plane * window.y_plane)
    width, reached = window.x_width * LANES, 2 * LANES * window.width
    for h in range(window.height):
        upper, place = 2 * h * window.x_row, h * window.y_row
        lower = upper + window.x_row
        for w in range(window.width):
            most, left = load(y, place + w * LANES), load(dy, place + w * LANES)
            i, j = upper + 2 * LANES * w, lower + 2 * LANES * w
            left = _give(dx, i, most, left, x, add, x_is_relu_output)
            left = _give(dx, i + LANES, most, left, x, add, x_is_relu_output)
            left = _give(dx, j, most, left, x, add, x_is_relu_output)
            finish(dx, j + LANES, left, x, add, x_is_relu_output)
        _clear_row(dx, upper + reached, upper + width, x, add, x_is_relu_output)
        _clear_row(dx, lower + reached, lower + width, x, add, x_is_relu_output)
    for h in range(2 * window.height, window.x_height):
        _clear_row(dx, h * window.x_row, h * window.x_row + width, x, add, x_is_relu_output)


@device
@_each_window
def _scatter(job, corner, place, rows, columns):
    """Add a window's gradient to what dx holds, because windows may overlap."""
    x, dx, row = advance(job.x, corner), advance(job.dx, corner), job.window.x_row
    most, left = load(job.y, place), load(job.dy, place)
    for i in range(rows[0], rows[1]):
        for j in range(columns[0], columns[1]):
            left = _give(dx, i * row + j * LANES, most, left, x, True, False)


@kernel(MaxPool2dGradient)
def _max_pool2d_gradient(job, first, last):
    for plane in range(first, last):
        if _is_two_by_two(job.window):
            _max_two_by_two_gradient(job, plane)
            continue
        if not job.add:
            _clear_plane(job, plane, False, False)
        _scatter(job, plane, plane + 1)
        if job.x_is_relu_output:
            _clear_plane(job, plane, True, True)


# -- averages


@device
def _share(window):
    """Return what one element weighs in an average, in every lane."""
    return broadcast(np.float32(np.float32(1) / np.float32(window.kernel_height * window.kernel_width)))


@kernel(AvgPool2d)
@_each_window
def _avg_pool2d(job, corner, place, rows, columns):
    row, total = job.window.x_row, zero()
    for i in range(rows[0], rows[1]):
        line, part = advance(job.x, corner + i * row), zero()  # rows are summed apart, so as not to wait for each other
        for j in range(columns[0], columns[1]):
            part = part + load(line, j * LANES)
        total = total + part
    store(job.y, place, total * _share(job.window))


@device
def _covering(position, size, window, count):
    """Return which windows along one axis cover a position: first and one past the last."""
    reached = position + window.padding
    first = (reached - size + window.stride) // window.stride if reached >= size else 0
    return first, min(reached // window.stride + 1, count)


@kernel(AvgPool2dGradient)
def _avg_pool2d_gradient(job, first, last):
    window, add, x_is_relu_output = job.window, job.add, job.x_is_relu_output
    share = _share(window)
    for plane in range(first, last):
        before, gradient = advance(job.x, plane * window.x_plane), advance(job.dx, plane * window.x_plane)
        above = advance(job.dy, plane * window.y_plane)
        for h in range(window.x_height):
            first_row, last_row = _covering(h, window.kernel_height, window, window.height)
            for w in range(window.x_width):
                start, end = _covering(w, window.kernel_width, window, window.width)
                total = zero()
                for i in range(first_row, last_row):
                    for j in range(start, end):
                        total = total + load(above, i * window.y_row + j * LANES)
                finish(gradient, h * window.x_row + w * LANES, total * share, before, add, x_is_relu_output)


# -- functions of arrays


def max_pool2d(
    x: Images, kernel: int | tuple[int, int], *, stride: int | None = None, padding: int = 0, **options: Unpack[Options]
) -> Images:
    """Take the maximum of each window; what lies outside the image is not a candidate.

    Parameters
    ----------
    x : Images
    kernel : int or pair of ints
        Height and width of the window.
    stride : int, optional
        The kernel's height if not given.
    padding : int
        Smaller than the kernel.
    **options
        As in `kernels.cpu`.
    """
    window = pooling_window(x, kernel, stride, padding, options.get("border", 0))
    return run_forward(MaxPool2d, x, None, window, **options)


def max_pool2d_gradient(
    x: Images,
    y: Images,
    dy: Images,
    kernel: int | tuple[int, int],
    *,
    stride: int | None = None,
    padding: int = 0,
    **options: Unpack[GradientOptions],
) -> Images:
    """Give the gradient of each maximum to the first element, in row order, that equals it.

    Arguments are what `max_pool2d` was given and returned; dy is like y.
    """
    window = pooling_window(x, kernel, stride, padding, y.border)
    return run_gradient(MaxPool2dGradient, x, y, dy, None, window, **options)


def avg_pool2d(
    x: Images, kernel: int | tuple[int, int], *, stride: int | None = None, padding: int = 0, **options: Unpack[Options]
) -> Images:
    """Take the average of each window, padding counted as zeros; arguments as in `max_pool2d`.

    A kernel as large as the image averages all of it.
    """
    window = pooling_window(x, kernel, stride, padding, options.get("border", 0))
    return run_forward(AvgPool2d, x, None, window, **options)


def avg_pool2d_gradient(
    x: Images,
    dy: Images,
    kernel: int | tuple[int, int],
    *,
    stride: int | None = None,
    padding: int = 0,
    **options: Unpack[GradientOptions],
) -> Images:
    """Give each element its share of the gradients of the averages it went into; arguments as in `max_pool2d_gradient`."""
    window = pooling_window(x, kernel, stride, padding, dy.border)
    return run_gradient(AvgPool2dGradient, x, None, dy, None, window, **options)
