"""The gradient of a convolution's bias: each channel's sum over samples and pixels."""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.image_arguments import elementwise_window, interior
from tinyticket.kernels.cpu.image_common import passing
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, load, pointer, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, row_sum, wide_zero, widened
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.transpose import put


@device
def image_bias_backward(dy, gradient, window, first, last):
    """gradient[first:last] = sums of dy over the samples, rows and columns; padded lanes of dy hold zeros.

    Parameters
    ----------
    dy : address of the interior of tile 0
    gradient : address of one float32 an output channel
    window : Window
        Of the convolution, or any whose y is dy.
    first, last : int64
        Output channels.
    """
    for channel in range(first, last):
        total = wide_zero()
        for tile in range(window.tiles):
            start = (tile * window.outputs + channel) * window.y_plane
            for h in range(window.height):
                total = widened(total, row_sum(advance(dy, start + h * window.y_row), window.width))
        put(gradient, channel, np.float32(lane_sum(total)))


@device
def pooled_image_bias_backward(y, dy, gradient, window, first, last, rectified):
    """gradient[first:last] as `image_bias_backward` finds it in the gradient of a maximum pooling's input, found in its output's.

    Each maximum hands its gradient to one element, so the sums are equal, and here there are fewer numbers to add.

    Parameters
    ----------
    y, dy : addresses of the interior of tile 0
        The maxima and their gradient; padded lanes of dy hold zeros.
    gradient : address of one float32 a channel
    window : Window
        Any whose y is dy.
    first, last : int64
        Channels.
    rectified : boolean
        What was pooled came out of a ReLU: maxima of zero hand on nothing.
    """
    for channel in range(first, last):
        total = wide_zero()
        for tile in range(window.tiles):
            start = (tile * window.outputs + channel) * window.y_plane
            for h in range(window.height):
                place = start + h * window.y_row
                part = zero()
                for w in range(window.width):
                    given = load(dy, place + w * LANES)
                    part = part + (passing(load(y, place + w * LANES), given) if rectified else given)
                total = widened(total, part)
        put(gradient, channel, np.float32(lane_sum(total)))


@kernel
def image_bias_channels(bounds, dy, gradient, window):
    """`image_bias_backward` over chunks of channels."""
    if bounds.size == 2:
        image_bias_backward(pointer(dy, 0), pointer(gradient, 0), window, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            image_bias_backward(pointer(dy, 0), pointer(gradient, 0), window, bounds[chunk], bounds[chunk + 1])


def image_bias_gradient(dy: np.ndarray, *, border: int = 0, threads: int | None = None) -> np.ndarray:
    """Sum the gradient of a convolution's output over samples and pixels.

    Parameters
    ----------
    dy : array of shape (tiles, channels, height + 2 border, width + 2 border, 16)
        Zero in padded lanes.
    border : int
        What surrounds the images; it is not read.
    threads : int, optional

    Returns
    -------
    array of shape (channels,)
    """
    window, image, _ = elementwise_window(dy, border, border)
    gradient = empty(image.channels)
    bounds = even_bounds(image.channels, thread_count(threads))
    image_bias_channels(bounds, interior(dy, len(dy), image, "dy"), gradient, window)
    return gradient
