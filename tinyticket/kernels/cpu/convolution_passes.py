"""A dense convolution's forward pass and input gradient: one loop over packed weights and images.

A few output channels by a few pixels, sixteen samples deep, stay in registers while the taps stream by; each tap loads its
pixels once for all the channels and one weight for each channel. Pixels of all tiles are counted through, so that a
register tile is full whatever the width of the image. A job is one such strip of pixels for a group of channels; the
group's weights stay in the second-level cache from one job to the next.
"""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.convolution_tiles import (
    held_places,
    stack_places,
    tile_convolve,
    tile_gather,
    tile_of_rows,
    tile_scatter,
)
from tinyticket.kernels.cpu.convolution_weights import ROWS, phase_of
from tinyticket.kernels.cpu.jit import device, kernel
from tinyticket.kernels.cpu.machine import LANES, TILES
from tinyticket.kernels.cpu.simd import advance, pointer
from tinyticket.kernels.cpu.tiles import tile_fill, tile_relu, tile_where_positive
from tinyticket.kernels.cpu.transpose import put

WIDTH = TILES.image_width
_SIZE = ROWS * WIDTH
_GROUP = 1 << 16  # floats of weights in a group: a quarter of a megabyte of the second-level cache


def _strips(pixels: int) -> int:
    return -(-pixels // WIDTH)


def _groups(channels: int, depth: int) -> int:
    """Cut blocks of channels into groups; the same arithmetic as `_group_count`, for Python."""
    blocks = -(-channels // ROWS)
    return -(-blocks // max(1, _GROUP // (depth * ROWS)))


def forward_jobs(window) -> int:
    """Count the jobs of `conv_forward`."""
    depth = window.inputs * window.kernel_height * window.kernel_width
    return _groups(window.outputs, depth) * _strips(window.tiles * window.height * window.width)


def input_gradient_jobs(window) -> int:
    """Count the jobs of `conv_input_gradient`."""
    depth = window.outputs * window.kernel_height * window.kernel_width
    rows, columns = (-(-size // window.stride) for size in (window.x_height, window.x_width))
    return _groups(window.inputs, depth) * _strips(window.tiles * rows * columns)


@device
def _group_count(channels, depth):
    blocks = (channels + ROWS - 1) // ROWS
    most = max(1, _GROUP // (depth * ROWS))
    return (blocks + most - 1) // most


@device
def _put_places(places, pixel, height, width, tiles, tile_size, row, column):
    """Write where a strip of pixels lies, and repeat the last pixel where there are no more."""
    for j in range(WIDTH):
        p = min(pixel + j, tiles * height * width - 1)
        tile, q = p // (height * width), p % (height * width)
        put(places, j, tile * tile_size + q // width * row + q % width * column)


@device
def conv_forward(packed, bias, x, y, window, first, last, rectify):
    """y = the convolution of x with packed weights, plus bias, perhaps through a ReLU; arguments are addresses."""
    w = window
    depth = w.inputs * w.kernel_height * w.kernel_width
    pixels = w.tiles * w.height * w.width
    strips, blocks, groups = (
        (pixels + WIDTH - 1) // WIDTH,
        (w.outputs + ROWS - 1) // ROWS,
        _group_count(w.outputs, depth),
    )
    places, targets = stack_places(), stack_places()
    corner = advance(x, -w.padding * (w.x_row + LANES))
    for job in range(first, last):
        group, pixel = job // strips, job % strips * WIDTH
        _put_places(
            places, pixel, w.height, w.width, w.tiles, w.inputs * w.x_plane, w.stride * w.x_row, w.stride * LANES
        )
        _put_places(targets, pixel, w.height, w.width, w.tiles, w.outputs * w.y_plane, w.y_row, LANES)
        for j in range(pixels - pixel, WIDTH):
            put(targets, j, -1)
        sources, ends = held_places(places, WIDTH), held_places(targets, WIDTH)
        for block in range(group * blocks // groups, (group + 1) * blocks // groups):
            channel = block * ROWS
            left = min(ROWS, w.outputs - channel)
            tile = tile_of_rows(advance(bias, channel), left, ROWS, WIDTH)
            weights = advance(packed, channel * depth)
            for c in range(w.inputs):
                for i in range(w.kernel_height):
                    line = advance(corner, c * w.x_plane + i * w.x_row)
                    for j in range(w.kernel_width):
                        tile = tile_convolve(weights, advance(line, j * LANES), sources, tile)
                        weights = advance(weights, ROWS)
            if rectify:
                tile = tile_relu(tile)
            tile_scatter(advance(y, channel * w.y_plane), w.y_plane, left, ends, tile)


@device
def conv_input_gradient(packed_back, x, dy, dx, window, first, last, add, rectified):
    """dx = [dx +] the convolution of dy with the turned kernel, zero where a rectified x is; arguments are addresses."""
    w = window
    depth = w.outputs * w.kernel_height * w.kernel_width
    most = w.tiles * ((w.x_height + w.stride - 1) // w.stride) * ((w.x_width + w.stride - 1) // w.stride)
    strips, blocks, groups = (most + WIDTH - 1) // WIDTH, (w.inputs + ROWS - 1) // ROWS, _group_count(w.inputs, depth)
    places, targets = stack_places(), stack_places()
    for job in range(first, last):
        group, pixel = job // strips, job % strips * WIDTH
        before = 0
        for phase in range(w.stride * w.stride):
            a, b = phase // w.stride, phase % w.stride
            _, rows, top = phase_of(a, w.padding, w.stride, w.kernel_height)
            _, columns, left_side = phase_of(b, w.padding, w.stride, w.kernel_width)
            start = before
            before += w.outputs * rows * columns * ROWS
            height, width = (w.x_height - a + w.stride - 1) // w.stride, (w.x_width - b + w.stride - 1) // w.stride
            pixels = w.tiles * height * width
            if pixel >= pixels or height < 1 or width < 1:
                continue
            _put_places(places, pixel, height, width, w.tiles, w.outputs * w.y_plane, w.y_row, LANES)
            _put_places(
                targets, pixel, height, width, w.tiles, w.inputs * w.x_plane, w.stride * w.x_row, w.stride * LANES
            )
            for j in range(pixels - pixel, WIDTH):
                put(targets, j, -1)
            sources, ends = held_places(places, WIDTH), held_places(targets, WIDTH)
            corner = advance(dy, top * w.y_row + left_side * LANES)
            here = a * w.x_row + b * LANES
            for block in range(group * blocks // groups, (group + 1) * blocks // groups):
                channel = block * ROWS
                left = min(ROWS, w.inputs - channel)
                plane = channel * w.x_plane + here
                tile = tile_fill(np.float32(0), _SIZE)
                if add:
                    tile = tile_gather(advance(dx, plane), w.x_plane, left, ends, ROWS)
                weights = advance(packed_back, channel * depth + start)
                for c in range(w.outputs):
                    for i in range(rows):
                        line = advance(corner, c * w.y_plane + i * w.y_row)
                        for j in range(columns):
                            tile = tile_convolve(weights, advance(line, j * LANES), sources, tile)
                            weights = advance(weights, ROWS)
                if rectified:
                    tile = tile_where_positive(tile_gather(advance(x, plane), w.x_plane, left, ends, ROWS), tile)
                tile_scatter(advance(dx, plane), w.x_plane, left, ends, tile)


@device
def _forward_chunk(packed, bias, x, y, x_origin, y_origin, window, rectify, first, last):
    weights, shift = pointer(packed, 0), pointer(bias, 0)
    conv_forward(weights, shift, pointer(x, x_origin), pointer(y, y_origin), window, first, last, rectify)


@device
def _input_gradient_chunk(packed_back, x, dy, dx, x_origin, y_origin, window, add, rectified, first, last):
    weights, before, above, after = (
        pointer(packed_back, 0),
        pointer(x, x_origin),
        pointer(dy, y_origin),
        pointer(dx, x_origin),
    )
    conv_input_gradient(weights, before, above, after, window, first, last, add, rectified)


@kernel
def convolution_forward(bounds, packed, bias, x, y, x_origin, y_origin, window, rectify):
    """`conv_forward` over chunks of jobs; images are whole buffers, with where their interior begins."""
    if bounds.size == 2:
        _forward_chunk(packed, bias, x, y, x_origin, y_origin, window, rectify, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _forward_chunk(packed, bias, x, y, x_origin, y_origin, window, rectify, bounds[chunk], bounds[chunk + 1])


@kernel
def convolution_backward(bounds, packed_back, x, dy, dx, x_origin, y_origin, window, add, rectified):
    """`conv_input_gradient` over chunks of jobs."""
    origins = x_origin, y_origin
    if bounds.size == 2:
        _input_gradient_chunk(packed_back, x, dy, dx, *origins, window, add, rectified, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _input_gradient_chunk(packed_back, x, dy, dx, *origins, window, add, rectified, first, last)
