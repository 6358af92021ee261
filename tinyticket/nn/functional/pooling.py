"""Pooling: maxima and means over windows of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation
from tinyticket.kernels import reference
from tinyticket.nn.functional.windows import Pair, check_windows, pair


def max_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Maximum over windows; of equal ones in a window the first, in row order, gets the gradient.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W)
    kernel_size, stride, padding : int or (int, int)
        Rows and columns of a window; from window to window, the window's own if None; and of padding on each side, which never
        wins and is at most half a window.

    Returns
    -------
    Tensor, shape (N, C, (H + 2 padding - kernel_size) // stride + 1, ... of W)

    Raises
    ------
    ValueError
        If the input is no image, or has no room for a window.
    """
    kernel_size, stride, padding = _arguments("max_pool2d", input, kernel_size, stride, padding)
    return _max_pool2d(input, kernel_size=kernel_size, stride=stride, padding=padding)


@operation
def _max_pool2d(x, *, kernel_size, stride, padding):
    maximum, winner = reference.max_pool2d(x, kernel_size, stride, padding)
    return maximum, (lambda g: reference.max_pool2d_gradient(g, winner, x.shape, kernel_size, stride, padding),)


def avg_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Mean over windows, the zeros of the padding counted; arguments, result and errors as `max_pool2d`."""
    kernel_size, stride, padding = _arguments("avg_pool2d", input, kernel_size, stride, padding)
    return _avg_pool2d(input, kernel_size=kernel_size, stride=stride, padding=padding)


@operation
def _avg_pool2d(x, *, kernel_size, stride, padding):
    means = reference.avg_pool2d(x, kernel_size, stride, padding)
    return means, (lambda g: reference.avg_pool2d_gradient(g, x.shape, kernel_size, stride, padding),)


def global_avg_pool2d(input: Any) -> Tensor:
    """Mean of each channel over all its rows and columns: (N, C, H, W) to (N, C)."""
    if np.ndim(input) != 4:
        raise ValueError(f"global_avg_pool2d wants images (N, C, H, W); got shape {np.shape(input)}")
    return _global_avg_pool2d(input)


@operation
def _global_avg_pool2d(x):
    return reference.global_avg_pool2d(x), (lambda g: reference.global_avg_pool2d_gradient(g, x.shape),)


def _arguments(where: str, input: Any, kernel_size: Any, stride: Any, padding: Any) -> tuple[Pair, Pair, Pair]:
    """Return kernel size, stride and padding as pairs that fit the input."""
    kernel_size = pair(kernel_size, f"{where}: kernel_size")
    stride = kernel_size if stride is None else pair(stride, f"{where}: stride")
    padding = pair(padding, f"{where}: padding", least=0)
    if any(2 * zeros > kernel for zeros, kernel in zip(padding, kernel_size, strict=True)):
        raise ValueError(f"{where}: padding is at most half of the window {kernel_size}, not {padding}")
    check_windows(where, np.shape(input), kernel_size, stride, padding)
    return kernel_size, stride, padding
