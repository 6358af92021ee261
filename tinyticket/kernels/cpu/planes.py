"""Passes over packed images a plane (one channel of one tile) at a time: their jobs, loops and functions of images.

Input and output may have different borders; only the interior is read and written.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypedDict

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares, images_like, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed
from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.job import Floats, run, specialised
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, load, store
from tinyticket.kernels.geometry import Image, Window


class Planes(NamedTuple):
    """A job whose share are planes: tile * channels + channel; fields that its kernel does not read stay zero."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # may be x where the window is one by one pixel
    window: Window
    relu: bool = False  # end in a ReLU
    slope: float = 0.0  # of a leaky ReLU where x is not positive; taken as float32
    scale: float = 0.0  # of what a dropout keeps, one over its share; taken as float32
    place: int = (
        0  # where a dropout's mask begins in feed.kept: a byte an element, in the order of images without a border
    )
    feed: Fed = 0


class PlanesGradient(NamedTuple):
    """The job of such a pass's gradient, with the same share."""

    x: Floats  # unless the gradient depends on it, read only if it is a ReLU's output
    y: Floats  # read only if the gradient depends on it
    dy: Floats
    dx: Floats
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window
    relu: bool = False  # dy passes only where y is positive
    slope: float = 0.0
    scale: float = 0.0
    place: int = 0
    feed: Fed = 0


_value: Any = None  # stands for the compiled function of each pixel,
_hand_on: Any = None  # and this for what else is done with a gradient


def _planes(job, first, last):
    window = job.window
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                store(after, w, _value(load(before, w), (plane, h, w), job))


def _gradient_planes(job, first, last):
    window, add, x_is_relu_output = job.window, job.add, job.x_is_relu_output
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            start = plane * window.y_plane + h * window.y_row
            after, above = advance(job.y, start), advance(job.dy, start)
            for w in range(0, window.width * LANES, LANES):
                found = _value(load(above, w), (plane, h, w), before, after, job)
                finish(gradient, w, found, before, add, x_is_relu_output)
                if _hand_on is not None:
                    _hand_on(found, (plane, h, w), job)


def map_planes(value: Callable) -> Any:
    """Make the function of planes that writes y = value(x, (plane, row, offset in the row), job), vector by vector."""
    return specialised(_planes, value.__name__, _value=device(value))


def map_gradient(value: Callable, hand_on: Any = None) -> Any:
    """Make the function of planes that writes dx from value(dy, (plane, row, offset in the row), row of x, row of y, job).

    What that value is, is then handed on, too: hand_on(value, (plane, row, offset in the row), job).
    """
    return specialised(_gradient_planes, value.__name__, _value=device(value), _hand_on=hand_on)


# -- functions of images


class Options(TypedDict, total=False):
    """Options of passes over images."""

    border: int  # pixels of zeros to leave around the images of the result
    threads: int | None


class GradientOptions(TypedDict, total=False):
    """Options of gradients by images x."""

    add_to: Written[Images] | None  # like x, what other consumers of x gave: changed and returned
    x_is_relu_output: bool  # make the result the gradient by what went into the ReLU that made x
    threads: int | None


def run_forward(
    job: Any,
    x: Images,
    fields: Mapping[str, Any] | None = None,
    window: Window | None = None,
    *,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Return what a job with such other fields writes; without a window, it treats each pixel alone."""
    window = window or elementwise_window(x, border)
    y = Images.zeros(x.tiles, Image(*window[2:5], border))
    filled = job(x=x.interior, y=y.interior, window=window, **fields or {})
    run(filled, even_shares(x.tiles * window.inputs, threads))
    return y


def run_gradient(
    job: Any,
    x: Images,
    y: Images | None,
    dy: Images,
    fields: Mapping[str, Any] | None = None,
    window: Window | None = None,
    *,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Return the gradient by x that a job with such other fields writes; y is None where it is not read."""
    border = dy.border if y is None else y.border
    window = window or elementwise_window(x, border)
    dx, geometry = images_to_write(add_to, x.tiles, x.geometry, "add_to"), Image(*window[2:5], border)
    after = 0 if y is None else images_like(y, x.tiles, geometry, "y")
    values = x.interior, after, images_like(dy, x.tiles, geometry, "dy"), dx.interior
    filled = job(*values, add_to is not None, x_is_relu_output, window, **fields or {})
    run(filled, even_shares(x.tiles * window.inputs, threads))
    return dx
