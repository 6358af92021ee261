"""The inner loops of sparse layers: patches in registers, survivors streaming by.

Forward, a patch of one output stays in registers while each of the output's survivors adds weight times the patch of the input
that it is shifted to. Backward, a patch of an input's gradient stays while each survivor that reads the input loads the gradient
of its output once and serves both products. A first layer needs no input gradient: there a patch of an output's gradient stays,
and each survivor is a dot product with the input.

Patches come in the outer loops and lines of survivors in the inner ones: what the survivors of all lines read for one patch is a
strip of a few rows of the other side, which stays in the second-level cache. What a line touches itself is fetched while the line
before it is done, or streamed past the caches if the result is large and written once. These functions make a pass for one shape of
patch and give the same one each time.
"""

from functools import cache

import numpy as np

from tinyticket.kernels.cpu.vector.jit import variant
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.patches import (
    patch_axpy,
    patch_dot,
    patch_dot_four,
    patch_load,
    patch_load_new,
    patch_pair,
    patch_pair_four,
    patch_prefetch,
    patch_prefetch_write,
    patch_store,
    patch_store_new,
    patch_stream,
)
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.tiles import store_sums, tile_fill, tile_relu, tile_where_positive


@cache
def forward(rows, columns, step):
    """Make y = W x + bias over the patches of a grid, perhaps through a ReLU."""
    size = rows * columns

    @variant(f"sparse_forward_{rows}_{columns}_{step}")
    def run(lines, values, bias, x, y, y_plane, grid, first, last, relu, streamed):
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
                            if not streamed:
                                patch_prefetch_write(advance(place, y_plane), grid.y_row, rows, columns, 1)
                            if block == 0:
                                held = tile_fill(at(bias, channel), size)
                            else:
                                held = patch_load(place, grid.y_row, rows, columns, 1)
                            for n in range(at(lines.starts, k), at(lines.starts, k + 1)):
                                held = patch_axpy(
                                    values, lines.offsets, n, inputs, grid.x_row, rows, columns, step, held
                                )
                            if relu and block == lines.blocks - 1:
                                held = tile_relu(held)
                            if streamed:
                                patch_stream(place, grid.y_row, rows, columns, 1, held)
                            else:
                                patch_store(place, grid.y_row, rows, columns, 1, held)

    return run


@cache
def backward(rows, columns, step):
    """Make dx = W' dy, added to what dx holds if `add`, and the survivors' gradients, over the patches of a grid."""
    size = rows * columns
    copy_row = columns * step * LANES
    copy_size = rows * copy_row

    @variant(f"sparse_backward_{rows}_{columns}_{step}")
    def run(
        lines, phase, phases, values, x, dy, dx, gradient, x_plane, grid, first, last, add, x_is_relu_output, streamed
    ):
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
                            patch_prefetch(advance(inputs, x_plane), x_row, rows, columns, step)
                            if not streamed:
                                patch_prefetch_write(advance(place, x_plane), x_row, rows, columns, step)
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
                            if x_is_relu_output and block == lines.blocks - 1:
                                held = tile_where_positive(patch_load(inputs, x_row, rows, columns, step), held)
                            if whole and streamed:
                                patch_stream(place, grid.x_row, rows, columns, step, held)
                            elif whole:
                                patch_store(place, grid.x_row, rows, columns, step, held)
                            else:
                                patch_store_new(place, grid.x_row, rows, columns, step, held, i - h, j - w)
                    start = False

    return run


@cache
def gradient(rows, columns, step):
    """Make the survivors' gradients alone, row by row, over the patches of a grid."""

    @variant(f"sparse_gradient_{rows}_{columns}_{step}")
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
