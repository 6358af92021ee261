"""What kernels share that go over images: how they are divided, where numbers lie, how threads add up and write gradients.

Rows of pixels with all their lanes are contiguous, so a block is a stretch of one row, whatever the borders are.
"""

import numpy as np

from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Division
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 256

_ZERO = np.float32(0)


def over_y(g: Geometry) -> Division:
    """Have a thread for every number of y."""
    return _over(g, g.height, g.width * g.lanes)


def over_x(g: Geometry) -> Division:
    """Have a thread for every number of x."""
    return _over(g, g.x_height, g.x_width * g.lanes)


def _over(g: Geometry, height: int, stretch: int) -> Division:
    threads = min(stretch, THREADS)
    return (-(-stretch // threads), height, g.inputs), threads, {}


@cuda.jit(device=True)
def own():
    """Return which number of a row, of which row and channel, is this thread's."""
    return cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z


@cuda.jit(device=True)
def in_x(i, h, channel, g):
    """Return where in x, or in its gradient, a number lies."""
    return np.uint32((g.x_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)


@cuda.jit(device=True)
def in_y(i, h, channel, g):
    """Return where in y, or in its gradient, a number lies."""
    return np.uint32((g.y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)


@cuda.jit(device=True)
def add_up(sums, number):
    """Bring the sum of a number of every thread, pairwise, into the first place of a shared array."""
    thread, half = cuda.threadIdx.x, cuda.blockDim.x // 2
    sums[thread] = number
    cuda.syncthreads()
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()
        half //= 2


@cuda.jit(device=True)
def rectified(value, relu):
    """Return a number, or zero if it is negative and there is a ReLU."""
    return _ZERO if relu != 0 and value < _ZERO else value


@cuda.jit(device=True)
def passed(dy, y, place, relu):
    """Return a number of dy, or zero if there is a ReLU and y is not above zero."""
    value = dy[place]  # read in any case, not in a branch
    if relu != 0 and y[place] <= _ZERO:
        value = _ZERO
    return value


@cuda.jit(device=True)
def finish(dx, place, value, x, add, x_is_relu_output):
    """Write one number of an input gradient: added to what is there, or zero where x, of the same places, is not above zero."""
    if add != 0:
        value += dx[place]
    if x_is_relu_output != 0 and x[place] <= _ZERO:
        value = _ZERO
    dx[place] = value
