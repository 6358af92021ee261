"""Residual additions, ReLUs that nothing else has done, and copies between borders, as functions of arrays.

>>> y = add_images(x, shortcut, relu=True)        # doctest: +SKIP
"""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.image_arguments import (
    elementwise_window,
    gradient_to_write,
    interior,
    interior_output,
    plane_bounds,
    zeros,
)
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.residual_passes import add_backward, add_forward, copy_backward, copy_forward
from tinyticket.kernels.cpu.vector.simd import pointer


@device
def _copy_chunk(x, y, window, rectify, first, last):
    copy_forward(pointer(x, 0), pointer(y, 0), window, first, last, rectify)


@kernel
def copy_planes(bounds, x, y, window, rectify):
    """`copy_forward` over chunks of planes."""
    if bounds.size == 2:
        _copy_chunk(x, y, window, rectify, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _copy_chunk(x, y, window, rectify, bounds[chunk], bounds[chunk + 1])


@device
def _copy_gradient_chunk(x, y, dy, dx, window, flags, first, last):
    before, after, above, gradient = pointer(x, 0), pointer(y, 0), pointer(dy, 0), pointer(dx, 0)
    copy_backward(before, after, above, gradient, window, first, last, *flags)


@kernel
def copy_gradient_planes(bounds, x, y, dy, dx, window, flags):
    """`copy_backward` over chunks of planes."""
    if bounds.size == 2:
        _copy_gradient_chunk(x, y, dy, dx, window, flags, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _copy_gradient_chunk(x, y, dy, dx, window, flags, bounds[chunk], bounds[chunk + 1])


@device
def _add_chunk(x, addend, y, window, other, rectify, first, last):
    add_forward(pointer(x, 0), pointer(addend, 0), pointer(y, 0), window, other, first, last, rectify)


@kernel
def add_planes(bounds, x, addend, y, window, other, rectify):
    """`add_forward` over chunks of planes."""
    if bounds.size == 2:
        _add_chunk(x, addend, y, window, other, rectify, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _add_chunk(x, addend, y, window, other, rectify, bounds[chunk], bounds[chunk + 1])


@device
def _add_gradient_chunk(images, window, other, flags, first, last):
    x, addend, y = pointer(images[0], 0), pointer(images[1], 0), pointer(images[2], 0)
    dy, dx, d_addend = pointer(images[3], 0), pointer(images[4], 0), pointer(images[5], 0)
    add_backward(x, addend, y, dy, dx, d_addend, window, other, first, last, *flags)


@kernel
def add_gradient_planes(bounds, images, window, other, flags):
    """`add_backward` over chunks of planes."""
    if bounds.size == 2:
        _add_gradient_chunk(images, window, other, flags, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _add_gradient_chunk(images, window, other, flags, bounds[chunk], bounds[chunk + 1])


def copy_images(
    x: np.ndarray, *, relu: bool = False, border: int = 0, y_border: int = 0, threads: int | None = None
) -> np.ndarray:
    """Copy images, perhaps through a ReLU, to where they have another border.

    Parameters
    ----------
    x : array of shape (tiles, channels, height + 2 border, width + 2 border, 16)
    relu : bool
        Set what is negative to zero.
    border, y_border : int
        Zeros around the images of x and of the result.
    threads : int, optional

    Returns
    -------
    array of shape (tiles, channels, height + 2 y_border, width + 2 y_border, 16)
    """
    window, image, after = elementwise_window(x, border, y_border)
    y = zeros(len(x), after)
    arrays = interior(x, len(x), image, "x"), interior_output(y, len(x), after, "y")
    copy_planes(plane_bounds(window, threads), *arrays, window, bool(relu))
    return y


def copy_images_gradient(
    x: np.ndarray,
    y: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    add_to: np.ndarray | None = None,
    x_relu: bool = False,
    border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Return the gradient of `copy_images` by its input.

    Parameters
    ----------
    x, y, relu, border, y_border, threads
        What `copy_images` was given and returned.
    dy : array of y's shape
    add_to : float32 array of x's shape, optional
        What other consumers of x gave; changed and returned.
    x_relu : bool
        x came out of a ReLU itself: make the result the gradient by what went into that.

    Returns
    -------
    array of x's shape
    """
    window, image, after = elementwise_window(x, border, y_border)
    dx = gradient_to_write(add_to, len(x), image)
    arrays = (
        interior(x, len(x), image, "x"),
        interior(y, len(x), after, "y"),
        interior(dy, len(x), after, "dy"),
        interior_output(dx, len(x), image, "add_to"),
    )
    copy_gradient_planes(plane_bounds(window, threads), *arrays, window, (bool(relu), add_to is not None, bool(x_relu)))
    return dx


def add_images(
    x: np.ndarray,
    addend: np.ndarray,
    *,
    relu: bool = False,
    border: int = 0,
    addend_border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Add images, as a residual block ends (He et al. 2016, figure 2), perhaps through a ReLU.

    Parameters
    ----------
    x : array of shape (tiles, channels, height + 2 border, width + 2 border, 16)
    addend : array of the same images with another border
    relu, threads
        As in `copy_images`.
    border, addend_border, y_border : int

    Returns
    -------
    array of shape (tiles, channels, height + 2 y_border, width + 2 y_border, 16)
    """
    window, image, after = elementwise_window(x, border, y_border)
    y, other = zeros(len(x), after), image._replace(border=addend_border)
    arrays = (
        interior(x, len(x), image, "x"),
        interior(addend, len(x), other, "addend"),
        interior_output(y, len(x), after, "y"),
    )
    add_planes(plane_bounds(window, threads), *arrays, window, other, bool(relu))
    return y


def add_images_gradient(
    x: np.ndarray,
    addend: np.ndarray,
    y: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    add_to: np.ndarray | None = None,
    x_relu: bool = False,
    addend_add_to: np.ndarray | None = None,
    addend_relu: bool = False,
    border: int = 0,
    addend_border: int = 0,
    y_border: int = 0,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of `add_images` by its input and its addend.

    Parameters
    ----------
    x, addend, y, relu, border, addend_border, y_border, threads
        What `add_images` was given and returned.
    dy : array of y's shape
    add_to, addend_add_to : float32 arrays of the shapes of x and addend, optional
        What other consumers of them gave; changed and returned.
    x_relu, addend_relu : bool
        They came out of a ReLU: make the results the gradients by what went into it.
    """
    window, image, after = elementwise_window(x, border, y_border)
    other = image._replace(border=addend_border)
    dx, d_addend = gradient_to_write(add_to, len(x), image), gradient_to_write(addend_add_to, len(x), other)
    images = (
        interior(x, len(x), image, "x"),
        interior(addend, len(x), other, "addend"),
        interior(y, len(x), after, "y"),
        interior(dy, len(x), after, "dy"),
        interior_output(dx, len(x), image, "add_to"),
        interior_output(d_addend, len(x), other, "addend_add_to"),
    )
    flags = bool(relu), add_to is not None, bool(x_relu), addend_add_to is not None, bool(addend_relu)
    add_gradient_planes(plane_bounds(window, threads), images, window, other, flags)
    return dx, d_addend
