"""Leaky ReLU, hyperbolic tangent and sigmoid of packed images, and their gradients, a plane (one channel of one tile) at a time.

A ReLU needs no pass of its own: kernels that write a value apply it, and those that write a gradient apply its gradient.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares, images_like, images_to_write
from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.elementary import hyperbolic_tangent, logistic
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, load, select, store, zero
from tinyticket.kernels.geometry import Window


class LeakyReLU(NamedTuple):
    """The job of `leaky_relu`, whose share are planes: tile * channels + channel."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # may be x
    slope: float  # where x is not positive; taken as float32
    window: Window  # one by one pixel


@kernel(LeakyReLU)
def _leaky_relu(job, first, last):
    window, slope = job.window, broadcast(np.float32(job.slope))
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                value = load(before, w)
                store(after, w, select(zero() < value, value, value * slope))


class LeakyReLUGradient(NamedTuple):
    """The job of `leaky_relu_gradient`, whose share are planes."""

    x: Floats
    dy: Floats
    dx: Floats
    slope: float
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(LeakyReLUGradient)
def _leaky_relu_gradient(job, first, last):
    window, slope = job.window, broadcast(np.float32(job.slope))
    add, x_is_relu_output = job.add, job.x_is_relu_output
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            above = advance(job.dy, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                x, dy = load(before, w), load(above, w)
                finish(gradient, w, select(zero() < x, dy, dy * slope), x, add, x_is_relu_output)


class Tanh(NamedTuple):
    """The job of `tanh`, whose share are planes."""

    x: Floats
    y: Floats  # may be x
    window: Window


@kernel(Tanh)
def _tanh(job, first, last):
    window = job.window
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                store(after, w, hyperbolic_tangent(load(before, w)))


class TanhGradient(NamedTuple):
    """The job of `tanh_gradient`, whose share are planes."""

    x: Floats  # read only if it is a ReLU's output
    y: Floats
    dy: Floats
    dx: Floats
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(TanhGradient)
def _tanh_gradient(job, first, last):
    window, one, add, x_is_relu_output = job.window, broadcast(np.float32(1)), job.add, job.x_is_relu_output
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            start = plane * window.y_plane + h * window.y_row
            after, above = advance(job.y, start), advance(job.dy, start)
            for w in range(0, window.width * LANES, LANES):
                y = load(after, w)
                tested = load(before, w) if x_is_relu_output else zero()
                finish(gradient, w, load(above, w) * (one - y * y), tested, add, x_is_relu_output)


class Sigmoid(NamedTuple):
    """The job of `sigmoid`, whose share are planes."""

    x: Floats
    y: Floats  # may be x
    window: Window


@kernel(Sigmoid)
def _sigmoid(job, first, last):
    window = job.window
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                store(after, w, logistic(load(before, w)))


class SigmoidGradient(NamedTuple):
    """The job of `sigmoid_gradient`, whose share are planes."""

    x: Floats  # read only if it is a ReLU's output
    y: Floats
    dy: Floats
    dx: Floats
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(SigmoidGradient)
def _sigmoid_gradient(job, first, last):
    window, one, add, x_is_relu_output = job.window, broadcast(np.float32(1)), job.add, job.x_is_relu_output
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            start = plane * window.y_plane + h * window.y_row
            after, above = advance(job.y, start), advance(job.dy, start)
            for w in range(0, window.width * LANES, LANES):
                y = load(after, w)
                tested = load(before, w) if x_is_relu_output else zero()
                finish(gradient, w, load(above, w) * (y * (one - y)), tested, add, x_is_relu_output)


# -- functions of arrays


def leaky_relu(x: Images, slope: float = 0.01, *, border: int = 0, threads: int | None = None) -> Images:
    """Return x where it is positive, and slope * x elsewhere.

    Parameters
    ----------
    x : Images
    slope : float
    border : int
        Zeros to leave around the images of the result.
    threads : int, optional

    Returns
    -------
    Images
    """
    return _applied(LeakyReLU, x, border, threads, float(slope))


def leaky_relu_gradient(
    x: Images,
    dy: Images,
    slope: float = 0.01,
    *,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Return the gradient of `leaky_relu` by its input.

    Parameters
    ----------
    x, slope, threads
        What `leaky_relu` was given.
    dy : Images like its result
    add_to : Images like x, optional
        What other consumers of x gave; changed and returned.
    x_is_relu_output : bool
        Make the result the gradient by what went into the ReLU that made x.

    Returns
    -------
    Images, like x

    Raises
    ------
    InputError
        If dy or add_to does not fit x.
    """
    window, after = elementwise_window(x, dy.border), x.geometry._replace(border=dy.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    values = x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior
    job = LeakyReLUGradient(*values, float(slope), add_to is not None, x_is_relu_output, window)
    run(job, even_shares(x.tiles * window.inputs, threads))
    return dx


def tanh(x: Images, *, border: int = 0, threads: int | None = None) -> Images:
    """Return the hyperbolic tangent of x; arguments as in `leaky_relu`."""
    return _applied(Tanh, x, border, threads)


def tanh_gradient(
    x: Images,
    y: Images,
    dy: Images,
    *,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Return the gradient of `tanh` by its input, dy (1 - y**2).

    Parameters
    ----------
    x, y, threads
        What `tanh` was given and returned.
    dy : Images like y
    add_to, x_is_relu_output
        As in `leaky_relu_gradient`.

    Returns
    -------
    Images, like x

    Raises
    ------
    InputError
        If y, dy or add_to does not fit x.
    """
    return _gradient(TanhGradient, x, y, dy, add_to, x_is_relu_output, threads)


def sigmoid(x: Images, *, border: int = 0, threads: int | None = None) -> Images:
    """Return 1 / (1 + exp(-x)); arguments as in `leaky_relu`."""
    return _applied(Sigmoid, x, border, threads)


def sigmoid_gradient(
    x: Images,
    y: Images,
    dy: Images,
    *,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Return the gradient of `sigmoid` by its input, dy y (1 - y); arguments as in `tanh_gradient`."""
    return _gradient(SigmoidGradient, x, y, dy, add_to, x_is_relu_output, threads)


def _applied(job: Any, x: Images, border: int, threads: int | None, *settings: float) -> Images:
    """Return what a job of (x, y, settings, window) writes."""
    window, y = elementwise_window(x, border), Images.zeros(x.tiles, x.geometry._replace(border=border))
    run(job(x.interior, y.interior, *settings, window), even_shares(x.tiles * window.inputs, threads))
    return y


def _gradient(
    job: Any, x: Images, y: Images, dy: Images, add_to: Images | None, x_is_relu_output: bool, threads: int | None
) -> Images:
    """Return what a job of (x, y, dy, dx, add, x_is_relu_output, window) writes."""
    window, after = elementwise_window(x, y.border), x.geometry._replace(border=y.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    values = x.interior, images_like(y, x.tiles, after, "y"), images_like(dy, x.tiles, after, "dy"), dx.interior
    run(job(*values, add_to is not None, x_is_relu_output, window), even_shares(x.tiles * window.inputs, threads))
    return dx
