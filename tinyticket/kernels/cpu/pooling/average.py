"""Average pooling of packed images, and its gradient."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, images_like, images_to_write, pooling_window
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.pooling.clipping import bounds, finish_vector
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, load, store, zero
from tinyticket.kernels.geometry import Window


@device
def _share(window):
    """Return what one element weighs in an average, in every lane."""
    return broadcast(np.float32(np.float32(1) / np.float32(window.kernel_height * window.kernel_width)))


class AvgPool2d(NamedTuple):
    """The job of `avg_pool2d`, whose share are planes.

    A window as large as the image is global average pooling; one by one it is a copy, which may subsample (stride) or pad.
    """

    x: Floats
    y: Floats
    window: Window


@kernel(AvgPool2d)
def _avg_pool2d(job, first, last):
    window = job.window
    share = _share(window)
    for plane in range(first, last):
        before, after = advance(job.x, plane * window.x_plane), advance(job.y, plane * window.y_plane)
        for h in range(window.height):
            top = h * window.stride - window.padding
            first_row, last_row = bounds(top, window.kernel_height, window.x_height)
            for w in range(window.width):
                left = w * window.stride - window.padding
                start, end = bounds(left, window.kernel_width, window.x_width)
                total = zero()
                for i in range(first_row, last_row):
                    line = advance(before, (top + i) * window.x_row + left * LANES)
                    part = zero()  # rows are added up apart, so that they need not wait for each other
                    for j in range(start, end):
                        part = part + load(line, j * LANES)
                    total = total + part
                store(after, h * window.y_row + w * LANES, total * share)


@device
def _covering(position, size, window, count):
    """Return which windows along one axis cover a position: first and one past the last."""
    reached = position + window.padding
    first = (reached - size + window.stride) // window.stride if reached >= size else 0
    return first, min(reached // window.stride + 1, count)


class AvgPool2dGradient(NamedTuple):
    """The job of `avg_pool2d_gradient`, whose share are planes; x is read only if it is a ReLU's output."""

    x: Floats
    dy: Floats
    dx: Floats
    add: bool
    x_is_relu_output: bool
    window: Window


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
                finish_vector(gradient, h * window.x_row + w * LANES, total * share, before, add, x_is_relu_output)


# -- functions of arrays


def avg_pool2d(
    x: Images,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Take the average of each window, padding counted as zeros; arguments as in `max_pool2d`.

    A kernel as large as the image averages all of it.
    """
    window, after = pooling_window(x, kernel, stride, padding, border)
    y = Images.zeros(x.tiles, after)
    run(AvgPool2d(x.interior, y.interior, window), even_shares(x.tiles * window.inputs, threads))
    return y


def avg_pool2d_gradient(
    x: Images,
    dy: Images,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Give each element its share of the gradients of the averages it went into; arguments as in `max_pool2d_gradient`."""
    window, after = pooling_window(x, kernel, stride, padding, dy.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    values = x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior
    job = AvgPool2dGradient(*values, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(x.tiles * window.inputs, threads))
    return dx
