"""Maximum and average pooling of packed images as functions of arrays.

>>> y = max_pool(x, 2)        # doctest: +SKIP
"""

from collections.abc import Sequence

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.image_arguments import (
    gradient_to_write,
    interior,
    interior_output,
    plane_bounds,
    pooling_window,
    zeros,
)
from tinyticket.kernels.cpu.jit import device, kernel
from tinyticket.kernels.cpu.pooling_passes import (
    avg_pool_backward,
    avg_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from tinyticket.kernels.cpu.simd import pointer


@device
def _max_chunk(x, y, window, first, last):
    max_pool_forward(pointer(x, 0), pointer(y, 0), window, first, last)


@kernel
def max_pool_planes(bounds, x, y, window):
    """`max_pool_forward` over chunks of planes."""
    if bounds.size == 2:
        _max_chunk(x, y, window, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _max_chunk(x, y, window, bounds[chunk], bounds[chunk + 1])


@device
def _max_gradient_chunk(x, y, dy, dx, window, add, rectified, first, last):
    before, after, above, gradient = pointer(x, 0), pointer(y, 0), pointer(dy, 0), pointer(dx, 0)
    max_pool_backward(before, after, above, gradient, window, first, last, add, rectified)


@kernel
def max_pool_gradient_planes(bounds, x, y, dy, dx, window, add, rectified):
    """`max_pool_backward` over chunks of planes."""
    if bounds.size == 2:
        _max_gradient_chunk(x, y, dy, dx, window, add, rectified, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _max_gradient_chunk(x, y, dy, dx, window, add, rectified, bounds[chunk], bounds[chunk + 1])


@device
def _avg_chunk(x, y, window, first, last):
    avg_pool_forward(pointer(x, 0), pointer(y, 0), window, first, last)


@kernel
def avg_pool_planes(bounds, x, y, window):
    """`avg_pool_forward` over chunks of planes."""
    if bounds.size == 2:
        _avg_chunk(x, y, window, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _avg_chunk(x, y, window, bounds[chunk], bounds[chunk + 1])


@device
def _avg_gradient_chunk(x, dy, dx, window, add, rectified, first, last):
    avg_pool_backward(pointer(x, 0), pointer(dy, 0), pointer(dx, 0), window, first, last, add, rectified)


@kernel
def avg_pool_gradient_planes(bounds, x, dy, dx, window, add, rectified):
    """`avg_pool_backward` over chunks of planes."""
    if bounds.size == 2:
        _avg_gradient_chunk(x, dy, dx, window, add, rectified, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _avg_gradient_chunk(x, dy, dx, window, add, rectified, bounds[chunk], bounds[chunk + 1])


def max_pool(
    x: np.ndarray,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Take the maximum of each window; what lies outside the image is not a candidate.

    Parameters
    ----------
    x : array of shape (tiles, channels, height + 2 border, width + 2 border, 16)
    kernel : int or pair of ints
        Height and width of the window.
    stride : int, optional
        The kernel's height if not given.
    padding : int
        Smaller than the kernel.
    border, y_border : int
        Zeros around the images of x and of the result.
    threads : int, optional

    Returns
    -------
    array of shape (tiles, channels, rows + 2 y_border, columns + 2 y_border, 16)
    """
    window, image, after = pooling_window(x, kernel, stride, padding, border, y_border)
    y = zeros(len(x), after)
    arrays = interior(x, len(x), image, "x"), interior_output(y, len(x), after, "y")
    max_pool_planes(plane_bounds(window, threads), *arrays, window)
    return y


def max_pool_gradient(
    x: np.ndarray,
    y: np.ndarray,
    dy: np.ndarray,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    border: int = 0,
    y_border: int = 0,
    add_to: np.ndarray | None = None,
    x_relu: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Give the gradient of each maximum to the first element, in row order, that equals it.

    Parameters
    ----------
    x, y : arrays
        What `max_pool` was given and what it returned.
    dy : array of y's shape
    kernel, stride, padding, border, y_border, threads
        As in `max_pool`; gradients have the borders of their values.
    add_to : float32 array of x's shape, optional
        What other consumers of x gave; it is changed and returned.
    x_relu : bool
        x came out of a ReLU: make the result the gradient by what went into it.

    Returns
    -------
    array of x's shape
    """
    window, image, after = pooling_window(x, kernel, stride, padding, border, y_border)
    dx = gradient_to_write(add_to, len(x), image)
    arrays = (
        interior(x, len(x), image, "x"),
        interior(y, len(x), after, "y"),
        interior(dy, len(x), after, "dy"),
        interior_output(dx, len(x), image, "add_to"),
    )
    max_pool_gradient_planes(plane_bounds(window, threads), *arrays, window, add_to is not None, bool(x_relu))
    return dx


def avg_pool(
    x: np.ndarray,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Take the average of each window, padding counted as zeros; arguments as in `max_pool`.

    A kernel as large as the image averages all of it.
    """
    window, image, after = pooling_window(x, kernel, stride, padding, border, y_border)
    y = zeros(len(x), after)
    arrays = interior(x, len(x), image, "x"), interior_output(y, len(x), after, "y")
    avg_pool_planes(plane_bounds(window, threads), *arrays, window)
    return y


def avg_pool_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    kernel: int | Sequence[int],
    *,
    stride: int | None = None,
    padding: int = 0,
    border: int = 0,
    y_border: int = 0,
    add_to: np.ndarray | None = None,
    x_relu: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Give each element its share of the gradients of the averages it went into; arguments as in `max_pool_gradient`."""
    window, image, after = pooling_window(x, kernel, stride, padding, border, y_border)
    dx = gradient_to_write(add_to, len(x), image)
    arrays = (
        interior(x, len(x), image, "x"),
        interior(dy, len(x), after, "dy"),
        interior_output(dx, len(x), image, "add_to"),
    )
    avg_pool_gradient_planes(plane_bounds(window, threads), *arrays, window, add_to is not None, bool(x_relu))
    return dx
