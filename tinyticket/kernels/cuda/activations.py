"""Leaky ReLU, hyperbolic tangent and sigmoid on a device, and their gradients, number by number: as fast as memory delivers.

A ReLU needs no kernel of its own: those that write a value apply it, and those that write a gradient apply its gradient.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda.elementwise import over_rows
from tinyticket.kernels.cuda.finish import finish
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

_ZERO, _ONE = np.float32(0), np.float32(1)


class Activation(NamedTuple):
    """The kernels of a function of each number."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]


def make_activation(function: Any, derivative: Any) -> Activation:
    """Make the kernels of an activation.

    Parameters
    ----------
    function : device function
        From x and the slope where x is not positive to y.
    derivative : device function
        From x, its place, y, its place, and the slope; it reads one of the two.
    """

    @cuda.jit
    def forward(x, x_origin, y, y_origin, slope, g):
        """Write a number of y a thread."""
        i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
        if i < g.width * g.lanes:
            value = x[np.uint32((x_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)]
            y[np.uint32((y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] = function(value, slope)

    @cuda.jit
    def backward(x, y, dy, dy_origin, dx, dx_origin, slope, g, add, x_is_relu_output):
        """Write a number of dx a thread."""
        i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
        if i < g.width * g.lanes:
            above = np.uint32((dy_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)
            below = np.uint32((dx_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)
            value = dy[above] * derivative(x, below, y, above, slope)
            finish(dx, below, value, x, add, x_is_relu_output)

    return Activation(forward, backward)


@cuda.jit(device=True)
def _leaky_relu(x, slope):
    return x if x > _ZERO else x * slope


@cuda.jit(device=True)
def _leaky_relu_derivative(x, below, y, above, slope):
    return _ONE if x[below] > _ZERO else slope


@cuda.jit(device=True)
def _tanh(x, slope):
    return math.tanh(x)


@cuda.jit(device=True)
def _tanh_derivative(x, below, y, above, slope):
    return _ONE - y[above] * y[above]


@cuda.jit(device=True)
def _sigmoid(x, slope):
    # Through exp(-|x|): nothing overflows, and small probabilities keep their digits.
    e = math.exp(-abs(x))
    return (_ONE if x >= _ZERO else e) / (_ONE + e)


@cuda.jit(device=True)
def _sigmoid_derivative(x, below, y, above, slope):
    return y[above] * (_ONE - y[above])


LEAKY_RELU = make_activation(_leaky_relu, _leaky_relu_derivative)
TANH = make_activation(_tanh, _tanh_derivative)
SIGMOID = make_activation(_sigmoid, _sigmoid_derivative)


def leaky_relu(x: Any, x_origin: int, y: Any, y_origin: int, slope: float, g: Geometry) -> Launch:
    """Compute y = x where it is positive, and slope * x elsewhere.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values; y may be x.
    x_origin, y_origin : int
        Pixels before the first one inside the border.
    slope : float
    g : Geometry
        One by one pixel, stride 1, no padding.
    """
    return over_rows(LEAKY_RELU.forward, g, x, x_origin, y, y_origin, np.float32(slope), g)


def leaky_relu_gradient(
    x: Any,
    dy: Any,
    dy_origin: int,
    dx: Any,
    dx_origin: int,
    slope: float,
    g: Geometry,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx = dy where x is positive, and slope * dy elsewhere.

    Parameters
    ----------
    x : float32 device array
        Placed as dx is.
    dy, dx : float32 device arrays
        Blocks of gradients.
    dy_origin, dx_origin : int
    slope, g
        As in `leaky_relu`.
    add, x_is_relu_output : int
        As in `finish.finish`.
    """
    flags = int(add), int(x_is_relu_output)
    return over_rows(LEAKY_RELU.backward, g, x, dy, dy, dy_origin, dx, dx_origin, np.float32(slope), g, *flags)


def tanh(x: Any, x_origin: int, y: Any, y_origin: int, g: Geometry) -> Launch:
    """Compute the hyperbolic tangent of x; arguments as in `leaky_relu`."""
    return over_rows(TANH.forward, g, x, x_origin, y, y_origin, _ZERO, g)


def tanh_gradient(
    x: Any,
    y: Any,
    dy: Any,
    dy_origin: int,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx = dy (1 - y**2).

    Parameters
    ----------
    x : float32 device array
        Placed as dx is; read only if `x_is_relu_output`.
    y : float32 device array
        Placed as dy is.
    dy, dy_origin, dx, dx_origin, g, add, x_is_relu_output
        As in `leaky_relu_gradient`.
    """
    flags = int(add), int(x_is_relu_output)
    return over_rows(TANH.backward, g, x, y, dy, dy_origin, dx, dx_origin, _ZERO, g, *flags)


def sigmoid(x: Any, x_origin: int, y: Any, y_origin: int, g: Geometry) -> Launch:
    """Compute 1 / (1 + exp(-x)); arguments as in `leaky_relu`."""
    return over_rows(SIGMOID.forward, g, x, x_origin, y, y_origin, _ZERO, g)


def sigmoid_gradient(
    x: Any,
    y: Any,
    dy: Any,
    dy_origin: int,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx = dy y (1 - y); arguments as in `tanh_gradient`."""
    flags = int(add), int(x_is_relu_output)
    return over_rows(SIGMOID.backward, g, x, y, dy, dy_origin, dx, dx_origin, _ZERO, g, *flags)
