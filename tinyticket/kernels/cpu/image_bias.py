"""The gradient of a convolution's bias: each channel's sum over samples and pixels."""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.image_arguments import elementwise_window, interior
from tinyticket.kernels.cpu.jit import device, kernel
from tinyticket.kernels.cpu.layout import empty
from tinyticket.kernels.cpu.simd import advance, pointer
from tinyticket.kernels.cpu.sums import lane_sum, row_sum, wide_zero, widened
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.transpose import put


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
