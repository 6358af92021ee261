"""Batches on a device: chosen from the data set there, turned, cropped, mirrored, normalised and transposed in one pass.

A data set has a sample's numbers beside each other, a batch has samples beside each other: 32 by 32 numbers are read along the one
and written along the other, with shared memory in between. What bounds it is memory alone.
"""

import math

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda
from tinyticket.kernels.geometry import DRAWN, SINE_OF_ONE

LINES = 8
"""Rows of 32 threads in a block; each thread moves four numbers."""

PADDED = WARP + 1
"""Columns of the square in shared memory: read down a column, 32 banks are met instead of one."""

_ZERO, _BYTE = np.float32(0), np.float32(255)


@cuda.jit(device=True)
def _turned(row, column, sine, height, width):
    """Return the row and the column of an image that a turn about its centre brings to a row and a column."""
    sine = np.int64(sine)
    square = SINE_OF_ONE * SINE_OF_ONE - sine * sine
    cosine = np.int64(math.sqrt(np.float32(square)))  # to within one, since a device is slow in float64
    if cosine * cosine > square:
        cosine -= 1
    elif (cosine + 1) * (cosine + 1) <= square:
        cosine += 1
    y, x = 2 * row - (height - 1), 2 * column - (width - 1)  # twice the distance from the centre
    row = (cosine * y + sine * x + height * SINE_OF_ONE) // (2 * SINE_OF_ONE)
    return row, (cosine * x - sine * y + width * SINE_OF_ONE) // (2 * SINE_OF_ONE)


@cuda.jit
def gather(data, labels, indices, draws, state, x, batch_labels, mean, std, g, augmented, normalised):
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
            if augmented != 0:
                if draws[np.uint32(DRAWN * spot + 2)] != 0:
                    column = g.x_width - 1 - w
                row, column = _turned(row, column, draws[np.uint32(DRAWN * spot + 3)], g.x_height, g.x_width)
                row += draws[np.uint32(DRAWN * spot)]
                column += draws[np.uint32(DRAWN * spot + 1)]
                if draws[np.uint32(DRAWN * spot + 4)] != 0:
                    row, column = min(max(row, 0), g.x_height - 1), min(max(column, 0), g.x_width - 1)
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
            x[np.uint32((g.x_origin + pixel) * g.lanes + lane)] = square[across, line + i * LINES]
    if cuda.blockIdx.x == 0 and line == 0:
        label = np.int32(0)
        if lane < samples:
            label = labels[np.uint32(indices[np.uint32(turn * g.lanes + lane)])]
        batch_labels[np.uint32(lane)] = label


def gather_images(data, labels, indices, draws, state, x, batch_labels, g: Geometry, mean=None, std=None) -> Launch:
    """Take the examples of a turn into the layout of a device, zeros in lanes beyond the last sample.

    Parameters
    ----------
    data : float32 or uint8 device array of (examples, channels, height, width), flat
        Bytes become (pixel / 255 - mean) / std, with mean and std of (channels,).
    labels, batch_labels : int32 device arrays of (examples,) and (lanes,)
    indices : int32 device array of (turns, lanes), flat
        Which examples; the row of this turn is read.
    draws : int32 device array of (turns, lanes, 5), flat, or None
        How images are shifted, mirrored, turned and filled, as `data.augmentation.augment` has it.
    """
    bytewise, grid = data.dtype == np.uint8, (-(-g.inputs * g.x_height * g.x_width // WARP), g.lanes // WARP)
    # What is never read needs to be of its type all the same.
    given = indices if draws is None else draws, state, x, batch_labels, *((mean, std) if bytewise else (x, x))
    flags = int(draws is not None), int(bytewise)
    return Launch(gather, grid, (WARP, LINES), (data, labels, indices, *given, g, *flags))
