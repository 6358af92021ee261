"""A masked convolution whose cost is that of its survivors, on packed images.

    window = make_window(1, Image(3, 32, 32, 1), Image(64, 32, 32, 1), (3, 3), padding=1)
    pattern = ConvPattern.from_mask(weight != 0, window)
    y = sparse_conv2d(pattern, weight[weight != 0], bias, pack_images(x, 1))
    outputs = unpack_images(y, len(x))

Forward and a first layer's gradient go through output channels, backward through input channels: threads own channels and never
write to the same place.

With a stride s the pixels of an input channel fall into s * s phases, by row and column modulo s: a survivor meets the pixels of
one phase, so the backward pass takes each phase as an image of its own, whose pixels lie s apart.
"""

from typing import NamedTuple, Protocol

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import flat, images_like, images_to_write
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.patch_grid import Grid, by_shape, chooser, over_tiles
from tinyticket.kernels.cpu.sparse_patches import backward, forward, gradient
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, store_part, zero
from tinyticket.kernels.cpu.vector.streaming import drain, streams
from tinyticket.kernels.geometry import Image, Window

_choose_forward, _choose_backward = chooser(TILES.patch), chooser(TILES.fused_patch)
_forward_by_shape = by_shape("sparse_conv2d", TILES.patch, forward)
_backward_by_shape = by_shape("sparse_conv2d_gradient", TILES.fused_patch, backward)
_gradient_by_shape = by_shape("sparse_conv2d_weight_gradient", TILES.patch, gradient)


@device
def _output_grid(window):
    s = window.stride
    x_tile, y_tile = window.inputs * window.x_plane, window.outputs * window.y_plane
    grid = Grid(window.tiles, window.height, window.width, x_tile, s * window.x_row, s * LANES, y_tile, window.y_row)
    return over_tiles(grid)


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
    grid = _output_grid(window)
    origin = advance(job.x, -window.padding * (window.x_row + LANES))
    shape = _choose_forward(grid)
    streamed = rows.blocks == 1 and streams(y, window.tiles * window.outputs * window.y_plane)
    _forward_by_shape(shape, rows, values, bias, origin, y, window.y_plane, grid, first, last, relu, streamed)
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
    x_tile, y_tile = window.inputs * window.x_plane, window.outputs * window.y_plane
    # The first row and column of dy that any survivor reads for the first pixels of a phase; offsets count from there.
    up, left = (window.kernel_height - 1 - window.padding) // s, (window.kernel_width - 1 - window.padding) // s
    origin = advance(job.dy, -up * window.y_row - left * LANES)
    streamed = columns.blocks == 1 and not add and streams(dx, window.tiles * window.inputs * window.x_plane)
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
            grid = over_tiles(
                Grid(window.tiles, height, width, x_tile, s * window.x_row, s * LANES, y_tile, window.y_row)
            )
            corner = i * window.x_row + j * LANES
            before, after = advance(x, corner), advance(dx, corner)
            _backward_by_shape(
                _choose_backward(grid),
                columns,
                phase,
                s * s,
                values,
                before,
                origin,
                after,
                gradient,
                window.x_plane,
                grid,
                first,
                last,
                add,
                x_is_relu_output,
                streamed,
            )
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
    grid = _output_grid(window)
    origin = advance(job.x, -window.padding * (window.x_row + LANES))
    _gradient_by_shape(_choose_forward(grid), rows, origin, dy, gradient, window.y_plane, grid, first, last)


# -- functions of arrays


class ConvOffsets(Protocol):
    """The part of a pattern that the kernels read; `tinyticket.sparse.ConvPattern` is one, validated when it was built."""

    @property
    def window(self) -> Window:
        """Geometry of both images."""

    @property
    def shared(self) -> bool:
        """Whether neighbouring rows and images share the zeros between them."""

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


def _work(pattern: ConvOffsets, x: Images) -> tuple[Window, np.ndarray, Image]:
    """Return a pattern's window for the tiles of x, the interior of x after checking it, and the geometry of y."""
    if pattern.shared:
        raise InputError("a pattern of images that share their borders is for compiled steps, not for Images")
    window = pattern.window._replace(tiles=x.tiles)
    x_border = (window.x_row // LANES - window.x_width) // 2
    y_border = (window.y_row // LANES - window.width) // 2
    image = Image(window.inputs, window.x_height, window.x_width, x_border)
    return window, images_like(x, x.tiles, image, "x"), Image(window.outputs, window.height, window.width, y_border)


def sparse_conv2d(
    pattern: ConvOffsets,
    values: np.ndarray,
    bias: np.ndarray,
    x: Images,
    *,
    relu: bool = False,
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Compute y = W * x + bias, perhaps through a ReLU.

    Parameters
    ----------
    pattern : ConvPattern
        Where the survivors of W are, and the geometry of both images.
    values : array of shape (survivors,)
        The survivors, in C order of the mask.
    bias : array of shape (outputs,)
    x : Images
        With the pattern's geometry.
    relu : bool
        Set what is negative to zero.
    out : Images like the result, optional
        What to write the result into; its border is left alone.
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    Images
        With the border that the pattern's window says.

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
    pattern: ConvOffsets,
    values: np.ndarray,
    x: Images,
    dy: Images,
    *,
    x_is_relu_output: bool = False,
    dx: Images | None = None,
    threads: int | None = None,
) -> tuple[Images, np.ndarray]:
    """Compute the input gradient and the survivors' gradients in one pass over the input channels.

    Parameters
    ----------
    pattern : ConvPattern
    values : array of shape (survivors,)
        The survivors in the pattern's order of columns.
    x : Images
        As `sparse_conv2d` was given it.
    dy : Images
        The gradient of what `sparse_conv2d` returned; zero in padded lanes and in the border.
    x_is_relu_output : bool
        Make the first result the gradient by what went into the ReLU that made x.
    dx : Images like x, optional
        What other consumers of x gave; it is changed and returned.
    threads : int, optional

    Returns
    -------
    dx : Images, like x
    gradient : array of shape (survivors,)
        In the order of columns, as the values; summed over samples and pixels.

    Raises
    ------
    InputError
        If an argument has not the shape or geometry of the pattern.
    """
    window, before, after = _work(pattern, x)
    result = images_to_write(dx, x.tiles, x.geometry, "dx")
    gradient = empty(pattern.count)
    arrays = flat(values, (pattern.count,), "values"), before, images_like(dy, x.tiles, after, "dy"), result.interior
    job = SparseConv2dGradient(pattern.columns, *arrays, gradient, dx is not None, x_is_relu_output, window)
    run(job, pattern.column_bounds(thread_count(threads)))
    return result, gradient


def sparse_conv2d_weight_gradient(
    pattern: ConvOffsets, x: Images, dy: Images, *, threads: int | None = None
) -> np.ndarray:
    """Compute the survivors' gradients alone, in C order of the mask, as a first layer needs them.

    Parameters
    ----------
    pattern : ConvPattern
    x : Images
        As `sparse_conv2d` was given it.
    dy : Images
        The gradient of what `sparse_conv2d` returned; zero in padded lanes.
    threads : int, optional

    Returns
    -------
    array of shape (survivors,)

    Raises
    ------
    InputError
        If an argument has not the geometry of the pattern.
    """
    window, before, after = _work(pattern, x)
    gradient = empty(pattern.count)
    job = SparseConv2dWeightGradient(pattern.rows, before, images_like(dy, x.tiles, after, "dy"), gradient, window)
    run(job, pattern.row_bounds(thread_count(threads)))
    return gradient
