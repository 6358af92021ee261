"""The S-shaped rectified linear unit (Jin et al. 2016) of packed images, and its gradients.

A channel belongs to one thread, in all tiles: its four parameters are read once, and their gradients are sums over all of it.
Lanes without a sample, whose upstream gradients are zero, add nothing.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares, flat_each, images_like, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, broadcast, load, muladd, select, store, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, wide_zero, widened
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Window


class SReLU(NamedTuple):
    """The job of `srelu`, whose share are channels, each in all tiles."""

    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats  # may be x
    t_left: Floats  # where the left part ends; one number a channel, as the next three
    a_left: Floats  # the slope there
    t_right: Floats  # how far from it the right part begins; the sign does not matter
    a_right: Floats
    window: Window  # of x and y: one by one pixel


class SReLUGradient(NamedTuple):
    """The job of `srelu_gradient`; fields and share as in `SReLU`."""

    x: Floats
    dy: Floats
    dx: Floats  # may be x
    t_left: Floats
    a_left: Floats
    t_right: Floats
    a_right: Floats
    dt_left: Floats
    da_left: Floats
    dt_right: Floats
    da_right: Floats
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@device
def _parts(job, channel):
    """Return the left threshold and slope of a channel, and the right ones, as vectors."""
    low = at(job.t_left, channel)
    high = low + abs(at(job.t_right, channel))
    return broadcast(low), broadcast(at(job.a_left, channel)), broadcast(high), broadcast(at(job.a_right, channel))


@kernel(SReLU)
def _srelu(job, first, last):
    window = job.window
    for channel in range(first, last):
        low, left, high, right = _parts(job, channel)
        for tile in range(window.tiles):
            plane = tile * window.inputs + channel
            for h in range(window.height):
                before = advance(job.x, plane * window.x_plane + h * window.x_row)
                after = advance(job.y, plane * window.y_plane + h * window.y_row)
                for w in range(0, window.width * LANES, LANES):
                    x = load(before, w)
                    y = select(high <= x, muladd(right, x - high, high), x)
                    store(after, w, select(x <= low, muladd(left, x - low, low), y))


@kernel(SReLUGradient)
def _srelu_gradient(job, first, last):
    window, add, x_is_relu_output = job.window, job.add, job.x_is_relu_output
    one = broadcast(np.float32(1))
    for channel in range(first, last):
        low, left, high, right = _parts(job, channel)
        passed_left, passed_right, by_left, by_right = wide_zero(), wide_zero(), wide_zero(), wide_zero()
        for tile in range(window.tiles):
            plane = tile * window.inputs + channel
            for h in range(window.height):
                start = plane * window.x_plane + h * window.x_row
                before, below = advance(job.x, start), advance(job.dx, start)
                above = advance(job.dy, plane * window.y_plane + h * window.y_row)
                a, b, c, d = zero(), zero(), zero(), zero()
                for w in range(0, window.width * LANES, LANES):
                    x, dy = load(before, w), load(above, w)
                    slope = select(x <= low, left, select(high <= x, right, one))
                    on_left = select(x <= low, dy, zero())
                    on_right = select(x <= low, zero(), select(high <= x, dy, zero()))
                    a, b = a + on_left, muladd(on_left, x - low, b)
                    c, d = c + on_right, muladd(on_right, x - high, d)
                    finish(below, w, dy * slope, before, add, x_is_relu_output)
                passed_left, by_left = widened(passed_left, a), widened(by_left, b)
                passed_right, by_right = widened(passed_right, c), widened(by_right, d)
        # With its threshold moves the line of a part: by 1 - slope.
        moved_left = lane_sum(passed_left) * (1.0 - at(job.a_left, channel))
        moved_right = lane_sum(passed_right) * (1.0 - at(job.a_right, channel))
        put(job.dt_left, channel, np.float32(moved_left + moved_right))
        put(job.da_left, channel, np.float32(lane_sum(by_left)))
        put(job.dt_right, channel, np.float32(moved_right * np.sign(at(job.t_right, channel))))
        put(job.da_right, channel, np.float32(lane_sum(by_right)))


# -- functions of arrays


def srelu(
    x: Images,
    t_left: np.ndarray,
    a_left: np.ndarray,
    t_right: np.ndarray,
    a_right: np.ndarray,
    *,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Return x between t_left and t_left + |t_right|, and beyond these lines of slopes a_left and a_right (Jin et al. 2016).

    The four parameters are of shape (channels,); border and threads as in `kernels.cpu`.
    """
    window, channels = elementwise_window(x, border), (x.geometry.channels,)
    y = Images.zeros(x.tiles, x.geometry._replace(border=border))
    parameters = flat_each(channels, t_left=t_left, a_left=a_left, t_right=t_right, a_right=a_right)
    run(SReLU._make((x.interior, y.interior, *parameters, window)), even_shares(*channels, threads))
    return y


def srelu_gradient(
    x: Images,
    dy: Images,
    t_left: np.ndarray,
    a_left: np.ndarray,
    t_right: np.ndarray,
    a_right: np.ndarray,
    *,
    add_to: Written[Images] | None = None,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> tuple[Images, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of `srelu` by x and by its four parameters; dy is zero in lanes without a sample.

    Options are as in `kernels.cpu`; the gradients of the parameters are of shape (channels,).
    """
    window, channels = elementwise_window(x, dy.border), (x.geometry.channels,)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    above = images_like(dy, x.tiles, x.geometry._replace(border=dy.border), "dy")
    parameters = flat_each(channels, t_left=t_left, a_left=a_left, t_right=t_right, a_right=a_right)
    dt_left, da_left, dt_right, da_right = gradients = [empty(*channels) for _ in parameters]
    arrays = x.interior, above, dx.interior, *parameters, *gradients
    job = SReLUGradient._make((*arrays, add_to is not None, x_is_relu_output, window))
    run(job, even_shares(*channels, threads))
    return dx, dt_left, da_left, dt_right, da_right
