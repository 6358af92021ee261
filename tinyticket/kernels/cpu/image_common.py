"""Helpers of the passes over packed images: distances between rows and planes, and the end of every input gradient."""

from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import load, select, store, zero
from tinyticket.kernels.geometry import row

row_of = device(row)


@device
def plane_of(image):
    """Return the distance of an image's channels, in floats."""
    return (image.height + (2 - image.shared) * image.border) * row_of(image)


@device
def passing(x, value):
    """Return a gradient with zero in every lane in which x, the output of a ReLU, is zero."""
    return select(x <= zero(), zero(), value)


@device
def finish(dx, place, value, x, add, x_is_relu_output):
    """Store one vector of a gradient: add what is there, and pass nothing where the ReLU that made x gave zero."""
    if add:
        value = load(dx, place) + value
    if x_is_relu_output:
        value = passing(load(x, place), value)
    store(dx, place, value)
