"""Dropout of packed values as functions of arrays; the mask is an argument.

>>> y = dropout(x, keep, np.float32(1 / 0.5))        # doctest: +SKIP
"""

import numpy as np
from numba import prange

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.dropout_passes import dropout_backward, dropout_forward
from tinyticket.kernels.geometry import Image
from tinyticket.kernels.cpu.image_arguments import (
    elementwise_window,
    gradient_to_write,
    interior,
    interior_output,
    plane_bounds,
    shape_of,
    zeros,
)
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.simd import pointer


@device
def _dropout_chunk(x, keep, y, window, scale, first, last):
    dropout_forward(pointer(x, 0), pointer(keep, 0), pointer(y, 0), window, scale, first, last)


@kernel
def dropout_planes(bounds, x, keep, y, window, scale):
    """`dropout_forward` over chunks of planes."""
    if bounds.size == 2:
        _dropout_chunk(x, keep, y, window, scale, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _dropout_chunk(x, keep, y, window, scale, bounds[chunk], bounds[chunk + 1])


@device
def _gradient_chunk(x, keep, dy, dx, window, scale, flags, first, last):
    before, above, gradient = pointer(x, 0), pointer(dy, 0), pointer(dx, 0)
    dropout_backward(before, pointer(keep, 0), above, gradient, window, scale, first, last, *flags)


@kernel
def dropout_gradient_planes(bounds, x, keep, dy, dx, window, scale, flags):
    """`dropout_backward` over chunks of planes."""
    if bounds.size == 2:
        _gradient_chunk(x, keep, dy, dx, window, scale, flags, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _gradient_chunk(x, keep, dy, dx, window, scale, flags, bounds[chunk], bounds[chunk + 1])


def _kept(keep: np.ndarray, tiles: int, image: Image) -> np.ndarray:
    expected = shape_of(tiles, image._replace(border=0))
    if keep.shape != expected or keep.dtype not in (np.uint8, np.bool_):
        raise InputError(f"keep is {keep.dtype} of shape {keep.shape}, but uint8 or bool of {expected} was expected")
    flat = np.ascontiguousarray(keep).view(np.uint8).reshape(-1)
    return flat if flat.flags.writeable else flat.copy()


def dropout(
    x: np.ndarray,
    keep: np.ndarray,
    scale: float,
    *,
    border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Keep some elements, scaled, and set the others to zero (Srivastava et al. 2014, scaled while training).

    Parameters
    ----------
    x : array of shape (tiles, channels, height + 2 border, width + 2 border, 16)
    keep : uint8 or bool array of shape (tiles, channels, height, width, 16)
        What is kept.
    scale : float
        One over the share that is kept.
    border, y_border : int
        Zeros around the images of x and of the result.
    threads : int, optional

    Returns
    -------
    array of shape (tiles, channels, height + 2 y_border, width + 2 y_border, 16)
    """
    window, image, after = elementwise_window(x, border, y_border)
    y = zeros(len(x), after)
    arrays = (
        interior(x, len(x), image, "x"),
        _kept(keep, len(x), image),
        interior_output(y, len(x), after, "y"),
    )
    bounds = plane_bounds(window, threads)
    dropout_planes(bounds, *arrays, window, np.float32(scale))
    return y


def dropout_gradient(
    x: np.ndarray,
    keep: np.ndarray,
    dy: np.ndarray,
    scale: float,
    *,
    add_to: np.ndarray | None = None,
    x_relu: bool = False,
    border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Return the gradient of `dropout` by its input.

    Parameters
    ----------
    x, keep, scale, border, y_border, threads
        What `dropout` was given.
    dy : array of the shape that it returned
    add_to : float32 array of x's shape, optional
        What other consumers of x gave; changed and returned.
    x_relu : bool
        x came out of a ReLU: make the result the gradient by what went into it.

    Returns
    -------
    array of x's shape
    """
    window, image, after = elementwise_window(x, border, y_border)
    dx = gradient_to_write(add_to, len(x), image)
    arrays = (
        interior(x, len(x), image, "x"),
        _kept(keep, len(x), image),
        interior(dy, len(x), after, "dy"),
        interior_output(dx, len(x), image, "add_to"),
    )
    bounds = plane_bounds(window, threads)
    dropout_gradient_planes(bounds, *arrays, window, np.float32(scale), (add_to is not None, bool(x_relu)))
    return dx
