"""Dropout of packed values with a mask that is given: kernels draw nothing."""

from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, broadcast, load, select, store, surviving, zero


@device
def dropout_forward(x, keep, y, window, scale, first, last):
    """y = x * scale where `keep` is not zero, and zero elsewhere; y may be x.

    Parameters
    ----------
    x, y : addresses of the interior of tile 0
    keep : address of uint8
        One for each element, as [tile][channel][row][column][lanes] without a border.
    window : Window
        One by one pixel, stride 1, no padding.
    scale : float32
        One over the share that is kept.
    first, last : int64
        Planes, tile * channels + channel.
    """
    factor, width = broadcast(scale), window.width * LANES
    for job in range(first, last):
        for h in range(window.height):
            before = advance(x, job * window.x_plane + h * window.x_row)
            after = advance(y, job * window.y_plane + h * window.y_row)
            chosen = (job * window.height + h) * width
            for w in range(0, width, LANES):
                store(after, w, select(surviving(keep, chosen + w, LANES), load(before, w) * factor, zero()))


@device
def dropout_backward(x, keep, dy, dx, window, scale, first, last, add, rectified):
    """dx = dy * scale where `keep` is not zero; arguments as in `dropout_forward`.

    Parameters
    ----------
    add, rectified : boolean
        Start from what dx holds; leave zero where x, the output of a ReLU, is zero (x is read only then).
    """
    factor, width = broadcast(scale), window.width * LANES
    for job in range(first, last):
        for h in range(window.height):
            start = job * window.x_plane + h * window.x_row
            before, gradient = advance(x, start), advance(dx, start)
            above = advance(dy, job * window.y_plane + h * window.y_row)
            chosen = (job * window.height + h) * width
            for w in range(0, width, LANES):
                value = select(surviving(keep, chosen + w, LANES), load(above, w) * factor, zero())
                finish(gradient, w, value, load(before, w) if rectified else zero(), add, rectified)
