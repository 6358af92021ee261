"""Maxima and means over windows of images, and their gradients."""

import math

import numpy as np

from tinyticket.kernels.reference.windows import Pair, positions, room, with_border, without_border

__all__ = ["avg_pool2d", "avg_pool2d_gradient", "global_avg_pool2d"]
__all__ += ["global_avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient", "max_pool2d_indices"]


def max_pool2d(
    x, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0), dilation: Pair = (1, 1), ceil_mode: bool = False
):
    """Return the maximum of every window over (N, C, H, W), and where in its window it is, both of shape (N, C, OH, OW).

    Pairs are rows and columns; the padding is -inf. A maximum is NaN if anything in the window is; positions count in row order,
    and of equal ones the first is taken.
    """
    further = room(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    views = list(positions(with_border(x, padding, -np.inf, further), kernel_size, stride, dilation))
    maximum, winner = views[0].copy(), np.zeros(views[0].shape, np.intp)
    for position, pixels in enumerate(views[1:], start=1):
        larger = (pixels > maximum) | np.isnan(pixels)
        np.copyto(maximum, pixels, where=larger)
        np.copyto(winner, position, where=larger)
    return maximum, winner


def max_pool2d_gradient(
    dy,
    winner,
    shape,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
):
    """Return dx of the `shape` of x: every maximum's gradient goes to the pixel that it was."""
    further = room(shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    dx = with_border(np.zeros(shape, dy.dtype), padding, room=further)
    for position, pixels in enumerate(positions(dx, kernel_size, stride, dilation)):
        pixels += dy * (winner == position)
    return np.ascontiguousarray(without_border(dx, padding, further))


def max_pool2d_indices(
    winner, width: int, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0), dilation: Pair = (1, 1)
):
    """Return which pixel of its channel each maximum is, counted in row order over images of `width` columns."""
    starts = (np.arange(n) * step - zeros for n, step, zeros in zip(winner.shape[2:], stride, padding, strict=True))
    (rows, columns), (i, j) = np.ix_(*starts), divmod(winner, kernel_size[1])
    return (rows + i * dilation[0]) * width + columns + j * dilation[1]


def avg_pool2d(x, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0)):
    """Return the mean of every window, shape (N, C, OH, OW); zeros of the padding count (PyTorch's count_include_pad)."""
    total = sum(positions(with_border(x, padding), kernel_size, stride))
    return total * x.dtype.type(1 / math.prod(kernel_size))


def avg_pool2d_gradient(dy, shape, kernel_size: Pair, stride: Pair, padding: Pair = (0, 0)):
    """Return dx of the `shape` of x: every pixel of a window gets an equal share of its mean's gradient."""
    dx = with_border(np.zeros(shape, dy.dtype), padding)
    share = dy * dy.dtype.type(1 / math.prod(kernel_size))
    for pixels in positions(dx, kernel_size, stride):
        pixels += share
    return np.ascontiguousarray(without_border(dx, padding))


def global_avg_pool2d(x):
    """Return every channel's mean over rows and columns, shape (N, C)."""
    return x.mean(axis=(2, 3))


def global_avg_pool2d_gradient(dy, shape):
    """Return dx of the `shape` of x: an equal share for every pixel."""
    share = dy * dy.dtype.type(1 / (shape[2] * shape[3]))
    return np.broadcast_to(share[:, :, np.newaxis, np.newaxis], shape)
