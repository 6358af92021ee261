"""Copies, additions and dropout on a device, number by number: as fast as memory delivers.

Rows of pixels with all their lanes are contiguous, so a block is a stretch of one row, whatever the borders are. Padding is a copy
to an origin further in; the gradient of an addition is a copy's, to each of its summands.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.finish import finish
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 256


def copy(x: Any, x_origin: int, y: Any, y_origin: int, g: Geometry, relu: int = 0) -> Launch:
    """Compute y = x, or relu(x); borders may differ, and y may be x.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values.
    x_origin, y_origin : int
        Pixels before the first one that is read and written.
    g : Geometry
        One by one pixel, stride 1, no padding.
    relu : int
        1 to set what is negative to zero.
    """
    return over_rows(copy_rows, g, x, x_origin, y, y_origin, g, int(relu))


def copy_gradient(
    x: Any,
    y: Any,
    dy: Any,
    dy_origin: int,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    relu: int = 0,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx = dy where y is above zero, or everywhere without a ReLU.

    Parameters
    ----------
    x : float32 device array, or None
        Placed as dx is; read only if `x_is_relu_output`.
    y : float32 device array, or None
        Placed as dy is; read only if `relu`.
    dy, dx : float32 device arrays
        Blocks of gradients.
    dy_origin, dx_origin : int
    g, relu
        As in `copy`.
    add, x_is_relu_output : int
        As in `finish.finish`.
    """
    y, x = dy if y is None else y, dx if x is None else x
    flags = int(relu), int(add), int(x_is_relu_output)
    return over_rows(copy_rows_back, g, x, y, dy, dy_origin, dx, dx_origin, g, *flags)


def add(
    x: Any,
    x_origin: int,
    addend: Any,
    addend_origin: int,
    addend_row: int,
    addend_plane: int,
    y: Any,
    y_origin: int,
    g: Geometry,
    relu: int = 0,
) -> Launch:
    """Compute y = x + addend, perhaps through a ReLU; y may be either of them.

    Parameters
    ----------
    x, addend, y : float32 device arrays
        Blocks of values.
    x_origin, addend_origin, y_origin : int
        Pixels before the first one inside the border.
    addend_row, addend_plane : int
        Pixels between rows and between channels of the addend.
    g, relu
        As in `copy`.
    """
    beside = addend, addend_origin, addend_row, addend_plane
    return over_rows(add_rows, g, x, x_origin, *beside, y, y_origin, g, int(relu))


def dropout(
    x: Any,
    x_origin: int,
    kept: Any,
    kept_size: int,
    place: int,
    y: Any,
    y_origin: int,
    scale: float,
    g: Geometry,
    state: Any,
) -> Launch:
    """Compute y = x * scale where the mask is not zero, and zero elsewhere; y may be x.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values.
    x_origin, y_origin : int
    kept : uint8 device array of (turns, kept_size), flat
        The masks of all dropouts, each of (channels, rows, columns, lanes), flat.
    kept_size : int
    place : int
        Where the mask begins in that of a turn.
    scale : float
        One over the share that is kept.
    g : Geometry
        One by one pixel, stride 1, no padding.
    state : int32 device array
        Which step it is, and how many samples there are.
    """
    masks = kept, kept_size, place
    return over_rows(drop_rows, g, x, x_origin, *masks, y, y_origin, np.float32(scale), g, state)


def dropout_gradient(
    x: Any,
    dy: Any,
    dy_origin: int,
    kept: Any,
    kept_size: int,
    place: int,
    dx: Any,
    dx_origin: int,
    scale: float,
    g: Geometry,
    state: Any,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx = dy * scale where the mask is not zero; arguments as in `dropout` and `copy_gradient`."""
    x = dx if x is None else x
    masks, shared = (kept, kept_size, place), (np.float32(scale), g, state, int(add), int(x_is_relu_output))
    return over_rows(drop_rows_back, g, x, dy, dy_origin, *masks, dx, dx_origin, *shared)


def over_rows(kernel: Any, g: Geometry, *arguments: Any) -> Launch:
    """Launch a kernel for all pixels: blocks are stretches of rows."""
    stretch = g.width * g.lanes
    threads = min(stretch, THREADS)
    return Launch(kernel, (-(-stretch // threads), g.height, g.inputs), (threads,), arguments)


@cuda.jit
def copy_rows(x, x_origin, y, y_origin, g, relu):
    """Copy a stretch of a row."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        value = x[np.uint32((x_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)]
        if relu != 0 and value < np.float32(0):
            value = np.float32(0)
        y[np.uint32((y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] = value


@cuda.jit
def copy_rows_back(x, y, dy, dy_origin, dx, dx_origin, g, relu, add, x_is_relu_output):
    """Copy a stretch of a row of the gradient."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        above = np.uint32((dy_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)
        value = dy[above]
        if relu != 0 and y[above] <= np.float32(0):
            value = np.float32(0)
        below = np.uint32((dx_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)
        finish(dx, below, value, x, add, x_is_relu_output)


@cuda.jit
def add_rows(x, x_origin, addend, addend_origin, addend_row, addend_plane, y, y_origin, g, relu):
    """Add a stretch of a row."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        value = x[np.uint32((x_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)]
        value += addend[np.uint32((addend_origin + channel * addend_plane + h * addend_row) * g.lanes + i)]
        if relu != 0 and value < np.float32(0):
            value = np.float32(0)
        y[np.uint32((y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] = value


@cuda.jit
def drop_rows(x, x_origin, kept, kept_size, place, y, y_origin, scale, g, state):
    """Drop out of a stretch of a row."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        value = np.float32(0)
        if kept[state[0] * kept_size + place + (channel * g.height + h) * g.width * g.lanes + i] != 0:
            value = x[np.uint32((x_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)] * scale
        y[np.uint32((y_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] = value


@cuda.jit
def drop_rows_back(x, dy, dy_origin, kept, kept_size, place, dx, dx_origin, scale, g, state, add, x_is_relu_output):
    """Drop out of a stretch of a row of the gradient."""
    i, h, channel = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    if i < g.width * g.lanes:
        value = np.float32(0)
        if kept[state[0] * kept_size + place + (channel * g.height + h) * g.width * g.lanes + i] != 0:
            value = dy[np.uint32((dy_origin + channel * g.y_plane + h * g.y_row) * g.lanes + i)] * scale
        below = np.uint32((dx_origin + channel * g.x_plane + h * g.x_row) * g.lanes + i)
        finish(dx, below, value, x, add, x_is_relu_output)
