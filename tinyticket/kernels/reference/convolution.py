"""The convolution y[n, o] = sum over c, i, j of w[o, c, i, j] x[n, c, stride row + i, stride column + j] + b[o], and its gradients.

Gathering every window into a column turns a convolution into one matrix product, which BLAS does (Chellapilla, Puri and Simard
2006); its gradients are the other two products of the same matrices, scattered back for the images.
"""

import math

import numpy as np

from tinyticket.kernels.reference.windows import Pair, positions, with_border, without_border


def conv2d(x, weight, bias=None, stride: Pair = (1, 1), padding: Pair = (0, 0)):
    """Return the convolution (as in all of deep learning: the correlation) of images with a weight.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
    weight : ndarray, shape (O, C, kh, kw)
        Pruned weights are zeros.
    bias : ndarray, shape (O,), optional
    stride, padding : (int, int)
        Rows and columns from window to window, and of zeros on each side.

    Returns
    -------
    ndarray, shape (N, O, (H + 2 padding - kh) // stride + 1, ... of W)
    """
    columns = _columns(x, weight.shape[2:], stride, padding)
    outputs = weight.reshape(len(weight), -1) @ columns.reshape(weight[0].size, -1)
    if bias is not None:
        outputs += bias[:, np.newaxis]
    return np.ascontiguousarray(outputs.reshape(len(weight), *columns.shape[2:]).swapaxes(0, 1))


def conv2d_input_gradient(dy, weight, shape, stride: Pair = (1, 1), padding: Pair = (0, 0)):
    """Return dx of the `shape` of x from dy of shape (N, O, OH, OW): each output's gradient goes to the pixels of its window."""
    n, outputs, height, width = dy.shape
    columns = weight.reshape(outputs, -1).T @ _channels_first(dy)
    columns = columns.reshape(shape[1], math.prod(weight.shape[2:]), n, height, width)
    dx = with_border(np.zeros(shape, dy.dtype), padding)
    for position, pixels in enumerate(positions(dx, weight.shape[2:], stride)):
        pixels += columns[:, position].swapaxes(0, 1)
    return np.ascontiguousarray(without_border(dx, padding))


def conv2d_weight_gradient(dy, x, kernel_size: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0)):
    """Return dW of shape (O, C, kh, kw), summed over images, rows and columns."""
    columns = _columns(x, kernel_size, stride, padding)
    # The other way round, dy @ columns.T, is the same product, but takes OpenBLAS up to twenty times as long.
    gradient = columns.reshape(columns.shape[0] * columns.shape[1], -1) @ _channels_first(dy).T
    return np.ascontiguousarray(gradient.T).reshape(dy.shape[1], x.shape[1], *kernel_size)


def conv2d_bias_gradient(dy):
    """Return db, the sum of dy over images, rows and columns, shape (O,)."""
    return dy.sum(axis=(0, 2, 3))


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
