"""Pooling: maxima and means over windows of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, operation, shapes
from tinyticket.kernels import reference
from tinyticket.nn.functional.windows import Pair, check_windows, pair


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Maximum over windows; of equal ones in a window the first, in row order, gets the gradient.

    Parameters
    ----------
    input : Tensor, shape (N, C, H, W) or (C, H, W)
    kernel_size, stride, padding, dilation : int or (int, int)
        Rows and columns of a window; from window to window, the window's own if None; of padding on each side, which never wins and
        is at most half a window; and from position to position in a window.
    ceil_mode : bool
        Round the number of windows up: the last ones may reach beyond the padding, if they begin inside.
    return_indices : bool
        Return (maxima, indices): which pixel of its channel each maximum is, as whole numbers that count in row order.

    Returns
    -------
    Tensor, shape (N, C, (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, ... of W), without N if the input has none

    Raises
    ------
    ValueError
        If the input is no image, or has no room for a window.
    """
    if np.ndim(input) == 3:
        batch = shapes.expand_dims(input, axis=0)
        pooled = max_pool2d(batch, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        return (pooled[0][0], pooled[1][0]) if return_indices else pooled[0]
    dilation = pair(dilation, "max_pool2d: dilation")
    windows = _arguments("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode)
    names = ("kernel_size", "stride", "padding")
    maxima = _max_pool2d(input, **dict(zip(names, windows, strict=True)), dilation=dilation, ceil_mode=ceil_mode)
    if not return_indices:
        return maxima
    _, winner = reference.max_pool2d(np.asarray(input), *windows, dilation, ceil_mode)
    return maxima, reference.max_pool2d_indices(winner, np.shape(input)[3], *windows, dilation)


@operation
def _max_pool2d(x, *, kernel_size, stride, padding, dilation, ceil_mode):
    windows = kernel_size, stride, padding, dilation, ceil_mode
    maximum, winner = reference.max_pool2d(x, *windows)
    return maximum, (lambda g: reference.max_pool2d_gradient(g, winner, x.shape, *windows),)


def avg_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Mean over windows, the zeros of the padding counted; arguments, result and errors as `max_pool2d`."""
    if np.ndim(input) == 3:
        return avg_pool2d(shapes.expand_dims(input, axis=0), kernel_size, stride, padding)[0]
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


def _arguments(
    where: str,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
) -> tuple[Pair, Pair, Pair]:
    """Return kernel size, stride and padding as pairs that fit the input."""
    kernel_size = pair(kernel_size, f"{where}: kernel_size")
    stride = kernel_size if stride is None else pair(stride, f"{where}: stride")
    padding = pair(padding, f"{where}: padding", least=0)
    if any(2 * zeros > span for zeros, span in zip(padding, reference.reach(kernel_size, dilation), strict=True)):
        raise ValueError(f"{where}: padding is at most half of the window {kernel_size}, not {padding}")
    check_windows(where, np.shape(input), kernel_size, stride, padding, dilation, ceil_mode)
    return kernel_size, stride, padding
