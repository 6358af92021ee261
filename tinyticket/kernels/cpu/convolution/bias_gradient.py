"""The gradient of a convolution's bias: each channel's sum over samples and pixels."""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares
from tinyticket.kernels.cpu.image_common import passing
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, load, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, row_sum, wide_zero, widened
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Window


@device
def _channel_sum(dy, window, channel):
    total = wide_zero()
    for tile in range(window.tiles):
        start = (tile * window.outputs + channel) * window.y_plane
        for h in range(window.height):
            total = widened(total, row_sum(advance(dy, start + h * window.y_row), window.width))
    return np.float32(lane_sum(total))


class Conv2dBiasGradient(NamedTuple):
    """The job of `conv2d_bias_gradient`, whose share are output channels."""

    dy: Floats  # zero in padded lanes
    gradient: Floats  # (outputs,)
    window: Window  # of the convolution, or any whose y is dy


@kernel(Conv2dBiasGradient)
def _conv2d_bias_gradient(job, first, last):
    dy, gradient, window = job.dy, job.gradient, job.window
    for channel in range(first, last):
        put(gradient, channel, _channel_sum(dy, window, channel))


@device
def _pooled_channel_sum(y, dy, window, channel, x_is_relu_output):
    total = wide_zero()
    for tile in range(window.tiles):
        start = (tile * window.outputs + channel) * window.y_plane
        for h in range(window.height):
            place = start + h * window.y_row
            part = zero()
            for w in range(window.width):
                given = load(dy, place + w * LANES)
                part = part + (passing(load(y, place + w * LANES), given) if x_is_relu_output else given)
            total = widened(total, part)
    return np.float32(lane_sum(total))


class PooledBiasGradient(NamedTuple):
    """The job of `pooled_bias_gradient`, whose share are channels.

    It finds in the gradient of a maximum pooling's output what `conv2d_bias_gradient` finds in its input's: each maximum hands
    its gradient to one element, so the sums are equal, and here there are fewer numbers to add.
    """

    y: Floats  # the maxima
    dy: Floats  # zero in padded lanes
    gradient: Floats
    x_is_relu_output: bool  # the pooling's input came out of a ReLU: maxima of zero hand on nothing
    window: Window  # any whose y is dy


@kernel(PooledBiasGradient)
def _pooled_bias_gradient(job, first, last):
    y, dy, gradient, x_is_relu_output, window = job.y, job.dy, job.gradient, job.x_is_relu_output, job.window
    for channel in range(first, last):
        put(gradient, channel, _pooled_channel_sum(y, dy, window, channel, x_is_relu_output))


def conv2d_bias_gradient(dy: Images, *, threads: int | None = None) -> np.ndarray:
    """Sum the gradient of a convolution's output over samples and pixels.

    Parameters
    ----------
    dy : Images
        Zero in padded lanes; the border is not read.
    threads : int, optional

    Returns
    -------
    array of shape (channels,)
    """
    window = elementwise_window(dy, dy.border)
    gradient = empty(window.outputs)
    run(Conv2dBiasGradient(dy.interior, gradient, window), even_shares(window.outputs, threads))
    return gradient
