"""Batch normalisation (Ioffe and Szegedy 2015) on a device, with what usually follows fused: an addend and a ReLU.

Reading and writing memory is all it costs, so a channel's pixels are cut into parts, a block each, until a device is busy. Two
launches follow each other, for all blocks must have finished with the sums before the first can use them.

Only lanes that hold samples count; in the others a gradient is zero.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.batch_norm_passes import (
    MANY,
    measure_parts,
    normalise_by_running,
    normalise_parts,
    normalise_parts_back,
    sum_parts,
)
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch

BUSY = 2 * 132
"""Blocks that keep a large device busy. A constant, not asked for: results must not depend on the device."""

WORTHWHILE = 2048
"""Numbers of a channel below which a part is not worth a block of its own."""

FEW = 64
"""Threads for parts of up to 1024 numbers; larger ones have more."""


def batch_norm(
    x: Any,
    x_origin: int,
    addend: Any,
    addend_origin: int,
    addend_row: int,
    addend_plane: int,
    has_addend: int,
    y: Any,
    y_origin: int,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_variance: Any,
    mean: Any,
    inverse: Any,
    scratch: Any,
    g: Geometry,
    state: Any,
    epsilon: float,
    momentum: float,
    relu: int = 0,
) -> tuple[Launch, Launch]:
    """Normalise by the statistics of the batch: y = relu?((x - mean) / sqrt(var + epsilon) * weight + bias + addend?).

    Parameters
    ----------
    x, addend, y : float32 device arrays
        Blocks of values; y may be x.
    x_origin, addend_origin, y_origin : int
        Pixels before the first one inside the border.
    addend_row, addend_plane : int
        Pixels between rows and between channels of the addend.
    has_addend : int
        0 if there is none; addend then is any array.
    weight, bias : float32 device arrays of (channels,)
    running_mean, running_variance : float32 device arrays of (channels,)
        Moved towards the batch's mean and unbiased variance by the share `momentum`.
    mean, inverse : float32 device arrays of (channels,)
        The mean and one over the standard deviation are left here for the backward pass.
    scratch : float32 device array
        As large as `scratch_size` says; used only from the first of these launches to the second.
    g : Geometry
        One by one pixel, stride 1, no padding.
    state : int32 device array
        Which step it is, and how many samples there are.
    epsilon, momentum : float
    relu : int
        1 to set what is negative to zero.
    """
    grid, threads, pixels = _grid(g)
    beside = addend, addend_origin, addend_row, addend_plane, int(has_addend)
    statistics = running_mean, running_variance, mean, inverse
    rates = np.float32(epsilon), np.float32(momentum)
    arguments = x, x_origin, *beside, y, y_origin, weight, bias, *statistics, scratch, g, state, pixels, *rates
    return (
        Launch(measure_parts, grid, threads, (x, x_origin, scratch, g, state, pixels)),
        Launch(normalise_parts, grid, threads, (*arguments, int(relu))),
    )


def batch_norm_eval(
    x: Any,
    x_origin: int,
    addend: Any,
    addend_origin: int,
    addend_row: int,
    addend_plane: int,
    has_addend: int,
    y: Any,
    y_origin: int,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_variance: Any,
    g: Geometry,
    epsilon: float,
    relu: int = 0,
) -> Launch:
    """Normalise by the running statistics; arguments as in `batch_norm`."""
    grid, threads, pixels = _grid(g)
    beside = addend, addend_origin, addend_row, addend_plane, int(has_addend)
    fixed = weight, bias, running_mean, running_variance, g, pixels, np.float32(epsilon), int(relu)
    return Launch(normalise_by_running, grid, threads, (x, x_origin, *beside, y, y_origin, *fixed))


def batch_norm_gradient(
    x: Any,
    y: Any,
    dy: Any,
    dy_origin: int,
    dx: Any,
    dx_origin: int,
    weight: Any,
    mean: Any,
    inverse: Any,
    dweight: Any,
    dbias: Any,
    scratch: Any,
    g: Geometry,
    state: Any,
    relu: int = 0,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> tuple[Launch, Launch]:
    """Compute the gradients of input, weight and bias. That of the addend is `elementwise.copy_gradient` of dy.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values; x is placed as dx is, y, which is read only if `relu`, as dy is.
    dy, dx : float32 device arrays
        Blocks of gradients.
    dy_origin, dx_origin : int
    weight, mean, inverse : float32 device arrays of (channels,)
        As the forward pass had and left them.
    dweight, dbias : float32 device arrays of (channels,)
        Overwritten.
    scratch, g, state, relu
        As in `batch_norm`; with a ReLU, dy passes only where y is above zero.
    add, x_is_relu_output : int
        As in `finish.finish`.
    """
    grid, threads, pixels = _grid(g)
    above = x, y, dy, dy_origin, dx, dx_origin
    sums = x, dx_origin, y, dy, dy_origin, mean, scratch, g, state, pixels, int(relu)
    small = weight, mean, inverse, dweight, dbias, scratch, g, state, pixels, int(relu), int(add), int(x_is_relu_output)
    return (
        Launch(sum_parts, grid, threads, sums),
        Launch(normalise_parts_back, grid, threads, (*above, *small)),
    )


def scratch_size(g: Geometry) -> int:
    """Return how many numbers the parts of all channels leave."""
    return 2 * g.inputs * _parts(g)


def _parts(g: Geometry) -> int:
    pixels = g.height * g.width
    return max(1, min(pixels, pixels * g.lanes // WORTHWHILE, -(-BUSY // g.inputs)))


def _grid(g: Geometry) -> tuple[tuple[int, int], tuple[int], int]:
    """Return grid, block, and the pixels of a part."""
    parts = _parts(g)
    pixels = -(-g.height * g.width // parts)
    return (parts, g.inputs), (FEW if pixels * g.lanes <= 1024 else MANY,), pixels
