"""How a block brings a patch of activations into shared memory."""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.toolkit import cuda

AT_ONCE = 4
"""Loads that a loop has under way at once; several of them are written out, since the compiler unrolls no longer loop."""

_ZERO = np.float32(0)


@cuda.jit(device=True)
def fetch(source, read, first, size, inside, at, start, plane, positions, down, across):
    """Read some numbers, a warp's next ones; return where the warp is then: number, channel and position."""
    number, channel, position = at
    warps = np.uint32(cuda.blockDim.x // WARP)
    for i in range(first, first + AT_ONCE):
        place = inside[position] if number < size else np.int32(-1)
        # Read something in any case: a load in a branch would have to come back before the next one.
        value = source[np.uint32(start + np.int32(channel * plane + place if place >= 0 else 0))]
        read[i] = value if place >= 0 else _ZERO
        number, channel, position = np.uint32(number + warps), np.uint32(channel + down), np.uint32(position + across)
        if position >= positions:
            position, channel = np.uint32(position - positions), np.uint32(channel + 1)
    return number, channel, position


def make_stage(loads: int) -> Any:
    """Make a function that brings a patch into shared memory with so many loads of a thread under way, 8 or 16."""

    @cuda.jit(device=True)
    def stage(source, here, inside, start, plane, positions, size):
        """Fill shared memory with `size` times 32 numbers: for each channel of a chunk, its patch.

        Parameters
        ----------
        source : float32 array
        here : float32 array in shared memory
            [channel][position][32 lanes].
        inside : int32 array in shared memory
            Where each position lies in a channel, -1 for zeros.
        start : int32
            Where the first channel of the chunk and this thread's lane begin.
        plane : int32
            Numbers from a channel to the next.
        positions, size : uint32
            Of a channel, and of all of them.
        """
        read = cuda.local.array(loads, np.float32)
        warp, warps = np.uint32(cuda.threadIdx.x // WARP), np.uint32(cuda.blockDim.x // WARP)
        number, to = warp, np.uint32(cuda.threadIdx.x)
        at = number, np.uint32(warp // positions), np.uint32(warp % positions)
        down, across = np.uint32(warps // positions), np.uint32(warps % positions)
        while number < size:
            at = fetch(source, read, 0, size, inside, at, start, plane, positions, down, across)
            at = fetch(source, read, AT_ONCE, size, inside, at, start, plane, positions, down, across)
            if loads == 16:
                at = fetch(source, read, 2 * AT_ONCE, size, inside, at, start, plane, positions, down, across)
                at = fetch(source, read, 3 * AT_ONCE, size, inside, at, start, plane, positions, down, across)
            for i in range(loads):
                if number < size:
                    here[to] = read[i]
                number, to = np.uint32(number + warps), np.uint32(to + cuda.blockDim.x)

    return stage
