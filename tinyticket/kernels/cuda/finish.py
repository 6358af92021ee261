"""How every input gradient on a device is written down."""

import numpy as np

from tinyticket.kernels.cuda.toolkit import cuda


@cuda.jit(device=True)
def finish(dx, place, value, x, add, x_is_relu_output):
    """Write one number of an input gradient.

    Parameters
    ----------
    dx : float32 array
    place : uint32
    value : float32
    x : float32 array
        Of the same places; read only if `x_is_relu_output`.
    add : int
        1 to add to what dx holds.
    x_is_relu_output : int
        1 to write zero where x is not above zero: x came out of a ReLU.
    """
    if add != 0:
        value += dx[place]
    if x_is_relu_output != 0 and x[place] <= np.float32(0):
        value = np.float32(0)
    dx[place] = value
