"""Convolutions, dense and sparse."""

from tinyticket.compiler.network.routines.arguments import flag_at, lines_at, place_at, window_at
from tinyticket.kernels.cpu.convolution_gradient import conv_weight_gradient
from tinyticket.kernels.cpu.convolution_passes import conv_forward, conv_input_gradient
from tinyticket.kernels.cpu.convolution_weights import conv_pack
from tinyticket.kernels.cpu.image_bias import image_bias_backward, pooled_image_bias_backward
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.sparse_convolution_passes import (
    sparse_conv_backward,
    sparse_conv_forward,
    sparse_conv_gradient,
)


@device
def convolution_pack(c, row, first, last):
    """Arguments: weights, packed, packed back, window."""
    conv_pack(place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), window_at(row, 3), first, last)


@device
def convolution_forward(c, row, first, last):
    """Arguments: packed, bias, x, y, whether to rectify, window."""
    packed, bias, x, y = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    conv_forward(packed, bias, x, y, window_at(row, 5), first, last, flag_at(row, 4))


@device
def convolution_backward(c, row, first, last):
    """Arguments: packed back, x, dy, dx, whether to add, whether x was rectified, window."""
    packed, x, dy, dx = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    conv_input_gradient(packed, x, dy, dx, window_at(row, 6), first, last, flag_at(row, 4), flag_at(row, 5))


@device
def convolution_gradient(c, row, first, last):
    """Arguments: x, dy, gradient, window."""
    conv_weight_gradient(place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), window_at(row, 3), first, last)


@device
def sparse_convolution_forward(c, row, first, last):
    """Arguments: values, bias, x, y, whether to rectify, rows, window."""
    values, bias, x, y = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    sparse_conv_forward(lines_at(c, row, 5), values, bias, x, y, window_at(row, 8), first, last, flag_at(row, 4))


@device
def sparse_convolution_backward(c, row, first, last):
    """Arguments: values, x, dy, dx, gradient, whether to add, whether x was rectified, columns, window."""
    values, x, dy, dx = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    g, columns, window, add, rectified = (
        place_at(c, row, 4),
        lines_at(c, row, 7),
        window_at(row, 10),
        flag_at(row, 5),
        flag_at(row, 6),
    )
    sparse_conv_backward(columns, values, x, dy, dx, g, window, first, last, add, rectified)


@device
def sparse_convolution_gradient(c, row, first, last):
    """Arguments: x, dy, gradient, rows, window."""
    x, dy, gradient = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2)
    sparse_conv_gradient(lines_at(c, row, 3), x, dy, gradient, window_at(row, 6), first, last)


@device
def bias_backward(c, row, first, last):
    """Arguments: dy, gradient, window."""
    image_bias_backward(place_at(c, row, 0), place_at(c, row, 1), window_at(row, 2), first, last)


@device
def pooled_bias_backward(c, row, first, last):
    """Arguments: y, dy, gradient, whether what was pooled was rectified, window."""
    y, dy, gradient = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2)
    pooled_image_bias_backward(y, dy, gradient, window_at(row, 4), first, last, flag_at(row, 3))
