"""The gradient of a bias on a device: sums over pixels and samples, in an order that depends on the shapes alone."""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

FEW, MANY = 64, 1024
"""Threads for a channel of up to 2048 numbers, and for more."""


@cuda.jit
def sum_channels(dy, dy_origin, gradient, g):
    """Sum a channel in each block: every thread its share of each row of pixels, then all of them pairwise."""
    sums = cuda.shared.array(MANY, np.float32)
    thread, threads, channel = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    total = np.float32(0)
    for h in range(g.height):
        start = (dy_origin + channel * g.y_plane + h * g.y_row) * g.lanes
        # A row's pixels lie beside each other, and so do their lanes: neighbouring threads read neighbours.
        # Four reads under way at a time: what bounds this is how many there are.
        i, last = thread, g.width * g.lanes
        while i + 3 * threads < last:
            one, two = dy[np.uint32(start + i)], dy[np.uint32(start + i + threads)]
            three, four = dy[np.uint32(start + i + 2 * threads)], dy[np.uint32(start + i + 3 * threads)]
            total += (one + two) + (three + four)
            i += 4 * threads
        while i < last:
            total += dy[np.uint32(start + i)]
            i += threads
    sums[thread] = total
    cuda.syncthreads()
    half = threads // 2
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        gradient[channel] = sums[0]


def conv2d_bias_gradient(dy: Any, dy_origin: int, gradient: Any, g: Geometry) -> Launch:
    """Compute the gradient of a layer's bias.

    Parameters
    ----------
    dy : float32 device array
        The block of the output's gradient, zero in lanes beyond the last sample.
    dy_origin : int
        Pixels before the first one inside the border.
    gradient : float32 device array of (outputs,)
    g : Geometry
        The side of y counts.
    """
    threads = FEW if g.height * g.width * g.lanes <= 2048 else MANY
    return Launch(sum_channels, (g.outputs,), (threads,), (dy, dy_origin, gradient, g))
