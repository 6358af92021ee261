"""Leaky ReLU, hyperbolic tangent and sigmoid of packed images, and their gradients.

A ReLU needs no pass of its own: kernels that write a value apply it, and those that write a gradient apply its gradient.
"""

from typing import Unpack

import numpy as np

from tinyticket.kernels.cpu.job import kernel
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.planes import (
    GradientOptions,
    Options,
    Planes,
    PlanesGradient,
    map_gradient,
    map_planes,
    run_forward,
    run_gradient,
)
from tinyticket.kernels.cpu.vector.elementary import hyperbolic_tangent, logistic
from tinyticket.kernels.cpu.vector.simd import broadcast, load, select, zero


class LeakyReLU(Planes):
    """The job of `leaky_relu`."""


class LeakyReLUGradient(PlanesGradient):
    """The job of `leaky_relu_gradient`."""


class Tanh(Planes):
    """The job of `tanh`."""


class TanhGradient(PlanesGradient):
    """The job of `tanh_gradient`."""


class Sigmoid(Planes):
    """The job of `sigmoid`."""


class SigmoidGradient(PlanesGradient):
    """The job of `sigmoid_gradient`."""


@kernel(LeakyReLU)
@map_planes
def _leaky_relu(x, place, job):
    return select(zero() < x, x, x * broadcast(np.float32(job.slope)))


@kernel(LeakyReLUGradient)
@map_gradient
def _leaky_relu_gradient(dy, place, x, y, job):
    return select(zero() < load(x, place[2]), dy, dy * broadcast(np.float32(job.slope)))


@kernel(Tanh)
@map_planes
def _tanh(x, place, job):
    return hyperbolic_tangent(x)


@kernel(TanhGradient)
@map_gradient
def _tanh_gradient(dy, place, x, y, job):
    after = load(y, place[2])
    return dy * (broadcast(np.float32(1)) - after * after)


@kernel(Sigmoid)
@map_planes
def _sigmoid(x, place, job):
    return logistic(x)


@kernel(SigmoidGradient)
@map_gradient
def _sigmoid_gradient(dy, place, x, y, job):
    after = load(y, place[2])
    return dy * (after * (broadcast(np.float32(1)) - after))


# -- functions of arrays


def leaky_relu(x: Images, slope: float = 0.01, **options: Unpack[Options]) -> Images:
    """Return x where it is positive, and slope * x elsewhere; options as in `kernels.cpu`."""
    return run_forward(LeakyReLU, x, {"slope": float(slope)}, **options)


def leaky_relu_gradient(x: Images, dy: Images, slope: float = 0.01, **options: Unpack[GradientOptions]) -> Images:
    """Return the gradient of `leaky_relu` by x; options as in `kernels.cpu`."""
    return run_gradient(LeakyReLUGradient, x, None, dy, {"slope": float(slope)}, **options)


def tanh(x: Images, **options: Unpack[Options]) -> Images:
    """Return the hyperbolic tangent of x; options as in `kernels.cpu`."""
    return run_forward(Tanh, x, **options)


def tanh_gradient(x: Images, y: Images, dy: Images, **options: Unpack[GradientOptions]) -> Images:
    """Return the gradient of `tanh`, whose result is y, by x: dy (1 - y**2); otherwise as `leaky_relu_gradient`."""
    return run_gradient(TanhGradient, x, y, dy, **options)


def sigmoid(x: Images, **options: Unpack[Options]) -> Images:
    """Return 1 / (1 + exp(-x)); options as in `kernels.cpu`."""
    return run_forward(Sigmoid, x, **options)


def sigmoid_gradient(x: Images, y: Images, dy: Images, **options: Unpack[GradientOptions]) -> Images:
    """Return the gradient of `sigmoid`, whose result is y, by x: dy y (1 - y); otherwise as `leaky_relu_gradient`."""
    return run_gradient(SigmoidGradient, x, y, dy, **options)
