"""The three passes of a masked convolution, whose cost is that of its survivors, on images of sixteen lanes.

Forward and a first layer's gradient go through output channels, backward through input channels: threads own channels and never
write to the same place.

With a stride s the pixels of an input channel fall into s * s phases, by row and column modulo s: a survivor meets the pixels of
one phase, so the backward pass takes each phase as an image of its own, whose pixels lie s apart.
"""

from numba import prange

from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.patch_grid import Grid, by_shape, chooser, over_tiles
from tinyticket.kernels.cpu.vector.simd import advance, at, pointer, store_part, zero
from tinyticket.kernels.cpu.sparse_passes import addresses
from tinyticket.kernels.cpu.sparse_patches import backward, forward, gradient
from tinyticket.kernels.cpu.vector.streaming import drain, streams

_choose_forward, _choose_backward = chooser(TILES.patch), chooser(TILES.fused_patch)
_forward_by_shape = by_shape("sparse_conv_forward", TILES.patch, forward)
_backward_by_shape = by_shape("sparse_conv_backward", TILES.fused_patch, backward)
_gradient_by_shape = by_shape("sparse_conv_gradient", TILES.patch, gradient)


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
    streamed = rows.blocks == 1 and streams(y, window.tiles * window.outputs * window.y_plane)
    _forward_by_shape(shape, rows, values, bias, origin, y, window.y_plane, grid, first, last, rectify, streamed)
    drain()


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
                rectified,
                streamed,
            )
    drain()


@device
def _forward_chunk(rows, values, bias, x, y, x_start, y_start, window, rectify, first, last):
    v, b, inputs, outputs = pointer(values, 0), pointer(bias, 0), pointer(x, x_start), pointer(y, y_start)
    sparse_conv_forward(addresses(rows), v, b, inputs, outputs, window, first, last, rectify)


@device
def _backward_chunk(columns, values, x, dy, dx, gradient, x_start, y_start, window, add, rectified, first, last):
    v, g = pointer(values, 0), pointer(gradient, 0)
    before, above, after = pointer(x, x_start), pointer(dy, y_start), pointer(dx, x_start)
    sparse_conv_backward(addresses(columns), v, before, above, after, g, window, first, last, add, rectified)


@device
def _gradient_chunk(rows, x, dy, gradient, x_start, y_start, window, first, last):
    inputs, above, g = pointer(x, x_start), pointer(dy, y_start), pointer(gradient, 0)
    sparse_conv_gradient(addresses(rows), inputs, above, g, window, first, last)


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
