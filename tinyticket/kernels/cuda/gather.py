"""Batches on a device: chosen from the data set there, cropped, mirrored, normalised and turned in one pass.

A data set has a sample's numbers beside each other, a batch has samples beside each other: 32 by 32 numbers are read along the one
and written along the other, with shared memory in between. What bounds it is memory alone.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

LINES = 8
"""Rows of 32 threads in a block; each thread moves four numbers."""

PADDED = WARP + 1
"""Columns of the square in shared memory: read down a column, 32 banks are met instead of one."""

_ZERO, _BYTE = np.float32(0), np.float32(255)


@cuda.jit
def gather(data, labels, indices, draws, state, x, x_origin, batch_labels, mean, std, g, cropped, normalised):
    """Gather the batch of this turn; `data` is float32, or uint8 and then `normalised`."""
    square = cuda.shared.array((WARP, PADDED), np.float32)
    turn, samples = state[0], state[1]
    across, line = cuda.threadIdx.x, cuda.threadIdx.y
    first, first_lane = cuda.blockIdx.x * WARP, cuda.blockIdx.y * WARP
    area = g.x_height * g.x_width
    size = g.inputs * area

    number = first + across
    channel, place = number // area, number % area
    h, w = place // g.x_width, place % g.x_width
    for i in range(WARP // LINES):
        lane = first_lane + line + i * LINES
        value = _ZERO
        if lane < samples and number < size:
            spot = turn * g.lanes + lane
            row, column = h, w
            if cropped != 0:
                if draws[np.uint32(3 * spot + 2)] != 0:
                    column = g.x_width - 1 - w
                row += draws[np.uint32(3 * spot)]
                column += draws[np.uint32(3 * spot + 1)]
            if 0 <= row < g.x_height and 0 <= column < g.x_width:
                example = np.int64(indices[np.uint32(spot)])
                value = np.float32(data[np.uint64(example * size + channel * area + row * g.x_width + column)])
                if normalised != 0:
                    value = (value / _BYTE - mean[np.uint32(channel)]) / std[np.uint32(channel)]
        square[line + i * LINES, across] = value
    cuda.syncthreads()

    lane = first_lane + across
    for i in range(WARP // LINES):
        number = first + line + i * LINES
        if number < size:
            place = number % area
            pixel = number // area * g.x_plane + place // g.x_width * g.x_row + place % g.x_width
            x[np.uint32((x_origin + pixel) * g.lanes + lane)] = square[across, line + i * LINES]
    if cuda.blockIdx.x == 0 and line == 0:
        label = np.int32(0)
        if lane < samples:
            label = labels[np.uint32(indices[np.uint32(turn * g.lanes + lane)])]
        batch_labels[np.uint32(lane)] = label


def gather_images(
    data: Any,
    labels: Any,
    indices: Any,
    draws: Any,
    state: Any,
    x: Any,
    x_origin: int,
    batch_labels: Any,
    g: Geometry,
    mean: Any = None,
    std: Any = None,
) -> Launch:
    """Take the examples of a turn into the layout of a device, zeros in lanes beyond the last sample.

    Parameters
    ----------
    data : float32 or uint8 device array of (examples, channels, height, width), flat
        Bytes become (pixel / 255 - mean) / std.
    labels : int32 device array of (examples,)
    indices : int32 device array of (turns, lanes), flat
        Which examples; the row of this turn is read.
    draws : int32 device array of (turns, lanes, 3), flat, or None
        How images are shifted and mirrored, as `data.augmentation.augment` has it.
    state : int32 device array of (2,)
        The turn, and how many lanes hold samples.
    x : float32 device array
        The block of the network's input; its interior is written.
    x_origin : int
        Pixels before the first one inside the border.
    batch_labels : int32 device array of (lanes,)
        Becomes the labels.
    g : Geometry
        Of anything that reads the network's input: the side of x counts.
    mean, std : float32 device arrays of (channels,)
        With bytes only.
    """
    bytewise = data.dtype == np.uint8
    size = g.inputs * g.x_height * g.x_width
    grid = (-(-size // WARP), g.lanes // WARP)
    # What is never read needs to be of its type all the same.
    given = (x, x) if not bytewise else (mean, std)
    draw = indices if draws is None else draws
    flags = int(draws is not None), int(bytewise)
    arguments = (data, labels, indices, draw, state, x, x_origin, batch_labels, *given, g, *flags)
    return Launch(gather, grid, (WARP, LINES), arguments)
