"""How every input gradient on a device is written down."""

import numpy as np

from tinyticket.kernels.cuda.toolkit import cuda


@cuda.jit(device=True)
def finish(dx, place, value, x, add, rectified):
    """Write one number of an input gradient.

    Parameters
    ----------
    dx : float32 array
    place : uint32
    value : float32
    x : float32 array
        Of the same places; read only if `rectified`.
    add : int
        1 to add to what dx holds.
    rectified : int
        1 to write zero where x is not above zero: x came out of a ReLU.
    """
    if add != 0:
        value += dx[place]
    if rectified != 0 and x[place] <= np.float32(0):
        value = np.float32(0)
    dx[place] = value
