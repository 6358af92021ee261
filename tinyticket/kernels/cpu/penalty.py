"""The gradient of an L1 penalty, added to that of the loss before an optimizer's update."""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import at, pointer
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.transpose import put


@device
def l1_range(strength, weights, gradient, first, last):
    """gradient[first:last] += strength * sign(weights[first:last]), of which a zero has none; addresses."""
    for place in range(first, last):
        weight, slope = at(weights, place), at(gradient, place)
        if weight > 0:
            put(gradient, place, slope + strength)
        elif weight < 0:
            put(gradient, place, slope - strength)


@kernel
def l1_all(bounds, strength, weights, gradient):
    """`l1_range` over chunks of the weights."""
    for chunk in prange(bounds.size - 1):
        l1_range(strength, pointer(weights, 0), pointer(gradient, 0), bounds[chunk], bounds[chunk + 1])


def l1_gradient(weights: np.ndarray, gradient: np.ndarray, strength: float, *, threads: int | None = None) -> None:
    """Add a subgradient of strength * sum |w| to a gradient, in place; at 0 it is 0.

    Parameters
    ----------
    weights : array
    gradient : float32 array of the weights' shape
    strength : float
    threads : int, optional
    """
    bounds = even_bounds(weights.size, thread_count(threads), LANES)
    w, dw = flat(weights, weights.shape, "weights"), flat_output(gradient, weights.shape, "gradient")
    l1_all(bounds, np.float32(strength), w, dw)
