"""Leaky ReLU, hyperbolic tangent and sigmoid of arrays of any shape, and their gradients."""

import numpy as np

__all__ = ["leaky_relu", "leaky_relu_gradient", "sigmoid", "sigmoid_gradient", "tanh", "tanh_gradient"]


def leaky_relu(x, slope=0.01):
    """Return x where it is positive, and slope * x elsewhere."""
    return x * _slopes(x, slope)


def leaky_relu_gradient(dy, x, slope=0.01):
    """Return dx = dy where x is positive, and slope * dy elsewhere, at 0 too."""
    return dy * _slopes(x, slope)


def tanh(x):
    """Return the hyperbolic tangent of x."""
    return np.tanh(x)


def tanh_gradient(dy, y):
    """Return dx = dy (1 - y**2), given y = tanh(x)."""
    return dy * (1 - y * y)


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), through exp(-|x|): nothing overflows, and small probabilities keep their digits."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_gradient(dy, y):
    """Return dx = dy y (1 - y), given y = sigmoid(x)."""
    return dy * (y * (1 - y))


def _slopes(x, slope):
    return np.where(x > 0, x.dtype.type(1), x.dtype.type(slope))
