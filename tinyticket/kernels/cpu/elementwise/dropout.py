"""Dropout of packed values with a mask that is given: kernels draw nothing."""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import (
    elementwise_window,
    even_shares,
    flat_bytes,
    images_like,
    images_to_write,
)
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, load, select, store, surviving, zero
from tinyticket.kernels.geometry import Window


class Dropout(NamedTuple):
    """The job of `dropout`, whose share are planes: tile * channels + channel.

    y = x * scale where the mask is not zero, and zero elsewhere.
    """

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # may be x
    place: int  # where the mask begins in feed.kept: a byte an element, in the order of images without a border
    scale: float  # one over the share that is kept; taken as float32
    window: Window  # one by one pixel
    feed: Fed


@kernel(Dropout)
def _dropout(job, first, last):
    window, keep = job.window, advance(job.feed.kept, job.place)
    factor, width = broadcast(np.float32(job.scale)), window.width * LANES
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            chosen = (plane * window.height + h) * width
            for w in range(0, width, LANES):
                store(after, w, select(surviving(keep, chosen + w, LANES), load(before, w) * factor, zero()))


class DropoutGradient(NamedTuple):
    """The job of `dropout_gradient`, whose share are planes; fields as in `Dropout`."""

    x: Floats  # read only if it is a ReLU's output
    dy: Floats
    dx: Floats
    place: int
    scale: float
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window
    feed: Fed


@kernel(DropoutGradient)
def _dropout_gradient(job, first, last):
    window, keep = job.window, advance(job.feed.kept, job.place)
    add, x_is_relu_output = job.add, job.x_is_relu_output
    factor, width = broadcast(np.float32(job.scale)), window.width * LANES
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            above = advance(job.dy, plane * window.y_plane + h * window.y_row)
            chosen = (plane * window.height + h) * width
            for w in range(0, width, LANES):
                value = select(surviving(keep, chosen + w, LANES), load(above, w) * factor, zero())
                tested = load(before, w) if x_is_relu_output else zero()
                finish(gradient, w, value, tested, add, x_is_relu_output)


# -- functions of arrays


def dropout(x: Images, keep: np.ndarray, scale: float, *, border: int = 0, threads: int | None = None) -> Images:
    """Keep some elements, scaled, and set the others to zero (Srivastava et al. 2014, scaled while training).

    Parameters
    ----------
    x : Images
    keep : uint8 or bool array of shape (tiles, channels, rows, columns, 16)
        Not zero where an element is kept.
    scale : float
        One over the share that is kept.
    border : int
        Zeros to leave around the images of the result.
    threads : int, optional

    Returns
    -------
    Images

    Raises
    ------
    InputError
        If `keep` has another shape or type.
    """
    window, y = elementwise_window(x, border), Images.zeros(x.tiles, x.geometry._replace(border=border))
    job = Dropout(x.interior, y.interior, 0, float(scale), window, _mask(keep, x))
    run(job, even_shares(x.tiles * window.inputs, threads))
    return y


def dropout_gradient(
    x: Images,
    keep: np.ndarray,
    dy: Images,
    scale: float,
    *,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Return the gradient of `dropout` by its input.

    Parameters
    ----------
    x, keep, scale, threads
        What `dropout` was given.
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
        If `keep`, dy or add_to does not fit x.
    """
    window, after = elementwise_window(x, dy.border), x.geometry._replace(border=dy.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    values = x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior
    flags = add_to is not None, x_is_relu_output
    job = DropoutGradient(*values, 0, float(scale), *flags, window, _mask(keep, x))
    run(job, even_shares(x.tiles * window.inputs, threads))
    return dx


def _mask(keep: np.ndarray, x: Images) -> Feed:
    """Return a feed with the mask of one dropout."""
    image = x.geometry
    return Feed(kept=flat_bytes(keep, (x.tiles, image.channels, image.height, image.width, LANES), "keep"))
