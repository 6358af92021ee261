"""The three passes of a masked convolution, whose cost is that of its survivors, on images of sixteen lanes.

Forward, a patch of pixels of one output channel stays in registers while each of the channel's survivors adds weight times the
patch of the input that it is shifted to. Backward, a patch of an input channel and of its gradient stays while each survivor that
reads the channel loads the gradient of its output once and serves both products; threads own input channels and never write to the
same place. A first layer needs no input gradient: there a patch of an output channel's gradient stays, and each survivor is a dot
product with the input.

With a stride s the pixels of an input channel fall into s * s phases, by row and column modulo s: a survivor meets the pixels of
one phase, so the backward pass takes each phase as an image of its own, whose pixels lie s apart.

Patches come in the outer loops and channels in the inner ones: what the survivors of all channels read for one patch is a strip of
a few rows of the other side, which stays in the second-level cache.
"""

import numpy as np
from numba import prange

from tinyticket.kernels.cpu.jit import device, kernel, variant
from tinyticket.kernels.cpu.machine import LANES, TILES
from tinyticket.kernels.cpu.patches import (
    patch_axpy,
    patch_dot,
    patch_dot_four,
    patch_load,
    patch_load_new,
    patch_pair,
    patch_pair_four,
    patch_store,
    patch_store_new,
)
from tinyticket.kernels.cpu.simd import advance, at, pointer, stack_floats, store_part, zero
from tinyticket.kernels.cpu.sparse_convolution_grid import Grid, by_shape, chooser, over_tiles
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.tiles import store_sums, tile_fill, tile_relu, tile_where_positive


def _forward(rows, columns, step):
    size = rows * columns

    @variant(f"sparse_conv_forward_{rows}_{columns}_{step}")
    def run(lines, values, bias, x, y, y_plane, grid, first, last, rectify):
        for tile in range(grid.tiles):
            for i in range(0, grid.height, rows):
                h = min(i, grid.height - rows)
                for j in range(0, grid.width, columns):
                    w = min(j, grid.width - columns)
                    inputs = advance(x, tile * grid.x_tile + h * grid.x_row + w * grid.x_step)
                    outputs = advance(y, tile * grid.y_tile + h * grid.y_row + w * LANES)
                    for block in range(lines.blocks):
                        for channel in range(first, last):
                            k = channel * lines.blocks + block
                            place = advance(outputs, channel * y_plane)
                            if block == 0:
                                held = tile_fill(at(bias, channel), size)
                            else:
                                held = patch_load(place, grid.y_row, rows, columns, 1)
                            for n in range(at(lines.starts, k), at(lines.starts, k + 1)):
                                held = patch_axpy(
                                    values, lines.offsets, n, inputs, grid.x_row, rows, columns, step, held
                                )
                            if rectify and block == lines.blocks - 1:
                                held = tile_relu(held)
                            patch_store(place, grid.y_row, rows, columns, 1, held)

    return run


def _backward(rows, columns, step):
    size = rows * columns
    copy_row = columns * step * LANES
    copy_size = rows * copy_row

    @variant(f"sparse_conv_backward_{rows}_{columns}_{step}")
    def run(lines, phase, phases, values, x, dy, dx, gradient, x_plane, grid, first, last, add, rectified):
        copy = stack_floats(copy_size)
        start = True
        for tile in range(grid.tiles):
            for i in range(0, grid.height, rows):
                h = min(i, grid.height - rows)
                for j in range(0, grid.width, columns):
                    w = min(j, grid.width - columns)
                    corner = tile * grid.x_tile + h * grid.x_row + w * grid.x_step
                    above = advance(dy, tile * grid.y_tile + h * grid.y_row + w * LANES)
                    whole = h == i and w == j
                    for block in range(lines.blocks):
                        for channel in range(first, last):
                            k = (channel * phases + phase) * lines.blocks + block
                            place = advance(dx, corner + channel * x_plane)
                            inputs, x_row = advance(x, corner + channel * x_plane), grid.x_row
                            if not whole:
                                # What an earlier patch did already counts as zero here.
                                part = patch_load_new(inputs, x_row, rows, columns, step, i - h, j - w)
                                patch_store(copy, copy_row, rows, columns, step, part)
                                inputs, x_row = copy, copy_row
                            held = tile_fill(np.float32(0), size)
                            if add or block > 0:
                                held = patch_load(place, grid.x_row, rows, columns, step)
                            n, stop = at(lines.starts, k), at(lines.starts, k + 1)
                            while n + 4 <= stop:
                                held, a, b, c, d = patch_pair_four(
                                    values,
                                    lines.offsets,
                                    n,
                                    above,
                                    grid.y_row,
                                    inputs,
                                    x_row,
                                    rows,
                                    columns,
                                    step,
                                    held,
                                )
                                store_sums(gradient, n, a, b, c, d, 4, not start)
                                n += 4
                            while n < stop:
                                held, a = patch_pair(
                                    values,
                                    lines.offsets,
                                    n,
                                    above,
                                    grid.y_row,
                                    inputs,
                                    x_row,
                                    rows,
                                    columns,
                                    step,
                                    held,
                                )
                                store_sums(gradient, n, a, a, a, a, 1, not start)
                                n += 1
                            if rectified and block == lines.blocks - 1:
                                held = tile_where_positive(patch_load(inputs, x_row, rows, columns, step), held)
                            if whole:
                                patch_store(place, grid.x_row, rows, columns, step, held)
                            else:
                                patch_store_new(place, grid.x_row, rows, columns, step, held, i - h, j - w)
                    start = False

    return run


def _gradient(rows, columns, step):
    @variant(f"sparse_conv_gradient_{rows}_{columns}_{step}")
    def run(lines, x, dy, gradient, y_plane, grid, first, last):
        start = True
        for tile in range(grid.tiles):
            for i in range(0, grid.height, rows):
                h = min(i, grid.height - rows)
                for j in range(0, grid.width, columns):
                    w = min(j, grid.width - columns)
                    inputs = advance(x, tile * grid.x_tile + h * grid.x_row + w * grid.x_step)
                    above = advance(dy, tile * grid.y_tile + h * grid.y_row + w * LANES)
                    for channel in range(first, last):
                        place = advance(above, channel * y_plane)
                        held = patch_load_new(place, grid.y_row, rows, columns, 1, i - h, j - w)
                        k = channel * lines.blocks
                        n, stop = at(lines.starts, k), at(lines.starts, k + lines.blocks)
                        while n + 4 <= stop:
                            a, b, c, d = patch_dot_four(lines.offsets, n, inputs, grid.x_row, rows, columns, step, held)
                            store_sums(gradient, n, a, b, c, d, 4, not start)
                            n += 4
                        while n < stop:
                            (a,) = patch_dot(lines.offsets, n, inputs, grid.x_row, rows, columns, step, held)
                            store_sums(gradient, n, a, a, a, a, 1, not start)
                            n += 1
                    start = False

    return run


_choose_forward, _choose_backward = chooser(TILES.patch), chooser(TILES.fused_patch)
_forward_by_shape = by_shape("sparse_conv_forward", TILES.patch, _forward)
_backward_by_shape = by_shape("sparse_conv_backward", TILES.fused_patch, _backward)
_gradient_by_shape = by_shape("sparse_conv_gradient", TILES.patch, _gradient)


@device
def _output_grid(window):
    s = window.stride
    x_tile, y_tile = window.inputs * window.x_plane, window.outputs * window.y_plane
    grid = Grid(window.tiles, window.height, window.width, x_tile, s * window.x_row, s * LANES, y_tile, window.y_row)
    return over_tiles(grid)


@device
def sparse_conv_forward(rows, values, bias, x, y, window, first, last, rectify):
    """y[first:last] = W * x + bias of every tile, perhaps through a ReLU; arguments are addresses of interior origins."""
    grid = _output_grid(window)
    origin = advance(x, -window.padding * (window.x_row + LANES))
    shape = _choose_forward(grid)
    _forward_by_shape(shape, rows, values, bias, origin, y, window.y_plane, grid, first, last, rectify)


@device
def sparse_conv_gradient(rows, x, dy, gradient, window, first, last):
    """Gradients of the survivors of output channels first to last, in row order, summed over everything."""
    grid = _output_grid(window)
    origin = advance(x, -window.padding * (window.x_row + LANES))
    _gradient_by_shape(_choose_forward(grid), rows, origin, dy, gradient, window.y_plane, grid, first, last)


@device
def sparse_conv_backward(columns, values, x, dy, dx, gradient, window, first, last, add, rectified):
    """dx[first:last] = W' * dy of every tile, and the gradients of the survivors of these input channels, in column order."""
    s = window.stride
    x_tile, y_tile = window.inputs * window.x_plane, window.outputs * window.y_plane
    # The first row and column of dy that any survivor reads for the first pixels of a phase; offsets count from there.
    up, left = (window.kernel_height - 1 - window.padding) // s, (window.kernel_width - 1 - window.padding) // s
    origin = advance(dy, -up * window.y_row - left * LANES)
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
                rectified,
            )


@device
def _addresses(lines):
    return Lines(pointer(lines.starts, 0), pointer(lines.offsets, 0), lines.blocks)


@device
def _forward_chunk(rows, values, bias, x, y, x_start, y_start, window, rectify, first, last):
    v, b, inputs, outputs = pointer(values, 0), pointer(bias, 0), pointer(x, x_start), pointer(y, y_start)
    sparse_conv_forward(_addresses(rows), v, b, inputs, outputs, window, first, last, rectify)


@device
def _backward_chunk(columns, values, x, dy, dx, gradient, x_start, y_start, window, add, rectified, first, last):
    v, g = pointer(values, 0), pointer(gradient, 0)
    before, above, after = pointer(x, x_start), pointer(dy, y_start), pointer(dx, x_start)
    sparse_conv_backward(_addresses(columns), v, before, above, after, g, window, first, last, add, rectified)


@device
def _gradient_chunk(rows, x, dy, gradient, x_start, y_start, window, first, last):
    inputs, above, g = pointer(x, x_start), pointer(dy, y_start), pointer(gradient, 0)
    sparse_conv_gradient(_addresses(rows), inputs, above, g, window, first, last)


@kernel
def sparse_convolve(bounds, rows, values, bias, x, y, x_start, y_start, window, rectify):
    """`sparse_conv_forward` over chunks of output channels; the starts are where the first pixel's interior begins."""
    if bounds.size == 2:
        _forward_chunk(rows, values, bias, x, y, x_start, y_start, window, rectify, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _forward_chunk(rows, values, bias, x, y, x_start, y_start, window, rectify, first, last)


@kernel
def sparse_convolve_backward(bounds, columns, values, x, dy, dx, gradient, x_start, y_start, window, add, rectified):
    """`sparse_conv_backward` over chunks of input channels."""
    if bounds.size == 2:
        _backward_chunk(
            columns, values, x, dy, dx, gradient, x_start, y_start, window, add, rectified, bounds[0], bounds[1]
        )
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _backward_chunk(columns, values, x, dy, dx, gradient, x_start, y_start, window, add, rectified, first, last)


@kernel
def sparse_convolve_gradient(bounds, rows, x, dy, gradient, x_start, y_start, window):
    """`sparse_conv_gradient` over chunks of output channels."""
    if bounds.size == 2:
        _gradient_chunk(rows, x, dy, gradient, x_start, y_start, window, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            first, last = bounds[chunk], bounds[chunk + 1]
            _gradient_chunk(rows, x, dy, gradient, x_start, y_start, window, first, last)
