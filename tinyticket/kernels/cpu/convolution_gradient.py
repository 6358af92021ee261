"""The weight gradient of a dense convolution: products of dy and x lane by lane, summed over pixels, tiles and samples.

A few outputs by a few taps stay in registers while a block of pixels streams by; then the lanes are summed, which costs
about a hundred cycles, and the sums are added to the gradient. Blocks are as small as that allows, so that the block of
x that a tile of taps reads stays in the first-level cache and dy of a group of outputs in the second. The sums of a
block are added in the order of the pixels, whoever owns the outputs.
"""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.convolution_tiles import held_places, stack_places, tile_correlate, tile_sums
from tinyticket.kernels.cpu.jit import device, kernel
from tinyticket.kernels.cpu.machine import LANES, TILES
from tinyticket.kernels.cpu.simd import advance, at, pointer, stack_floats
from tinyticket.kernels.cpu.tiles import tile_fill
from tinyticket.kernels.cpu.transpose import put

ROWS, TAPS = TILES.taps_rows, TILES.taps_width
_SIZE = ROWS * TAPS
_ROOM = -(-_SIZE // LANES) * LANES
_PIXELS = 128
_GROUP = 8


def weight_gradient_jobs(window) -> int:
    """Count the jobs of `conv_weight_gradient`."""
    return -(-window.outputs // ROWS)


@device
def _put_taps(places, window, first):
    """Write where a few taps look, relative to the pixel; the last repeats where there are no more."""
    area = window.kernel_height * window.kernel_width
    for j in range(TAPS):
        tap = min(first + j, window.inputs * area - 1)
        channel, k = tap // area, tap % area
        row, column = k // window.kernel_width, k % window.kernel_width
        put(places, j, channel * window.x_plane + row * window.x_row + column * LANES)


@device
def _correlate_block(x, dy, window, first, last, left, taps, sums):
    """sums = dy x' over rows first to last of the images, counted through the tiles, for one tile of registers."""
    w = window
    tile_rows = tile_fill(np.float32(0), _SIZE)
    tile, h = first // w.height, first % w.height
    for _ in range(first, last):
        above = advance(dy, tile * w.outputs * w.y_plane + h * w.y_row)
        before = advance(x, tile * w.inputs * w.x_plane + h * w.stride * w.x_row)
        for _ in range(w.width):
            tile_rows = tile_correlate(above, w.y_plane, left, before, taps, tile_rows)
            above, before = advance(above, LANES), advance(before, w.stride * LANES)
        h += 1
        if h == w.height:
            tile, h = tile + 1, 0
    tile_sums(sums, tile_rows)


@device
def conv_weight_gradient(x, dy, gradient, window, first, last):
    """gradient = dy x' summed over everything, for blocks first to last of the outputs; arguments are addresses."""
    w = window
    depth = w.inputs * w.kernel_height * w.kernel_width
    lines = w.tiles * w.height
    step = (_PIXELS + w.width - 1) // w.width
    places, sums = stack_places(), stack_floats(_ROOM)
    corner = advance(x, -w.padding * (w.x_row + LANES))
    for line in range(0, lines, step):
        until = min(line + step, lines)
        for group in range(first, last, _GROUP):
            for tap in range(0, depth, TAPS):
                _put_taps(places, window, tap)
                taps = held_places(places, TAPS)
                for block in range(group, min(group + _GROUP, last)):
                    output = block * ROWS
                    left = min(ROWS, w.outputs - output)
                    _correlate_block(corner, advance(dy, output * w.y_plane), w, line, until, left, taps, sums)
                    for i in range(left):
                        for j in range(min(TAPS, depth - tap)):
                            place = (output + i) * depth + tap + j
                            total = at(sums, i * TAPS + j)
                            put(gradient, place, total if line == 0 else at(gradient, place) + total)


@device
def _gradient_chunk(x, dy, gradient, x_origin, y_origin, window, first, last):
    before, above = pointer(x, x_origin), pointer(dy, y_origin)
    conv_weight_gradient(before, above, pointer(gradient, 0), window, first, last)


@kernel
def convolution_gradient(bounds, x, dy, gradient, x_origin, y_origin, window):
    """`conv_weight_gradient` over chunks of jobs."""
    if bounds.size == 2:
        _gradient_chunk(x, dy, gradient, x_origin, y_origin, window, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _gradient_chunk(x, dy, gradient, x_origin, y_origin, window, bounds[chunk], bounds[chunk + 1])
