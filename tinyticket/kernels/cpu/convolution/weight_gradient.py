"""The weight gradient of a dense convolution: products of dy and x lane by lane, summed over pixels, tiles and samples.

A few outputs by a few taps stay in registers while a block of pixels streams by; then the lanes are summed, which costs
about a hundred cycles, and the sums are added to the gradient. Blocks are as small as that allows, so that the block of
x that a tile of taps reads stays in the first-level cache and dy of a group of outputs in the second. The sums of a
block are added in the order of the pixels, whoever owns the outputs.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, images_like
from tinyticket.kernels.cpu.convolution.forward import convolution_window
from tinyticket.kernels.cpu.convolution.tiles import held_places, tile_correlate, tile_sums
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.tiles import tile_fill
from tinyticket.kernels.cpu.vector.transpose import put, stack_starts
from tinyticket.kernels.geometry import Window

ROWS, TAPS = TILES.taps_rows, TILES.taps_width
_SIZE = ROWS * TAPS
_ROOM = -(-_SIZE // LANES) * LANES
_PIXELS = 128
_GROUP = 8
_MANY = 4 * TAPS


def conv2d_weight_gradient_shares(window: Window) -> int:
    """Count the smallest shares of `conv2d_weight_gradient`: a block of outputs each."""
    return -(-window.outputs // ROWS)


@device
def _put_taps(places, targets, window, row, span, first):
    """Write where a few taps look, relative to the pixel, and where their gradients go.

    Taps are counted through the channels and `span` rows of the kernel from `row` on; the last repeats where there are
    no more.
    """
    area = span * window.kernel_width
    for j in range(TAPS):
        tap = min(first + j, window.inputs * area - 1)
        channel, i, k = tap // area, row + tap % area // window.kernel_width, tap % window.kernel_width
        put(places, j, channel * window.x_plane + i * window.x_row + k * LANES)
        put(targets, j, (channel * window.kernel_height + i) * window.kernel_width + k)


@device
def _correlate_block(x, dy, window, first, last, low, high, left, taps, sums):
    """sums = dy x' over rows first to last of all tiles' images, as far as they are rows low to high of their image."""
    w = window
    held = tile_fill(np.float32(0), _SIZE)
    tile, h = first // w.height, first % w.height
    for _ in range(first, last):
        if low <= h < high:
            above = advance(dy, tile * w.outputs * w.y_plane + h * w.y_row)
            before = advance(x, tile * w.inputs * w.x_plane + h * w.stride * w.x_row)
            for _ in range(w.width):
                held = tile_correlate(above, w.y_plane, left, before, taps, held)
                above, before = advance(above, LANES), advance(before, w.stride * LANES)
        h += 1
        if h == w.height:
            tile, h = tile + 1, 0
    tile_sums(sums, held)


@device
def _gradient_block(x, dy, gradient, window, line, until, first, last, row, span):
    """Add the sums over rows line to until for blocks first to last of the outputs and `span` rows of the kernel."""
    w = window
    low, high = 0, w.height
    if span == 1:  # the rows of pixels that do not see padding there
        low = max(0, (w.padding - row + w.stride - 1) // w.stride)
        high = min(w.height, (w.x_height - 1 + w.padding - row) // w.stride + 1)
    places, targets, sums = stack_starts(), stack_starts(), stack_floats(_ROOM)
    size, count = w.inputs * w.kernel_height * w.kernel_width, w.inputs * span * w.kernel_width
    for tap in range(0, count, TAPS):
        _put_taps(places, targets, window, row, span, tap)
        taps = held_places(places, TAPS)
        for block in range(first, last):
            output = block * ROWS
            left = min(ROWS, w.outputs - output)
            above = advance(dy, output * w.y_plane)
            _correlate_block(x, above, w, line, until, low, high, left, taps, sums)
            for i in range(left):
                for j in range(min(TAPS, count - tap)):
                    place = (output + i) * size + at(targets, j)
                    total = at(sums, i * TAPS + j)
                    put(gradient, place, total if line == 0 else at(gradient, place) + total)


class Conv2dWeightGradient(NamedTuple):
    """The job of `conv2d_weight_gradient`, whose share counts blocks of outputs: `conv2d_weight_gradient_shares`."""

    x: Floats
    dy: Floats  # zero in padded lanes
    gradient: Floats  # (outputs, inputs, kernel rows, kernel columns)
    window: Window


@kernel(Conv2dWeightGradient)
def _conv2d_weight_gradient(job, first, last):
    dy, gradient, w = job.dy, job.gradient, job.window
    lines = w.tiles * w.height
    step = (_PIXELS + w.width - 1) // w.width
    # A row of the kernel at a time can leave out padding; few channels would leave registers empty then.
    span = 1 if w.inputs * w.kernel_width >= _MANY else w.kernel_height
    corner = advance(job.x, -w.padding * (w.x_row + LANES))
    for line in range(0, lines, step):
        until = min(line + step, lines)
        for group in range(first, last, _GROUP):
            for row in range(0, w.kernel_height, span):
                end = min(group + _GROUP, last)
                _gradient_block(corner, dy, gradient, w, line, until, group, end, row, span)


def conv2d_weight_gradient(
    x: Images,
    dy: Images,
    kernel: tuple[int, int],
    *,
    stride: int = 1,
    padding: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Compute the gradient of a convolution by its weights, summed over samples and pixels.

    Parameters
    ----------
    x, stride, padding, threads
        As in `conv2d`.
    dy : Images
        The gradient of what `conv2d` returned; zero in padded lanes.
    kernel : (rows, columns)

    Returns
    -------
    array of shape (outputs, inputs, rows, columns)

    Raises
    ------
    InputError
        If dy is not as large as the convolution of x is.
    """
    shape = dy.geometry.channels, x.geometry.channels, *kernel
    window, after = convolution_window(shape, x, stride, padding, dy.border)
    gradient = empty(*shape)
    job = Conv2dWeightGradient(x.interior, images_like(dy, x.tiles, after, "dy"), gradient, window)
    run(job, even_shares(conv2d_weight_gradient_shares(window), threads))
    return gradient
