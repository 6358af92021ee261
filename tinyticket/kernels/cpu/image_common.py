"""Helpers of the passes over packed images: distances between rows and planes, and the end of every input gradient."""

from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import load, select, store, zero


@device
def row_of(image):
    """Return the distance of an image's rows, in floats."""
    return (image.width + (2 - image.shared) * image.border) * LANES


@device
def plane_of(image):
    """Return the distance of an image's channels, in floats."""
    return (image.height + (2 - image.shared) * image.border) * row_of(image)


@device
def passing(x, value):
    """Return a gradient with zero in every lane in which x, the output of a ReLU, is zero."""
    return select(x <= zero(), zero(), value)


@device
def finish(place, offset, value, x, add, x_is_relu_output):
    """Store one vector of a gradient: add what is there, and pass nothing where the ReLU that made x gave zero."""
    if add:
        value = load(place, offset) + value
    if x_is_relu_output:
        value = passing(x, value)
    store(place, offset, value)
