"""What the sparse kernels share: what they are told, and how a block brings a patch of activations into shared memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.toolkit import cuda

POSITIONS = 1024
"""Positions of a patch that there is room for in a block's table."""

AT_ONCE = 4
"""Loads that a loop has under way at once; several of them are written out, since the compiler unrolls no longer loop."""

_ZERO = np.float32(0)


class Tile(NamedTuple):
    """A block's share, and the kernel for it."""

    kernel: Callable[..., Any]
    rows: int  # of spots
    columns: int
    warps: int  # of a block, at most
    used: int  # bytes of shared memory, besides the patch
    used_by_warp: int = 0  # and besides those, for every warp that there is
    lines: int = 1  # of a warp at a time


class Work(NamedTuple):
    """What is the same for all blocks of a launch; a pass reads what concerns it."""

    groups: int  # of samples
    span: int  # samples of a group
    positions: int  # of a patch
    pitch: int  # from a row of positions to the next
    channels: int  # of the source, in a chunk
    chunks: int
    inputs: int  # channels of the source
    source_plane: int  # numbers from a channel to the next
    held: int  # lines of a hand
    hands: int  # of a phase
    phases: int  # lines of a channel of the result
    result_plane: int = 0
    biased: int = 0
    relu: int = 0
    add: int = 0
    x_is_relu_output: int = 0
    tiles: int = 0
    part: int = 0  # tiles, of all groups, that a part of a weight gradient sums


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
        """Fill `here`, [channel][position][32 lanes], with `size` times 32 numbers: for each channel of a chunk, its patch.

        `inside` says where each of the `positions` lies in a channel, -1 for zeros; the first channel of the chunk and this
        thread's lane begin at `start`, and `plane` numbers behind a channel the next one.
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
