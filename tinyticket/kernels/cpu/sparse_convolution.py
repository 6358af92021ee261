"""A masked convolution whose cost is that of its survivors, on packed images.

    pattern = ConvPattern.from_mask(weight != 0, make_window(1, x.geometry, y.geometry, (3, 3), padding=1))
    y = sparse_conv2d(pattern, weight[weight != 0], bias, x)

With a stride s the pixels of an input channel fall into s * s phases, by row and column modulo s: a survivor meets the pixels of
one phase, so the backward pass takes each phase as an image of its own, whose pixels lie s apart.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import flat, images_like, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.lines import ConvPattern, Lines
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.sparse_patches import Grid, backward, by_shape, forward, gradient
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, store_part, zero
from tinyticket.kernels.cpu.vector.streaming import drain, streams_images
from tinyticket.kernels.geometry import Image, Window

_forward = by_shape("sparse_conv2d", TILES.patch, forward)
_backward = by_shape("sparse_conv2d_gradient", TILES.fused_patch, backward)
_gradient = by_shape("sparse_conv2d_weight_gradient", TILES.patch, gradient)


@device
def _grid(window, height, width):
    """Return the grid of so many rows and columns of pixels; tiles of 1x1 images are taken for the rows of one image."""
    x_tile, y_tile, s = window.inputs * window.x_plane, window.outputs * window.y_plane, window.stride
    if height == 1 and width == 1:
        return Grid(1, window.tiles, 1, 0, x_tile, s * LANES, 0, y_tile)
    return Grid(window.tiles, height, width, x_tile, s * window.x_row, s * LANES, y_tile, window.y_row)


class SparseConv2d(NamedTuple):
    """The job of `sparse_conv2d`, whose share are output channels."""

    rows: Lines
    values: Floats  # the survivors, row by row
    bias: Floats
    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats
    relu: bool
    window: Window


@kernel(SparseConv2d)
def _sparse_conv2d(job, first, last):
    rows, values, bias, y, relu, window = job.rows, job.values, job.bias, job.y, job.relu, job.window
    grid = _grid(window, window.height, window.width)
    origin = advance(job.x, -window.padding * (window.x_row + LANES))
    streamed = rows.blocks == 1 and streams_images(y, window.tiles * window.outputs * window.y_plane)
    _forward(grid, rows, values, bias, origin, y, window.y_plane, first, last, relu, streamed)
    drain()


class SparseConv2dGradient(NamedTuple):
    """The job of `sparse_conv2d_gradient`, whose share are input channels: dx and the survivors' gradients in one pass."""

    columns: Lines
    values: Floats  # the survivors, column by column
    x: Floats
    dy: Floats  # zero in padded lanes and in the border
    dx: Floats
    gradient: Floats  # in the order of the values
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(SparseConv2dGradient)
def _sparse_conv2d_gradient(job, first, last):
    columns, values, x, dx, gradient, window = job.columns, job.values, job.x, job.dx, job.gradient, job.window
    add, x_is_relu_output = job.add, job.x_is_relu_output
    s = window.stride
    # The first row and column of dy that any survivor reads for the first pixels of a phase; offsets count from there.
    up, left = (window.kernel_height - 1 - window.padding) // s, (window.kernel_width - 1 - window.padding) // s
    origin = advance(job.dy, -up * window.y_row - left * LANES)
    streamed = columns.blocks == 1 and not add and streams_images(dx, window.tiles * window.inputs * window.x_plane)
    for i in range(s):
        for j in range(s):
            phase = i * s + j
            height, width = (window.x_height - i + s - 1) // s, (window.x_width - j + s - 1) // s
            if height <= 0 or width <= 0:
                # No pixel meets these survivors.
                for channel in range(first, last):
                    k = (channel * s * s + phase) * columns.blocks
                    for n in range(at(columns.starts, k), at(columns.starts, k + columns.blocks)):
                        store_part(gradient, n, zero(), 1)
                continue
            corner = i * window.x_row + j * LANES
            arrays = values, advance(x, corner), origin, advance(dx, corner), gradient
            rest = window.x_plane, first, last, add, x_is_relu_output, streamed
            _backward(_grid(window, height, width), columns, phase, s * s, *arrays, *rest)
    drain()


class SparseConv2dWeightGradient(NamedTuple):
    """The job of `sparse_conv2d_weight_gradient`, whose share are output channels."""

    rows: Lines
    x: Floats
    dy: Floats  # zero in padded lanes
    gradient: Floats  # of the survivors, row by row
    window: Window


@kernel(SparseConv2dWeightGradient)
def _sparse_conv2d_weight_gradient(job, first, last):
    rows, dy, gradient, window = job.rows, job.dy, job.gradient, job.window
    grid = _grid(window, window.height, window.width)
    origin = advance(job.x, -window.padding * (window.x_row + LANES))
    _gradient(grid, rows, origin, dy, gradient, window.y_plane, first, last)


# -- functions of arrays


def _work(pattern: ConvPattern, x: Images) -> tuple[Window, np.ndarray, Image]:
    """Return a pattern's window for the tiles of x, the interior of x after checking it, and the geometry of y."""
    if pattern.shared:
        raise InputError("a pattern of images that share their borders is for compiled steps, not for Images")
    window = pattern.window._replace(tiles=x.tiles)
    x_border = (window.x_row // LANES - window.x_width) // 2
    y_border = (window.y_row // LANES - window.width) // 2
    image = Image(window.inputs, window.x_height, window.x_width, x_border)
    return window, images_like(x, x.tiles, image, "x"), Image(window.outputs, window.height, window.width, y_border)


def sparse_conv2d(
    pattern: ConvPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: Images,
    *,
    relu: bool = False,
    out: Written[Images] | None = None,
    threads: int | None = None,
) -> Images:
    """Compute y = W * x + bias, perhaps through a ReLU: `conv2d` by the survivors of W alone.

    Parameters
    ----------
    pattern : ConvPattern
        Where the survivors of W are, and the geometry of both images.
    values : array of shape (survivors,)
        The survivors, in C order of the mask.
    bias, relu, threads
        As in `conv2d`.
    x : Images
    out : Images like the result, optional
        What to write the result into; its border is left alone.

    Raises
    ------
    InputError
        If an argument has not the shape or geometry of the pattern.
    """
    window, before, after = _work(pattern, x)
    y = images_to_write(out, x.tiles, after, "out")
    parameters = flat(values, (pattern.count,), "values"), flat(bias, (window.outputs,), "bias")
    job = SparseConv2d(pattern.rows, *parameters, before, y.interior, relu, window)
    run(job, pattern.row_bounds(thread_count(threads)))
    return y


def sparse_conv2d_gradient(
    pattern: ConvPattern,
    values: np.ndarray,
    x: Images,
    dy: Images,
    *,
    x_is_relu_output: bool = False,
    dx: Written[Images] | None = None,
    threads: int | None = None,
) -> tuple[Images, np.ndarray]:
    """Compute the input gradient and the survivors' gradients, summed over samples and pixels, in one pass over the input channels.

    The other arguments, and errors, are those of `sparse_conv2d`.

    Parameters
    ----------
    values : array of shape (survivors,)
        The survivors in the pattern's order of columns, as is the second result.
    dy : Images
        The gradient of what `sparse_conv2d` returned; zero in padded lanes and in the border.
    x_is_relu_output : bool
        Make the first result the gradient by what went into the ReLU that made x.
    dx : Images like x, optional
        What other consumers of x gave; it is changed and returned.
    """
    window, before, after = _work(pattern, x)
    result = images_to_write(dx, x.tiles, x.geometry, "dx")
    gradient = empty(pattern.count)
    arrays = flat(values, (pattern.count,), "values"), before, images_like(dy, x.tiles, after, "dy"), result.interior
    job = SparseConv2dGradient(pattern.columns, *arrays, gradient, dx is not None, x_is_relu_output, window)
    run(job, pattern.column_bounds(thread_count(threads)))
    return result, gradient


def sparse_conv2d_weight_gradient(
    pattern: ConvPattern, x: Images, dy: Images, *, threads: int | None = None
) -> np.ndarray:
    """Compute the survivors' gradients alone, in C order of the mask; arguments as in `sparse_conv2d_gradient`."""
    window, before, after = _work(pattern, x)
    gradient = empty(pattern.count)
    job = SparseConv2dWeightGradient(pattern.rows, before, images_like(dy, x.tiles, after, "dy"), gradient, window)
    run(job, pattern.row_bounds(thread_count(threads)))
    return gradient
