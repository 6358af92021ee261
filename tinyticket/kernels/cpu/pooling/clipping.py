"""The edges of images in poolings: which elements of a window lie inside, and the end of both input gradients."""

from tinyticket.kernels.cpu.image_common import finish
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import load, zero


@device
def bounds(start, size, extent):
    """Return which elements of a window that begins at `start` lie inside the image."""
    return max(-start, 0), min(size, extent - start)


@device
def finish_vector(dx, place, value, x, add, x_is_relu_output):
    """Finish one vector of an input gradient; x is read only where a ReLU made it."""
    finish(dx, place, value, load(x, place) if x_is_relu_output else zero(), add, x_is_relu_output)
