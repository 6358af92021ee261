"""Dense convolutions on a device; a linear layer is one of a single pixel by one weight.

>>> conv2d(x, x_origin, weight, bias, y, y_origin, g, relu=1).run()        # doctest: +SKIP
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.products import Product, Sum
from tinyticket.kernels.cuda.tiles import LARGE, SMALL, Tile
from tinyticket.kernels.cuda.toolkit import cuda

BUSY = 8 * 132
"""Blocks below which the large tile leaves a large device idle: eight of two warps on each multiprocessor of an H100. A constant,
not asked for: results must not depend on the device."""

WORTHWHILE = 8
"""Chunks of 32 lanes below which a part of a weight gradient is not worth a block of its own."""


def conv2d(x: Any, x_origin: int, weight: Any, bias: Any, y: Any, y_origin: int, g: Geometry, relu: int = 0) -> Launch:
    """Compute y = W * x + b, perhaps through a ReLU.

    Parameters
    ----------
    x, y : float32 device arrays
        Blocks of values; the interior of y is written.
    x_origin, y_origin : int
        Pixels before the first one inside the border.
    weight : float32 device array of (outputs, inputs, kernel height, kernel width), flat
    bias : float32 device array of (outputs,), or None
    g : Geometry
    relu : int
        1 to set what is negative to zero.
    """
    phases = [0, g.taps, g.height, g.width, x_origin - g.padding * (g.x_row + 1), y_origin]
    product = Product(
        lanes=g.lanes,
        channels=g.outputs,
        weight_row=g.taps,
        by_row=0,
        source_row=g.stride * g.x_row,
        source_column=g.stride,
        result_row=g.y_row,
        result_column=1,
        result_plane=g.y_plane,
        biased=int(bias is not None),
        relu=int(relu),
        add=0,
        x_is_relu_output=0,
    )
    return _correlate(x, weight, bias, None, y, _forward_taps(g), [phases], product)


def conv2d_input_gradient(
    dy: Any,
    dy_origin: int,
    weight: Any,
    x: Any,
    dx: Any,
    dx_origin: int,
    g: Geometry,
    add: int = 0,
    x_is_relu_output: int = 0,
) -> Launch:
    """Compute dx, each pixel's gradient from all outputs that it took part in.

    At stride s there are s * s phases: pixels whose row and column leave the same remainders meet the same taps.

    Parameters
    ----------
    dy, dx : float32 device arrays
        Blocks of gradients; the border of dy is as wide as `kernels.geometry.gradient_border` says.
    dy_origin, dx_origin : int
    weight : float32 device array of (outputs, inputs, kernel height, kernel width), flat
    x : float32 device array, or None
        The layer's input, placed as dx is; read only if `x_is_relu_output`.
    g : Geometry
    add : int
        1 to add to dx.
    x_is_relu_output : int
        1 to set dx to zero where x is not above zero: x came out of a ReLU.
    """
    taps, phases = [], []
    done = 0
    for down in range(g.stride):
        for across in range(g.stride):
            met = _gradient_taps(g, down, across)
            height, width = -(-(g.x_height - down) // g.stride), -(-(g.x_width - across) // g.stride)
            phases.append([done, done + len(met), height, width, dy_origin, dx_origin + down * g.x_row + across])
            taps.append(met)
            done += len(met)
    product = Product(
        lanes=g.lanes,
        channels=g.inputs,
        weight_row=g.kernel_height * g.kernel_width,
        by_row=int(g.kernel_height * g.kernel_width == 1),
        source_row=g.y_row,
        source_column=1,
        result_row=g.stride * g.x_row,
        result_column=g.stride,
        result_plane=g.x_plane,
        biased=0,
        relu=0,
        add=int(add),
        x_is_relu_output=int(x_is_relu_output),
    )
    return _correlate(dy, weight, None, x, dx, np.concatenate(taps), phases, product)


def conv2d_weight_gradient(x: Any, x_origin: int, dy: Any, dy_origin: int, gradient: Any, g: Geometry) -> Launch:
    """Compute the gradient of the weight in several parts, which the update adds up in their order.

    Parameters
    ----------
    x, dy : float32 device arrays
        Blocks of the input and of the output's gradient; dy is zero in lanes beyond the last sample.
    x_origin, dy_origin : int
    gradient : float32 device array of (parts, outputs, inputs, kernel height, kernel width), flat
        `conv2d_splits` says how many parts are quick.
    g : Geometry
    """
    chunks, splits = g.height * g.width * (g.lanes // WARP), gradient.size // (g.outputs * g.taps)
    tile = _gradient_tile(g)
    sizes = Sum(
        lanes=g.lanes,
        outputs=g.outputs,
        taps=g.taps,
        height=g.height,
        width=g.width,
        x_start=x_origin - g.padding * (g.x_row + 1),
        x_row=g.stride * g.x_row,
        x_column=g.stride,
        y_start=dy_origin,
        y_row=g.y_row,
        y_plane=g.y_plane,
        chunks=-(-chunks // splits),
    )
    grid = (-(-g.taps // tile.columns), -(-g.outputs // tile.rows), splits)
    return Launch(tile.correlate_all, grid, (tile.threads,), (x, dy, gradient, _on_device(_forward_taps(g)), sizes))


def conv2d_splits(g: Geometry) -> int:
    """Return into how many parts a weight gradient is cut: enough to keep a device busy, from the shapes alone."""
    blocks = _blocks(_gradient_tile(g), g.outputs, g.taps)
    return max(1, min(2 * BUSY // blocks, _parts(g)))


def _correlate(
    source: Any, weight: Any, bias: Any, held: Any, result: Any, taps: np.ndarray, phases: list, product: Product
) -> Launch:
    """Choose the tile and the grid of a correlation."""
    counts = [height * width * product.lanes for _, _, height, width, _, _ in phases]
    busy = sum(_blocks(LARGE, product.channels, count) for count in counts) >= BUSY
    tile = LARGE if busy else SMALL
    grid = (-(-max(counts) // tile.columns), -(-product.channels // tile.rows), len(phases))
    # What is never read needs to be of its type all the same.
    bias, held = weight if bias is None else bias, result if held is None else held
    tables = _on_device(taps), _on_device(np.array(phases, np.int32))
    return Launch(tile.correlate, grid, (tile.threads,), (source, weight, bias, held, result, *tables, product))


def _forward_taps(g: Geometry) -> np.ndarray:
    """Return for each weight of an output, in C order, how many numbers on it reads x, and its place."""
    channel, down, across = np.indices((g.inputs, g.kernel_height, g.kernel_width)).reshape(3, -1)
    pixels = channel * g.x_plane + down * g.x_row + across
    return np.stack((pixels * g.lanes, np.arange(g.taps)), axis=1)


def _gradient_taps(g: Geometry, down: int, across: int) -> np.ndarray:
    """Return for a phase of the pixels of x where in dy each weight reads, and its place, output by output."""
    rows = np.arange((down + g.padding) % g.stride, g.kernel_height, g.stride)
    columns = np.arange((across + g.padding) % g.stride, g.kernel_width, g.stride)
    output, i, j = (part.ravel() for part in np.meshgrid(np.arange(g.outputs), rows, columns, indexing="ij"))
    above = (down + g.padding - i) // g.stride * g.y_row + (across + g.padding - j) // g.stride
    place = (output * g.inputs * g.kernel_height + i) * g.kernel_width + j
    return np.stack(((output * g.y_plane + above) * g.lanes, place), axis=1)


def _gradient_tile(g: Geometry) -> Tile:
    return LARGE if _blocks(LARGE, g.outputs, g.taps) * _parts(g) >= BUSY else SMALL


def _parts(g: Geometry) -> int:
    """Return how many parts of a weight gradient would each be worth a block."""
    return max(1, g.height * g.width * (g.lanes // WARP) // WORTHWHILE)


def _blocks(tile: Tile, rows: int, columns: int) -> int:
    return -(-rows // tile.rows) * -(-columns // tile.columns)


def _on_device(table: np.ndarray) -> Any:
    return cuda.to_device(np.ascontiguousarray(table, np.int32).reshape(-1))
