"""A masked convolution whose cost is that of its survivors: the three passes as functions of arrays.

>>> window = make_window(1, Image(3, 32, 32, 1), Image(64, 32, 32, 1), (3, 3), padding=1)     # doctest: +SKIP
>>> pattern = ConvPattern.from_mask(weight != 0, window)                                      # doctest: +SKIP
>>> y = sparse_conv_forward(pattern, weight[weight != 0], bias, pack_images(x, 1))             # doctest: +SKIP
>>> outputs = unpack_images(y, len(x), 1)                                                     # doctest: +SKIP
"""

from typing import Protocol

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import flat, flat_output
from tinyticket.kernels.geometry import Window
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.sparse_convolution_passes import (
    sparse_convolve,
    sparse_convolve_backward,
    sparse_convolve_gradient,
)
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.threads import thread_count


class ConvOffsets(Protocol):
    """What the kernels need to know of a mask; `tinyticket.sparse.ConvPattern` is one, validated when it was built."""

    @property
    def window(self) -> Window:
        """Geometry of both images."""

    @property
    def count(self) -> int:
        """Number of survivors."""

    @property
    def rows(self) -> Lines:
        """Survivors output channel by output channel."""

    @property
    def columns(self) -> Lines:
        """Survivors input channel by input channel, and phase by phase of its pixels."""

    def row_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of output channels with nearly equal numbers of survivors."""

    def column_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of input channels with nearly equal numbers of survivors."""


def sparse_conv_forward(
    pattern: ConvOffsets,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = W * x + bias of packed images, perhaps through a ReLU.

    Parameters
    ----------
    pattern : ConvPattern
        Where the survivors of W are, and the geometry of both images.
    values : array of shape (survivors,)
        The survivors, in C order of the mask.
    bias : array of shape (outputs,)
    x : array of shape (tiles, inputs, rows, columns, 16), borders included
        Zero in the border.
    relu : bool
        Set what is negative to zero.
    out : float32 array like the result, optional
        Its border is not written.
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    array of shape (tiles, outputs, rows, columns, 16), borders included
    """
    window = _window(pattern, x)
    y = _zeros(output_shape(window)) if out is None else out
    arrays = (
        flat(values, (pattern.count,), "values"),
        flat(bias, (window.outputs,), "bias"),
        flat(x, x.shape, "x"),
        flat_output(y, output_shape(window), "out"),
    )
    bounds = pattern.row_bounds(thread_count(threads))
    sparse_convolve(bounds, pattern.rows, *arrays, *_origins(window), window, bool(relu))
    return y


def sparse_conv_backward(
    pattern: ConvOffsets,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    dx: np.ndarray | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients in one pass over the input channels.

    Parameters
    ----------
    pattern : ConvPattern
    values : array of shape (survivors,)
        The survivors in the pattern's order of columns.
    x : array of shape (tiles, inputs, rows, columns, 16), borders included
        What the layer was given.
    dy : array of shape (tiles, outputs, rows, columns, 16), borders included
        The loss's gradient by what the layer gave; zero in padded lanes and in the border.
    relu : bool
        x came out of a ReLU: make the first result the gradient by what went into it.
    dx : float32 array like x, optional
        What other consumers of x have contributed already; this layer's part is added to it in place.
    threads : int, optional

    Returns
    -------
    dx : array like x
        Zero in the border, unless it was given.
    gradient : array of shape (survivors,)
        In the order of columns, as the values; summed over samples and pixels.
    """
    window = _window(pattern, x)
    result = _zeros(x.shape) if dx is None else dx
    gradient = empty(pattern.count)
    arrays = (
        flat(values, (pattern.count,), "values"),
        flat(x, x.shape, "x"),
        flat(dy, output_shape(window), "dy"),
        flat_output(result, x.shape, "dx"),
        gradient,
    )
    bounds = pattern.column_bounds(thread_count(threads))
    flags = dx is not None, bool(relu)
    sparse_convolve_backward(bounds, pattern.columns, *arrays, *_origins(window), window, *flags)
    return result, gradient


def sparse_conv_gradient(
    pattern: ConvOffsets, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
) -> np.ndarray:
    """Compute the survivors' gradients alone, in C order of the mask, as a first layer needs them.

    Parameters
    ----------
    pattern : ConvPattern
    x : array of shape (tiles, inputs, rows, columns, 16), borders included
    dy : array of shape (tiles, outputs, rows, columns, 16), borders included
        Zero in padded lanes.
    threads : int, optional

    Returns
    -------
    array of shape (survivors,)
    """
    window = _window(pattern, x)
    gradient = empty(pattern.count)
    arrays = flat(x, x.shape, "x"), flat(dy, output_shape(window), "dy"), gradient
    bounds = pattern.row_bounds(thread_count(threads))
    sparse_convolve_gradient(bounds, pattern.rows, *arrays, *_origins(window), window)
    return gradient


def output_shape(window: Window) -> tuple[int, ...]:
    """Return the shape of the packed array that holds the images a window writes."""
    rows, columns = window.y_plane // window.y_row, window.y_row // LANES
    return window.tiles, window.outputs, rows, columns, LANES


def _window(pattern: ConvOffsets, x: np.ndarray) -> Window:
    window = pattern.window
    expected = window.inputs, window.x_plane // window.x_row, window.x_row // LANES, LANES
    if x.ndim != 5 or x.shape[1:] != expected or not x.shape[0]:
        raise InputError(f"x has shape {x.shape}, but (tiles, {', '.join(map(str, expected))}) was expected")
    return window._replace(tiles=x.shape[0])


def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    array = empty(*shape)
    array[...] = 0
    return array


def _origins(window: Window) -> tuple[int, int]:
    """Where the first pixels inside the borders of x and y are."""
    x_border = (window.x_row // LANES - window.x_width) // 2
    y_border = (window.y_row // LANES - window.width) // 2
    return x_border * (window.x_row + LANES), y_border * (window.y_row + LANES)
