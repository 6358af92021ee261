"""Dense convolutions on a device; a linear layer is one of a single pixel by one weight.

>>> conv2d(x, weight, bias, y, g, relu=1).run()        # doctest: +SKIP
"""

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry
from tinyticket.kernels.cuda.launch import Division, Launch, divided
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.rows import add_up
from tinyticket.kernels.cuda.tiles import LARGE, SMALL, Product, Tile
from tinyticket.kernels.cuda.toolkit import cuda

BUSY = 8 * 132
"""Blocks below which the large tile leaves a large device idle: eight of two warps on each multiprocessor of an H100. A constant,
not asked for: results must not depend on the device."""

WORTHWHILE = 8
"""Chunks of 32 lanes below which a part of a weight gradient is not worth a block of its own."""

FEW, MANY = 64, 1024
"""Threads for a channel of up to 2048 numbers in the gradient of a bias, and for more."""


def conv2d(x, weight, bias, y, g: Geometry, relu: int = 0) -> Launch:
    """Compute y = W * x + b, perhaps through a ReLU."""
    phase = [0, g.taps, g.height, g.width, g.x_origin - g.padding * (g.x_row + 1), g.y_origin]
    source, result = (g.stride * g.x_row, g.stride), (g.y_row, 1, g.y_plane)
    flags = {"biased": int(bias is not None), "relu": int(relu)}
    product = Product(g.lanes, g.outputs, g.taps, *source, *result, **flags)
    return _correlate(x, weight, bias, None, y, _forward_taps(g), [phase], product)


def conv2d_input_gradient(dy, weight, x, dx, g: Geometry, add: int = 0, x_is_relu_output: int = 0) -> Launch:
    """Compute dx, each pixel's gradient from all outputs that it took part in.

    At stride s there are s * s phases: pixels whose row and column leave the same remainders meet the same taps. The border of dy
    is as wide as `kernels.geometry.gradient_border` says.
    """
    taps, phases, done = [], [], 0
    for down, across in np.ndindex(g.stride, g.stride):
        met = _gradient_taps(g, down, across)
        height, width = -(-(g.x_height - down) // g.stride), -(-(g.x_width - across) // g.stride)
        phases.append([done, done + len(met), height, width, g.y_origin, g.x_origin + down * g.x_row + across])
        taps.append(met)
        done += len(met)
    source, result, area = (g.y_row, 1), (g.stride * g.x_row, g.stride, g.x_plane), g.kernel_height * g.kernel_width
    flags = {"by_row": int(area == 1), "add": int(add), "x_is_relu_output": int(x_is_relu_output)}
    product = Product(g.lanes, g.inputs, area, *source, *result, **flags)
    return _correlate(dy, weight, None, x, dx, np.concatenate(taps), phases, product)


def conv2d_weight_gradient(x, dy, gradient, g: Geometry) -> Launch:
    """Compute the gradient of the weight in several parts; `conv2d_splits` says how many are quick."""
    chunks, splits = g.height * g.width * (g.lanes // WARP), gradient.size // (g.outputs * g.taps)
    tile = _gradient_tile(g)
    grid = (-(-g.taps // tile.columns), -(-g.outputs // tile.rows), splits)
    given = x, dy, gradient, _on_device(_forward_taps(g)), g, -(-chunks // splits)
    return Launch(tile.correlate_all, grid, (tile.threads,), given)


def over_channels(g: Geometry) -> Division:
    """Have a block for every channel of y."""
    return (g.outputs,), FEW if g.height * g.width * g.lanes <= 2048 else MANY, {}


@divided(over_channels)
def conv2d_bias_gradient(dy, gradient, g):
    """Compute the gradient of a layer's bias: every thread sums its share of each row of pixels, then all of them pairwise."""
    sums = cuda.shared.array(MANY, np.float32)
    thread, threads, channel = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    total = np.float32(0)
    for h in range(g.height):
        start = (g.y_origin + channel * g.y_plane + h * g.y_row) * g.lanes
        # A row's pixels lie beside each other, and so do their lanes: neighbouring threads read neighbours.
        # Four reads under way at a time: what bounds this is how many there are.
        i, last = thread, g.width * g.lanes
        while i + 3 * threads < last:
            one, two = dy[np.uint32(start + i)], dy[np.uint32(start + i + threads)]
            three, four = dy[np.uint32(start + i + 2 * threads)], dy[np.uint32(start + i + 3 * threads)]
            total += (one + two) + (three + four)
            i += 4 * threads
        while i < last:
            total += dy[np.uint32(start + i)]
            i += threads
    add_up(sums, total)
    if thread == 0:
        gradient[channel] = sums[0]


def conv2d_splits(g: Geometry) -> int:
    """Return into how many parts a weight gradient is cut: enough to keep a device busy, from the shapes alone."""
    blocks = _blocks(_gradient_tile(g), g.outputs, g.taps)
    return max(1, min(2 * BUSY // blocks, _parts(g)))


def _correlate(source, weight, bias, held, result, taps: np.ndarray, phases: list, product: Product) -> Launch:
    """Choose the tile and the grid of a correlation."""
    counts = [height * width * product.lanes for _, _, height, width, _, _ in phases]
    busy = sum(_blocks(LARGE, product.channels, count) for count in counts) >= BUSY
    tile = LARGE if busy else SMALL
    grid = (-(-max(counts) // tile.columns), -(-product.channels // tile.rows), len(phases))
    # What is never read needs to be of its type all the same.
    bias, held = weight if bias is None else bias, result if held is None else held
    given = source, weight, bias, held, result, _on_device(taps), _on_device(np.array(phases)), product
    return Launch(tile.correlate, grid, (tile.threads,), given)


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
    return upload(table.astype(np.int32), "a layer's taps")
