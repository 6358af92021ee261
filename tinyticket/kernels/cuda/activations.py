"""Leaky ReLU, hyperbolic tangent and sigmoid on a device and their gradients.

The setting of a leaky ReLU is its slope where x is not positive; its gradient reads x, those of the others read y. A ReLU needs no
kernel of its own: those that write a value apply it, and those that write a gradient apply its gradient.
"""

import math

import numpy as np

from tinyticket.kernels.cuda.elementwise import make_elementwise
from tinyticket.kernels.cuda.toolkit import cuda

_ZERO, _ONE = np.float32(0), np.float32(1)


@cuda.jit(device=True)
def _leaky_relu(x, slope):
    return x if x > _ZERO else x * slope


@cuda.jit(device=True)
def _leaky_relu_derivative(dy, x, below, y, above, slope):
    return dy[above] * (_ONE if x[below] > _ZERO else slope)


@cuda.jit(device=True)
def _tanh(x, setting):
    return math.tanh(x)


@cuda.jit(device=True)
def _tanh_derivative(dy, x, below, y, above, setting):
    return dy[above] * (_ONE - y[above] * y[above])


@cuda.jit(device=True)
def _sigmoid(x, setting):
    # Through exp(-|x|): nothing overflows, and small probabilities keep their digits.
    e = math.exp(-abs(x))
    return (_ONE if x >= _ZERO else e) / (_ONE + e)


@cuda.jit(device=True)
def _sigmoid_derivative(dy, x, below, y, above, setting):
    return dy[above] * (y[above] * (_ONE - y[above]))


leaky_relu, leaky_relu_gradient = make_elementwise(_leaky_relu, _leaky_relu_derivative)
tanh, tanh_gradient = make_elementwise(_tanh, _tanh_derivative)
sigmoid, sigmoid_gradient = make_elementwise(_sigmoid, _sigmoid_derivative)
