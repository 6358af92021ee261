"""Batch normalisation, pooling, joins, copies and dropout."""

from tinyticket.compiler.network.routines.arguments import flag_at, image_at, number_at, place_at, window_at
from tinyticket.kernels.cpu.batch_norm_passes import (
    batch_norm_again,
    batch_norm_backward,
    batch_norm_eval,
    batch_norm_forward,
)
from tinyticket.kernels.cpu.dropout_passes import dropout_backward, dropout_forward
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.pooling_passes import (
    avg_pool_backward,
    avg_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from tinyticket.kernels.cpu.residual_passes import add_backward, add_forward, copy_backward, copy_forward
from tinyticket.kernels.cpu.vector.simd import advance, at


@device
def normalise(c, row, first, last):
    """Arguments: x, y, addend, weight, bias, running mean and variance, mean, inverse, constants, two flags, window, image."""
    constants = place_at(c, row, 9)
    batch_norm_forward(
        place_at(c, row, 0),
        place_at(c, row, 1),
        place_at(c, row, 2),
        place_at(c, row, 3),
        place_at(c, row, 4),
        place_at(c, row, 5),
        place_at(c, row, 6),
        place_at(c, row, 7),
        place_at(c, row, 8),
        window_at(row, 12),
        image_at(row, 27),
        c.samples,
        at(constants, 0),
        at(constants, 1),
        first,
        last,
        flag_at(row, 10),
        flag_at(row, 11),
    )


@device
def normalise_for_evaluation(c, row, first, last):
    """Arguments as `normalise`."""
    batch_norm_eval(
        place_at(c, row, 0),
        place_at(c, row, 1),
        place_at(c, row, 2),
        place_at(c, row, 3),
        place_at(c, row, 4),
        place_at(c, row, 5),
        place_at(c, row, 6),
        window_at(row, 12),
        image_at(row, 27),
        at(place_at(c, row, 9), 0),
        first,
        last,
        flag_at(row, 10),
        flag_at(row, 11),
    )


@device
def normalise_again(c, row, first, last):
    """Arguments: x, y, weight, bias, mean, inverse, whether to rectify, window."""
    x, y, weight, bias = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    mean, inverse = place_at(c, row, 4), place_at(c, row, 5)
    batch_norm_again(x, y, weight, bias, mean, inverse, window_at(row, 7), first, last, flag_at(row, 6))


@device
def normalise_backward(c, row, first, last):
    """Arguments: x, dy, dx, addend, its gradient, weight, bias, mean, inverse, their gradients, five flags, window, image.

    Consumers of the output have seen to its ReLU.
    """
    batch_norm_backward(
        place_at(c, row, 0),
        place_at(c, row, 1),
        place_at(c, row, 1),
        place_at(c, row, 2),
        place_at(c, row, 3),
        place_at(c, row, 4),
        place_at(c, row, 5),
        place_at(c, row, 6),
        place_at(c, row, 7),
        place_at(c, row, 8),
        place_at(c, row, 9),
        place_at(c, row, 10),
        window_at(row, 16),
        image_at(row, 31),
        c.samples,
        first,
        last,
        flag_at(row, 11),
        False,
        flag_at(row, 12),
        flag_at(row, 13),
        flag_at(row, 14),
        flag_at(row, 15),
    )


@device
def max_pool(c, row, first, last):
    """Arguments: x, y, window."""
    max_pool_forward(place_at(c, row, 0), place_at(c, row, 1), window_at(row, 2), first, last)


@device
def max_pool_back(c, row, first, last):
    """Arguments: x, y, dy, dx, whether to add, whether x was rectified, window."""
    x, y, dy, dx = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    max_pool_backward(x, y, dy, dx, window_at(row, 6), first, last, flag_at(row, 4), flag_at(row, 5))


@device
def avg_pool(c, row, first, last):
    """Arguments: x, y, window."""
    avg_pool_forward(place_at(c, row, 0), place_at(c, row, 1), window_at(row, 2), first, last)


@device
def avg_pool_back(c, row, first, last):
    """Arguments: x, y, dy, dx, whether to add, whether x was rectified, window."""
    x, dy, dx = place_at(c, row, 0), place_at(c, row, 2), place_at(c, row, 3)
    avg_pool_backward(x, dy, dx, window_at(row, 6), first, last, flag_at(row, 4), flag_at(row, 5))


@device
def join(c, row, first, last):
    """Arguments: x, addend, y, whether to rectify, window, image."""
    x, addend, y = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2)
    add_forward(x, addend, y, window_at(row, 4), image_at(row, 19), first, last, flag_at(row, 3))


@device
def join_backward(c, row, first, last):
    """Arguments: x, addend, dy, dx, gradient of the addend, four flags, window, image; consumers have seen to a ReLU."""
    x, addend, dy = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2)
    dx, d_addend = place_at(c, row, 3), place_at(c, row, 4)
    window, image = window_at(row, 9), image_at(row, 24)
    flags = flag_at(row, 5), flag_at(row, 6), flag_at(row, 7), flag_at(row, 8)
    add_backward(x, addend, dy, dy, dx, d_addend, window, image, first, last, False, *flags)


@device
def copy(c, row, first, last):
    """Arguments: x, y, whether to rectify, window."""
    copy_forward(place_at(c, row, 0), place_at(c, row, 1), window_at(row, 3), first, last, flag_at(row, 2))


@device
def copy_back(c, row, first, last):
    """Arguments: x, y, dy, dx, whether to rectify, to add, whether x was rectified, window."""
    x, y, dy, dx = place_at(c, row, 0), place_at(c, row, 1), place_at(c, row, 2), place_at(c, row, 3)
    copy_backward(x, y, dy, dx, window_at(row, 7), first, last, flag_at(row, 4), flag_at(row, 5), flag_at(row, 6))


@device
def drop(c, row, first, last):
    """Arguments: x, place of the mask, y, place of the scale, window."""
    keep = advance(c.bytes, number_at(row, 1))
    dropout_forward(
        place_at(c, row, 0), keep, place_at(c, row, 2), window_at(row, 4), at(place_at(c, row, 3), 0), first, last
    )


@device
def drop_backward(c, row, first, last):
    """Arguments: x, place of the mask, dy, dx, place of the scale, whether to add, whether x was rectified, window."""
    x, keep, dy, dx = place_at(c, row, 0), advance(c.bytes, number_at(row, 1)), place_at(c, row, 2), place_at(c, row, 3)
    scale, flags = at(place_at(c, row, 4), 0), (flag_at(row, 5), flag_at(row, 6))
    dropout_backward(x, keep, dy, dx, window_at(row, 7), scale, first, last, *flags)
