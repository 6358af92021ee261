"""Passes over images element by element: a residual addition, and a copy, perhaps through a ReLU, between borders."""

from tinyticket.kernels.cpu.image_common import finish, passing, plane_of, row_of
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, load, relu, store, zero


@device
def copy_forward(x, y, window, first, last, rectify):
    """y = x, or relu(x); borders may differ, and y may be x.

    Parameters
    ----------
    x, y : addresses of the interior of tile 0
    window : Window
        One by one pixel, stride 1, no padding.
    first, last : int64
        Planes, tile * channels + channel.
    rectify : boolean
    """
    for job in range(first, last):
        for h in range(window.height):
            before = advance(x, job * window.x_plane + h * window.x_row)
            after = advance(y, job * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                value = load(before, w)
                store(after, w, relu(value) if rectify else value)


@device
def copy_backward(x, y, dy, dx, window, first, last, rectify, add, rectified):
    """dx = dy where y is positive, or everywhere without a ReLU.

    Parameters
    ----------
    x, y, dy, dx : addresses of the interior of tile 0
        x is read only if `rectified`, y only if `rectify`.
    window, first, last, rectify
        As in `copy_forward`.
    add, rectified : boolean
        Start from what dx holds; leave zero where x, the output of a ReLU, is zero.
    """
    for job in range(first, last):
        for h in range(window.height):
            start = job * window.x_plane + h * window.x_row
            before, gradient = advance(x, start), advance(dx, start)
            start = job * window.y_plane + h * window.y_row
            after, above = advance(y, start), advance(dy, start)
            for w in range(0, window.width * LANES, LANES):
                value = load(above, w)
                if rectify:
                    value = passing(load(after, w), value)
                finish(gradient, w, value, load(before, w) if rectified else zero(), add, rectified)


@device
def add_forward(x, addend, y, window, other, first, last, rectify):
    """y = x + addend, perhaps through a ReLU; y may be either of them.

    Parameters
    ----------
    x, addend, y : addresses of the interior of tile 0
    window : Window
        Of x and y: one by one pixel, stride 1, no padding.
    other : Image
        Of the addend.
    first, last : int64
        Planes, tile * channels + channel.
    rectify : boolean
    """
    for job in range(first, last):
        for h in range(window.height):
            before = advance(x, job * window.x_plane + h * window.x_row)
            beside = advance(addend, job * plane_of(other) + h * row_of(other))
            after = advance(y, job * window.y_plane + h * window.y_row)
            for w in range(0, window.width * LANES, LANES):
                value = load(before, w) + load(beside, w)
                store(after, w, relu(value) if rectify else value)


@device
def add_backward(
    x,
    addend,
    y,
    dy,
    dx,
    d_addend,
    window,
    other,
    first,
    last,
    rectify,
    add,
    rectified,
    add_addend,
    rectified_addend,
):
    """Hand dy, where y is positive if there was a ReLU, on to both summands, in one sweep.

    Parameters
    ----------
    x, addend, y, dy, dx, d_addend : addresses of the interior of tile 0
        x, addend and y are read only if `rectified`, `rectified_addend` and `rectify`.
    window, other, first, last, rectify
        As in `add_forward`.
    add, rectified : boolean
        Start from what dx holds; leave zero where x, the output of a ReLU, is zero.
    add_addend, rectified_addend : boolean
        The same of d_addend and the addend.
    """
    for job in range(first, last):
        for h in range(window.height):
            start = job * window.x_plane + h * window.x_row
            before, gradient = advance(x, start), advance(dx, start)
            start = job * plane_of(other) + h * row_of(other)
            beside, passed = advance(addend, start), advance(d_addend, start)
            start = job * window.y_plane + h * window.y_row
            after, above = advance(y, start), advance(dy, start)
            for w in range(0, window.width * LANES, LANES):
                value = load(above, w)
                if rectify:
                    value = passing(load(after, w), value)
                finish(gradient, w, value, load(before, w) if rectified else zero(), add, rectified)
                tested = load(beside, w) if rectified_addend else zero()
                finish(passed, w, value, tested, add_addend, rectified_addend)
