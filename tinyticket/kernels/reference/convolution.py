"""The convolution y[n, o] = sum over c, i, j of w[o, c, i, j] x[n, c, stride row + i, stride column + j] + b[o], and its gradients.

Gathering every window into a column turns a convolution into one matrix product, which BLAS does (Chellapilla, Puri and Simard
2006); its gradients are the other two products of the same matrices, scattered back for the images.
"""

import math
from collections.abc import Iterator

import numpy as np

from tinyticket.kernels.reference.windows import Pair, output_size, positions, with_border, without_border

__all__ = ["conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_weight_gradient"]

AT_ONCE = 2**21  # numbers in the columns of a group of images: memory stays small, and is used again


def conv2d(x, weight, bias=None, stride: Pair = (1, 1), padding: Pair = (0, 0)):
    """Return the convolution (as in all of deep learning: the correlation) of images (N, C, H, W) with a weight (O, C, kh, kw).

    Pruned weights are zeros; the bias has shape (O,). Pairs are rows and columns: from window to window, and of zeros on each side.
    The result has shape (N, O, (H + 2 padding - kh) // stride + 1, ... of W).
    """
    kernel_size = weight.shape[2:]
    y = np.empty((len(x), len(weight), *output_size(x.shape[2:], kernel_size, stride, padding)), x.dtype)
    for some in _groups(y, weight[0].size):
        columns = _columns(x[some], kernel_size, stride, padding)
        outputs = weight.reshape(len(weight), -1) @ columns.reshape(weight[0].size, -1)
        y[some] = outputs.reshape(len(weight), *columns.shape[2:]).swapaxes(0, 1)
    return y if bias is None else np.add(y, bias[:, np.newaxis, np.newaxis], out=y)


def conv2d_input_gradient(dy, weight, shape, stride: Pair = (1, 1), padding: Pair = (0, 0)):
    """Return dx of the `shape` of x from dy of shape (N, O, OH, OW): each output's gradient goes to the pixels of its window."""
    kernel_size = weight.shape[2:]
    dx = with_border(np.zeros(shape, dy.dtype), padding)
    for some in _groups(dy, weight[0].size):
        columns = weight.reshape(len(weight), -1).T @ _channels_first(dy[some])
        columns = columns.reshape(shape[1], math.prod(kernel_size), -1, *dy.shape[2:])
        for position, pixels in enumerate(positions(dx[some], kernel_size, stride)):
            pixels += columns[:, position].swapaxes(0, 1)
    return np.ascontiguousarray(without_border(dx, padding))


def conv2d_weight_gradient(dy, x, kernel_size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)):
    """Return dW of shape (O, C, kh, kw), summed over images, rows and columns."""
    gradient = np.zeros((x.shape[1] * math.prod(kernel_size), dy.shape[1]), x.dtype)
    for some in _groups(dy, len(gradient)):
        columns = _columns(x[some], kernel_size, stride, padding)
        # The other way round, dy @ columns.T, is the same product, but takes OpenBLAS up to twenty times as long.
        gradient += columns.reshape(len(gradient), -1) @ _channels_first(dy[some]).T
    return np.ascontiguousarray(gradient.T).reshape(dy.shape[1], x.shape[1], *kernel_size)


def conv2d_bias_gradient(dy):
    """Return db, the sum of dy over images, rows and columns, shape (O,)."""
    return dy.sum(axis=(0, 2, 3))


def _groups(outputs, column: int) -> Iterator[slice]:
    """Yield the images of (N, O, OH, OW) group by group, so that their columns, of `column` numbers each, fit into AT_ONCE."""
    images, _, height, width = outputs.shape
    size = max(1, AT_ONCE // (column * height * width))
    return (slice(start, start + size) for start in range(0, images, size))


def _columns(x, kernel_size: Pair, stride: Pair, padding: Pair):
    """Return what each position in the window meets in each channel, shape (C, kh * kw, N, OH, OW)."""
    views = list(positions(with_border(x, padding), kernel_size, stride))
    n, channels, height, width = views[0].shape
    columns = np.empty((channels, len(views), n, height, width), x.dtype)
    for position, pixels in enumerate(views):
        columns[:, position] = pixels.swapaxes(0, 1)
    return columns


def _channels_first(dy):
    return dy.swapaxes(0, 1).reshape(dy.shape[1], -1)
