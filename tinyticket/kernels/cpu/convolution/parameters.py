"""The gradients of a dense convolution's weights and bias.

The weights' are products of dy and x lane by lane, summed over pixels, tiles and samples. A few outputs by a few taps stay in
registers while a block of pixels streams by; then the lanes are summed, which costs about a hundred cycles, and the sums are added
to the gradient. Blocks are as small as that allows, so that the block of x that a tile of taps reads stays in the first-level cache
and dy of a group of outputs in the second. The sums of a block are added in the order of the pixels, whoever owns the outputs.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares, images_like
from tinyticket.kernels.cpu.convolution.activations import convolution_window
from tinyticket.kernels.cpu.convolution.tiles import held_places, tile_correlate, tile_sums
from tinyticket.kernels.cpu.image_common import passing
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, load, stack_floats, zero
from tinyticket.kernels.cpu.vector.sums import lane_sum, row_sum, wide_zero, widened
from tinyticket.kernels.cpu.vector.tiles import tile_fill
from tinyticket.kernels.cpu.vector.transpose import put, stack_places
from tinyticket.kernels.geometry import Window

__all__ = ["Conv2dBiasGradient", "Conv2dWeightGradient", "PooledBiasGradient"]
__all__ += ["conv2d_bias_gradient", "conv2d_weight_gradient", "conv2d_weight_gradient_shares"]

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
def _put_taps(places, targets, w, row, span, first):
    """Write where a few taps look, relative to the pixel, and where their gradients go; the last repeats if there are no more.

    Taps are counted through the channels and `span` rows of the kernel from `row` on.
    """
    area = span * w.kernel_width
    for j in range(TAPS):
        tap = min(first + j, w.inputs * area - 1)
        channel, i, k = tap // area, row + tap % area // w.kernel_width, tap % w.kernel_width
        put(places, j, channel * w.x_plane + i * w.x_row + k * LANES)
        put(targets, j, (channel * w.kernel_height + i) * w.kernel_width + k)


@device
def _correlate_block(x, dy, w, first, last, low, high, left, taps, sums):
    """sums = dy x' over rows first to last of all tiles' images, as far as they are rows low to high of their image."""
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
def _gradient_block(x, dy, gradient, w, line, until, first, last, row, span):
    """Add the sums over rows line to until for blocks first to last of the outputs and `span` rows of the kernel."""
    low, high = 0, w.height
    if span == 1:  # the rows of pixels that do not see padding there
        low = max(0, (w.padding - row + w.stride - 1) // w.stride)
        high = min(w.height, (w.x_height - 1 + w.padding - row) // w.stride + 1)
    places, targets, sums = stack_places(LANES), stack_places(LANES), stack_floats(_ROOM)
    size, count = w.inputs * w.kernel_height * w.kernel_width, w.inputs * span * w.kernel_width
    for tap in range(0, count, TAPS):
        _put_taps(places, targets, w, row, span, tap)
        taps = held_places(places, TAPS)
        for block in range(first, last):
            output = block * ROWS
            left = min(ROWS, w.outputs - output)
            _correlate_block(x, advance(dy, output * w.y_plane), w, line, until, low, high, left, taps, sums)
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


@device
def _channel_sum(dy, window, channel):
    total = wide_zero()
    for tile in range(window.tiles):
        start = (tile * window.outputs + channel) * window.y_plane
        for h in range(window.height):
            total = widened(total, row_sum(advance(dy, start + h * window.y_row), window.width))
    return np.float32(lane_sum(total))


class Conv2dBiasGradient(NamedTuple):
    """The job of `conv2d_bias_gradient`, whose share are output channels."""

    dy: Floats  # zero in padded lanes
    gradient: Floats  # (outputs,)
    window: Window  # of the convolution, or any whose y is dy


@kernel(Conv2dBiasGradient)
def _conv2d_bias_gradient(job, first, last):
    dy, gradient, window = job.dy, job.gradient, job.window
    for channel in range(first, last):
        put(gradient, channel, _channel_sum(dy, window, channel))


@device
def _pooled_channel_sum(y, dy, window, channel, x_is_relu_output):
    total = wide_zero()
    for tile in range(window.tiles):
        start = (tile * window.outputs + channel) * window.y_plane
        for h in range(window.height):
            place, part = start + h * window.y_row, zero()
            for w in range(window.width):
                given = load(dy, place + w * LANES)
                part = part + (passing(load(y, place + w * LANES), given) if x_is_relu_output else given)
            total = widened(total, part)
    return np.float32(lane_sum(total))


class PooledBiasGradient(NamedTuple):
    """The job of `pooled_bias_gradient`: `conv2d_bias_gradient` in front of a maximum pooling, by the gradient of its output.

    Each maximum hands its gradient to one element, so the sums are equal, and here there are fewer numbers to add.
    """

    y: Floats  # the maxima
    dy: Floats  # zero in padded lanes
    gradient: Floats
    x_is_relu_output: bool  # the pooling's input came out of a ReLU: maxima of zero hand on nothing
    window: Window  # any whose y is dy


@kernel(PooledBiasGradient)
def _pooled_bias_gradient(job, first, last):
    y, dy, gradient, x_is_relu_output, window = job.y, job.dy, job.gradient, job.x_is_relu_output, job.window
    for channel in range(first, last):
        put(gradient, channel, _pooled_channel_sum(y, dy, window, channel, x_is_relu_output))


# -- functions of arrays


def conv2d_weight_gradient(
    x: Images, dy: Images, kernel: tuple[int, int], *, stride: int = 1, padding: int = 0, threads: int | None = None
) -> np.ndarray:
    """Compute the gradient of a convolution by its weights, summed over samples and pixels.

    It has shape (outputs, inputs, *kernel). dy is the gradient of what `conv2d` returned, zero in padded lanes; the other
    arguments, and errors, are those of `conv2d`.
    """
    shape = dy.geometry.channels, x.geometry.channels, *kernel
    window, after = convolution_window(shape, x, stride, padding, dy.border)
    gradient = empty(*shape)
    job = Conv2dWeightGradient(x.interior, images_like(dy, x.tiles, after, "dy"), gradient, window)
    run(job, even_shares(conv2d_weight_gradient_shares(window), threads))
    return gradient


def conv2d_bias_gradient(dy: Images, *, threads: int | None = None) -> np.ndarray:
    """Sum the gradient of a convolution's output, zero in padded lanes, over samples and pixels, for each channel."""
    window = elementwise_window(dy, dy.border)
    gradient = empty(window.outputs)
    run(Conv2dBiasGradient(dy.interior, gradient, window), even_shares(window.outputs, threads))
    return gradient
