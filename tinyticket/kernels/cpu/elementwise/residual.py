"""Copies and residual additions of packed images, perhaps through a ReLU."""

from typing import NamedTuple

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares, images_like, images_to_write
from tinyticket.kernels.cpu.image_common import finish, passing, plane_of, row_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, load, relu, store, zero
from tinyticket.kernels.geometry import Image, Window


class Copy(NamedTuple):
    """The job of `copy`, whose share are planes: tile * channels + channel."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # may be x
    relu: bool
    window: Window  # one by one pixel


@kernel(Copy)
def _copy(job, first, last):
    window, with_relu = job.window, job.relu
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                value = load(before, w)
                store(after, w, relu(value) if with_relu else value)


@device
def _upstream(above, after, w, with_relu):
    """Return the gradient by what went into the ReLU, if there was one."""
    value = load(above, w)
    return passing(load(after, w), value) if with_relu else value


class CopyGradient(NamedTuple):
    """The job of `copy_gradient`, whose share are planes."""

    x: Floats  # read only if it is a ReLU's output
    y: Floats  # read only with a ReLU
    dy: Floats
    dx: Floats
    relu: bool  # dy passes only where y is positive
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(CopyGradient)
def _copy_gradient(job, first, last):
    window, with_relu, add, x_is_relu_output = job.window, job.relu, job.add, job.x_is_relu_output
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            start = plane * window.y_plane + h * window.y_row
            after, above = advance(job.y, start), advance(job.dy, start)
            for w in range(0, window.width * LANES, LANES):
                value = _upstream(above, after, w, with_relu)
                tested = load(before, w) if x_is_relu_output else zero()
                finish(gradient, w, value, tested, add, x_is_relu_output)


class Add(NamedTuple):
    """The job of `add`, whose share are planes."""

    x: Floats
    addend: Floats
    y: Floats  # may be either of them
    relu: bool
    window: Window  # of x and y: one by one pixel
    addend_image: Image


@kernel(Add)
def _add(job, first, last):
    window, addend_image, with_relu = job.window, job.addend_image, job.relu
    for plane in range(first, last):
        for h in range(window.height):
            before = advance(job.x, plane * window.x_plane + h * window.x_row)
            beside = advance(job.addend, plane * plane_of(addend_image) + h * row_of(addend_image))
            after = advance(job.y, plane * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                value = load(before, w) + load(beside, w)
                store(after, w, relu(value) if with_relu else value)


class AddGradient(NamedTuple):
    """The job of `add_gradient`, whose share are planes: dy goes to both summands in one sweep."""

    x: Floats  # read only if it is a ReLU's output, as is the addend
    addend: Floats
    y: Floats  # read only with a ReLU
    dy: Floats
    dx: Floats
    d_addend: Floats
    relu: bool  # dy passes only where y is positive
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    add_to_addend: bool  # start from what d_addend holds
    addend_is_relu_output: bool
    window: Window
    addend_image: Image


@kernel(AddGradient)
def _add_gradient(job, first, last):
    window, addend_image, with_relu = job.window, job.addend_image, job.relu
    add, x_is_relu_output = job.add, job.x_is_relu_output
    add_to_addend, addend_is_relu_output = job.add_to_addend, job.addend_is_relu_output
    for plane in range(first, last):
        for h in range(window.height):
            start = plane * window.x_plane + h * window.x_row
            before, gradient = advance(job.x, start), advance(job.dx, start)
            start = plane * plane_of(addend_image) + h * row_of(addend_image)
            beside, passed = advance(job.addend, start), advance(job.d_addend, start)
            start = plane * window.y_plane + h * window.y_row
            after, above = advance(job.y, start), advance(job.dy, start)
            for w in range(0, window.width * LANES, LANES):
                value = _upstream(above, after, w, with_relu)
                tested = load(before, w) if x_is_relu_output else zero()
                finish(gradient, w, value, tested, add, x_is_relu_output)
                tested = load(beside, w) if addend_is_relu_output else zero()
                finish(passed, w, value, tested, add_to_addend, addend_is_relu_output)


# -- functions of arrays


def copy(x: Images, *, relu: bool = False, border: int = 0, threads: int | None = None) -> Images:
    """Copy images, perhaps through a ReLU, to where they have another border.

    Parameters
    ----------
    x : Images
    relu : bool
        Set negative numbers to zero.
    border : int
        Zeros to leave around the images of the result.
    threads : int, optional

    Returns
    -------
    Images
    """
    window, y = elementwise_window(x, border), Images.zeros(x.tiles, x.geometry._replace(border=border))
    run(Copy(x.interior, y.interior, relu, window), even_shares(x.tiles * window.inputs, threads))
    return y


def copy_gradient(
    x: Images,
    y: Images,
    dy: Images,
    *,
    relu: bool = False,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Images:
    """Return the gradient of `copy` by its input.

    Parameters
    ----------
    x, y, relu, threads
        What `copy` was given and returned.
    dy : Images like y
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
        If y, dy or add_to does not fit x or its border.
    """
    window, after = elementwise_window(x, y.border), x.geometry._replace(border=y.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    values = x.interior, images_like(y, x.tiles, after, "y"), images_like(dy, x.tiles, after, "dy"), dx.interior
    job = CopyGradient(*values, relu, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(x.tiles * window.inputs, threads))
    return dx


def add(x: Images, addend: Images, *, relu: bool = False, border: int = 0, threads: int | None = None) -> Images:
    """Add images, as a residual block ends (He et al. 2016, figure 2), perhaps through a ReLU.

    Parameters
    ----------
    x : Images
    addend : Images of x's size
    relu, border, threads
        As in `copy`.

    Returns
    -------
    Images

    Raises
    ------
    InputError
        If the addend is not as large as x.
    """
    window, y = elementwise_window(x, border), Images.zeros(x.tiles, x.geometry._replace(border=border))
    addend_image = x.geometry._replace(border=addend.border)
    values = x.interior, images_like(addend, x.tiles, addend_image, "addend"), y.interior
    run(Add(*values, relu, window, addend_image), even_shares(x.tiles * window.inputs, threads))
    return y


def add_gradient(
    x: Images,
    addend: Images,
    y: Images,
    dy: Images,
    *,
    relu: bool = False,
    add_to: Images | None = None,
    x_is_relu_output: bool = False,
    addend_add_to: Images | None = None,
    addend_is_relu_output: bool = False,
    threads: int | None = None,
) -> tuple[Images, Images]:
    """Return the gradients of `add` by its input and its addend.

    Parameters
    ----------
    x, addend, y, relu, threads
        What `add` was given and returned.
    dy : Images like y
    add_to, addend_add_to : Images like x and like the addend, optional
        What other consumers of them gave; changed and returned.
    x_is_relu_output, addend_is_relu_output : bool
        Make the results the gradients by what went into the ReLU that made x or the addend.

    Returns
    -------
    dx, d_addend : Images like x and like the addend

    Raises
    ------
    InputError
        If images do not fit x or its border.
    """
    window, after = elementwise_window(x, y.border), x.geometry._replace(border=y.border)
    addend_image = x.geometry._replace(border=addend.border)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    d_addend = images_to_write(addend_add_to, x.tiles, addend_image, "addend_add_to")
    job = AddGradient(
        x=x.interior,
        addend=images_like(addend, x.tiles, addend_image, "addend"),
        y=images_like(y, x.tiles, after, "y"),
        dy=images_like(dy, x.tiles, after, "dy"),
        dx=dx.interior,
        d_addend=d_addend.interior,
        relu=relu,
        add=add_to is not None,
        x_is_relu_output=x_is_relu_output,
        add_to_addend=addend_add_to is not None,
        addend_is_relu_output=addend_is_relu_output,
        window=window,
        addend_image=addend_image,
    )
    run(job, even_shares(x.tiles * window.inputs, threads))
    return dx, d_addend
