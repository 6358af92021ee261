"""A dense convolution's forward pass and input gradient: one loop over packed weights and images.

A few output channels by a strip of pixels, sixteen samples deep, stay in registers while the taps stream by; each tap
loads its pixels once for all the channels and one weight for each channel. A job is one strip for a group of channels
(for all of them, unless they have a million weights). Strips at the edges are cheaper, but they lie
symmetrically, so that two halves of the jobs cost the same.
"""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.convolution_strips import (
    WIDTH,
    Axis,
    find_strip,
    jitable,
    put_places,
    strip_count,
)
from tinyticket.kernels.cpu.convolution_tiles import (
    held_places,
    tile_convolve,
    tile_gather,
    tile_of_rows,
    tile_scatter,
)
from tinyticket.kernels.cpu.convolution_weights import ROWS, phase_of
from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, pointer
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_relu, tile_where_positive
from tinyticket.kernels.cpu.vector.transpose import stack_starts

_SIZE = ROWS * WIDTH
_DEPTH = 16  # channels whose pixels stay in the first-level cache from one tap to the next
_GROUP = 1 << 20  # floats of weights in a group: they stream by, and pixels are fetched again for each group


@jitable
def _axes(w):
    """Rows and columns of the forward pass."""
    rows = Axis(w.height, w.stride, w.padding, w.kernel_height, w.x_height)
    return rows, Axis(w.width, w.stride, w.padding, w.kernel_width, w.x_width)


@jitable
def _phase_axes(w, phase):
    """Rows and columns of the input gradient in one phase of the stride."""
    a, b = phase // w.stride, phase % w.stride
    _, rows, top = phase_of(a, w.padding, w.stride, w.kernel_height)
    _, columns, left = phase_of(b, w.padding, w.stride, w.kernel_width)
    height, width = (w.x_height - a + w.stride - 1) // w.stride, (w.x_width - b + w.stride - 1) // w.stride
    return Axis(height, 1, -top, rows, w.height), Axis(width, 1, -left, columns, w.width)


@jitable
def _group_count(channels, depth):
    """Count the groups into which blocks of channels are cut."""
    blocks = (channels + ROWS - 1) // ROWS
    most = max(1, _GROUP // (depth * ROWS))
    return (blocks + most - 1) // most


@jitable
def _back_strips(w):
    """Count the strips of the phase that has most."""
    most = 0
    for phase in range(w.stride * w.stride):
        rows, columns = _phase_axes(w, phase)
        most = max(most, strip_count(rows, columns, w.tiles))
    return most


def forward_jobs(window) -> int:
    """Count the jobs of `conv_forward`."""
    depth = window.inputs * window.kernel_height * window.kernel_width
    return _group_count(window.outputs, depth) * strip_count(*_axes(window), window.tiles)


def input_gradient_jobs(window) -> int:
    """Count the jobs of `conv_input_gradient`."""
    depth = window.outputs * window.kernel_height * window.kernel_width
    return _group_count(window.inputs, depth) * _back_strips(window)


@device
def _convolve(weights, corner, row, plane, channels, width, strip, places, tile):
    """Return the tile plus the products of all taps that its strip sees."""
    for start in range(0, channels, _DEPTH):
        end = min(start + _DEPTH, channels)
        for i in range(strip.first_row, strip.last_row):
            for j in range(strip.first_column, strip.last_column):
                pixel = advance(corner, i * row + j * LANES)
                w = advance(weights, (i * width + j) * channels * ROWS)
                for c in range(start, end):
                    tile = tile_convolve(advance(w, c * ROWS), advance(pixel, c * plane), places, tile)
    return tile


@device
def conv_forward(packed, bias, x, y, window, first, last, rectify):
    """y = the convolution of x with packed weights, plus bias, perhaps through a ReLU; arguments are addresses."""
    w = window
    depth = w.inputs * w.kernel_height * w.kernel_width
    rows, columns = _axes(w)
    strips = strip_count(rows, columns, w.tiles)
    blocks, groups = (w.outputs + ROWS - 1) // ROWS, _group_count(w.outputs, depth)
    places = stack_starts()
    corner = advance(x, -w.padding * (w.x_row + LANES))
    for job in range(first, last):
        group, strip = job // strips, find_strip(rows, columns, w.tiles, job % strips)
        put_places(places, strip, w.tiles, w.inputs * w.x_plane, w.stride * w.x_row, w.stride * LANES, False)
        sources = held_places(places, WIDTH)
        put_places(places, strip, w.tiles, w.outputs * w.y_plane, w.y_row, LANES, True)
        targets = held_places(places, WIDTH)
        for block in range(group * blocks // groups, (group + 1) * blocks // groups):
            channel = block * ROWS
            left = min(ROWS, w.outputs - channel)
            tile = tile_of_rows(advance(bias, channel), left, ROWS, WIDTH)
            weights = advance(packed, channel * depth)
            sizes = w.inputs, w.kernel_width
            tile = _convolve(weights, corner, w.x_row, w.x_plane, *sizes, strip, sources, tile)
            if rectify:
                tile = tile_relu(tile)
            tile_scatter(advance(y, channel * w.y_plane), w.y_plane, left, targets, tile)


@device
def _phase_strip(packed_back, x, dy, dx, window, phase, strip, rows, columns, group, groups, add, rectified):
    """Do one strip of one phase of `conv_input_gradient` for a group of channels; packed_back is the phase's in block 0."""
    w = window
    places = stack_starts()
    put_places(places, strip, w.tiles, w.outputs * w.y_plane, w.y_row, LANES, False)
    sources = held_places(places, WIDTH)
    put_places(places, strip, w.tiles, w.inputs * w.x_plane, w.stride * w.x_row, w.stride * LANES, True)
    targets = held_places(places, WIDTH)
    corner = advance(dy, -rows.padding * w.y_row - columns.padding * LANES)
    here = phase // w.stride * w.x_row + phase % w.stride * LANES
    blocks = (w.inputs + ROWS - 1) // ROWS
    for block in range(group * blocks // groups, (group + 1) * blocks // groups):
        channel = block * ROWS
        left = min(ROWS, w.inputs - channel)
        plane = channel * w.x_plane + here
        tile = tile_fill(np.float32(0), _SIZE)
        if add:
            tile = tile_gather(advance(dx, plane), w.x_plane, left, targets, ROWS)
        weights = advance(packed_back, channel * w.outputs * w.kernel_height * w.kernel_width)
        sizes = w.outputs, columns.taps
        tile = _convolve(weights, corner, w.y_row, w.y_plane, *sizes, strip, sources, tile)
        if rectified:
            tile = tile_where_positive(tile_gather(advance(x, plane), w.x_plane, left, targets, ROWS), tile)
        tile_scatter(advance(dx, plane), w.x_plane, left, targets, tile)


@device
def conv_input_gradient(packed_back, x, dy, dx, window, first, last, add, rectified):
    """dx = [dx +] the convolution of dy with the turned kernel, zero where a rectified x is; arguments are addresses."""
    w = window
    groups = _group_count(w.inputs, w.outputs * w.kernel_height * w.kernel_width)
    most = _back_strips(w)
    for job in range(first, last):
        group, share = job // most, job % most
        weights = packed_back
        for phase in range(w.stride * w.stride):
            rows, columns = _phase_axes(w, phase)
            strips = strip_count(rows, columns, w.tiles)
            for number in range(share * strips // most, (share + 1) * strips // most):
                strip = find_strip(rows, columns, w.tiles, number)
                _phase_strip(weights, x, dy, dx, w, phase, strip, rows, columns, group, groups, add, rectified)
            weights = advance(weights, w.outputs * rows.taps * columns.taps * ROWS)


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
