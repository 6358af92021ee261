"""The convolution y[n, o] = sum over c, i, j of w[o, c, i, j] x[n, c, stride row + i, stride column + j] + b[o], and its gradients.

Gathering every window into a column turns a convolution into one matrix product, which BLAS does (Chellapilla, Puri and Simard
2006); its gradients are the other two products of the same matrices, scattered back for the images. Where channels are in groups,
there is one such product for each group.
"""

import math
from collections.abc import Iterator

import numpy as np

from tinyticket.kernels.reference.windows import Pair, output_size, positions, with_border, without_border

__all__ = ["conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_weight_gradient"]

AT_ONCE = 2**21  # numbers in the columns of the images that are done at once: memory stays small, and is used again


def conv2d(
    x, weight, bias=None, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1
):
    """Return the convolution (as in all of deep learning: the correlation) of images (N, C, H, W) with a weight (O, C, kh, kw).

    Pruned weights are zeros; the bias has shape (O,). Pairs are rows and columns: from window to window, of zeros on each side, and
    from position to position in a window. With `groups` the weight is (O, C / groups, kh, kw), and each group of outputs sees its
    own group of channels. The result has shape (N, O, (H + 2 padding - (dilation (kh - 1) + 1)) // stride + 1, ... of W).
    """
    kernel_size, rows = weight.shape[2:], weight.reshape(groups, len(weight) // groups, -1)
    y = np.empty((len(x), len(weight), *output_size(x.shape[2:], kernel_size, stride, padding, dilation)), x.dtype)
    for some in _images(y, weight[0].size * groups):
        columns = _columns(x[some], kernel_size, stride, padding, dilation)
        outputs = rows @ columns.reshape(groups, rows.shape[2], -1)
        y[some] = outputs.reshape(len(weight), *columns.shape[2:]).swapaxes(0, 1)
    return y if bias is None else np.add(y, bias[:, np.newaxis, np.newaxis], out=y)


def conv2d_input_gradient(
    dy, weight, shape, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1
):
    """Return dx of the `shape` of x from dy of shape (N, O, OH, OW): each output's gradient goes to the pixels of its window."""
    kernel_size, rows = weight.shape[2:], weight.reshape(groups, len(weight) // groups, -1)
    dx = with_border(np.zeros(shape, dy.dtype), padding)
    for some in _images(dy, weight[0].size * groups):
        columns = rows.swapaxes(1, 2) @ _channels_first(dy[some], groups)
        columns = columns.reshape(shape[1], math.prod(kernel_size), -1, *dy.shape[2:])
        for position, pixels in enumerate(positions(dx[some], kernel_size, stride, dilation)):
            pixels += columns[:, position].swapaxes(0, 1)
    return np.ascontiguousarray(without_border(dx, padding))


def conv2d_weight_gradient(
    dy, x, kernel_size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1
):
    """Return dW of shape (O, C / groups, kh, kw), summed over images, rows and columns."""
    channels, outputs = x.shape[1] // groups, dy.shape[1] // groups
    gradient = np.zeros((groups, channels * math.prod(kernel_size), outputs), x.dtype)
    for some in _images(dy, x.shape[1] * math.prod(kernel_size)):
        columns = _columns(x[some], kernel_size, stride, padding, dilation)
        # The other way round, dy @ columns.T, is the same product, but takes OpenBLAS up to twenty times as long.
        gradient += columns.reshape(groups, gradient.shape[1], -1) @ _channels_first(dy[some], groups).swapaxes(1, 2)
    return np.ascontiguousarray(gradient.swapaxes(1, 2)).reshape(dy.shape[1], channels, *kernel_size)


def conv2d_bias_gradient(dy):
    """Return db, the sum of dy over images, rows and columns, shape (O,)."""
    return dy.sum(axis=(0, 2, 3))


def _images(outputs, column: int) -> Iterator[slice]:
    """Yield some images of (N, O, OH, OW) after others, so that their columns, of `column` numbers each, fit into AT_ONCE."""
    images, _, height, width = outputs.shape
    size = max(1, AT_ONCE // (column * height * width))
    return (slice(start, start + size) for start in range(0, images, size))


def _columns(x, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair):
    """Return what each position in the window meets in each channel, shape (C, kh * kw, N, OH, OW)."""
    views = list(positions(with_border(x, padding), kernel_size, stride, dilation))
    n, channels, height, width = views[0].shape
    columns = np.empty((channels, len(views), n, height, width), x.dtype)
    for position, pixels in enumerate(views):
        columns[:, position] = pixels.swapaxes(0, 1)
    return columns


def _channels_first(dy, groups: int):
    """Return dy as matrices (groups, O / groups, N * OH * OW)."""
    return dy.swapaxes(0, 1).reshape(groups, dy.shape[1] // groups, -1)
