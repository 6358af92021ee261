"""The inner loops of sparse layers: patches of images in registers, survivors streaming by.

Forward, a patch of one output stays in registers while each of the output's survivors adds weight times the patch of the input that
it is shifted to. Backward, a patch of an input's gradient stays while each survivor loads the gradient of its output once and
serves both products. A first layer's survivor is a dot product of a patch of an output's gradient and the input.

Patches come in the outer loops and lines of survivors in the inner ones: what all lines read for one patch is a strip of a few rows
of the other side, which stays in the second-level cache. What a line touches itself is fetched while the line before it is done, or
streamed past the caches if the result is large and written once.

A patch is a compile-time shape, long for wide images and square for small ones, so that a row of survivors always meets about as
many pixels as there are registers. Where an image is no multiple of its patch, the last patch of a row or column is moved back
until it fits: doing some pixels again is cheaper than a second set of narrow patches.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.vector import patches
from tinyticket.kernels.cpu.vector.jit import variant
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.tiles import store_sums, tile_fill, tile_relu, tile_where_positive


class Grid(NamedTuple):
    """The pixels that a pass visits, distances in floats; x may have gaps between its pixels (a stride), y has none."""

    tiles: int
    height: int
    width: int
    x_tile: int
    x_row: int
    x_step: int
    y_tile: int
    y_row: int


SHAPES = {
    16: (
        *((1, 16, 1), (2, 8, 1), (4, 4, 1), (2, 7, 1), (2, 2, 1)),
        *((2, 8, 2), (4, 4, 2), (2, 2, 2)),
        *((4, 1, 1), (1, 1, 1)),
    ),
    4: ((1, 4, 1), (2, 2, 1), (1, 4, 2), (2, 2, 2), (4, 1, 1), (1, 1, 1)),
    2: ((1, 2, 1), (1, 2, 2), (2, 1, 1), (1, 1, 1)),
}
"""Shapes (rows, columns, step of x in pixels) of patches of at most so many vectors. A single column suits any step."""


@cache
def forward(rows, columns, step):
    """Make y = W x + bias over the patches of a grid, perhaps through a ReLU."""
    shape, dense, size = (rows, columns, step), (rows, columns, 1), rows * columns

    @variant(f"sparse_forward_{rows}_{columns}_{step}")
    def run(grid, lines, values, bias, x, y, y_plane, first, last, relu, streamed):
        for tile in range(grid.tiles):
            for i in range(0, grid.height, rows):
                h = min(i, grid.height - rows)
                for j in range(0, grid.width, columns):
                    w = min(j, grid.width - columns)
                    inputs = advance(x, tile * grid.x_tile + h * grid.x_row + w * grid.x_step)
                    outputs = advance(y, tile * grid.y_tile + h * grid.y_row + w * LANES)
                    for block in range(lines.blocks):
                        for channel in range(first, last):
                            k = channel * lines.step + block * lines.stride
                            place = advance(outputs, channel * y_plane)
                            if not streamed:
                                patches.prefetch_write(advance(place, y_plane), grid.y_row, dense)
                            held = tile_fill(at(bias, channel), size)
                            if block > 0:
                                held = patches.load(place, grid.y_row, dense)
                            for n in range(at(lines.starts, k), at(lines.starts, k + 1)):
                                held = patches.axpy(values, lines.offsets, n, inputs, grid.x_row, shape, held)
                            if relu and block == lines.blocks - 1:
                                held = tile_relu(held)
                            if streamed:
                                patches.stream(place, grid.y_row, dense, held)
                            else:
                                patches.store(place, grid.y_row, dense, held)

    return run


@cache
def backward(rows, columns, step):
    """Make dx = W' dy, added to what dx holds if `add`, and the survivors' gradients, over the patches of a grid."""
    shape, size, copy_row = (rows, columns, step), rows * columns, columns * step * LANES
    copy_size = rows * copy_row

    @variant(f"sparse_backward_{rows}_{columns}_{step}")
    def run(
        grid, lines, phase, phases, values, x, dy, dx, gradient, x_plane, first, last, add, x_is_relu_output, streamed
    ):
        copy, offsets, start = stack_floats(copy_size), lines.offsets, True
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
                            k = (channel * phases + phase) * lines.step + block * lines.stride
                            place = advance(dx, corner + channel * x_plane)
                            inputs, x_row = advance(x, corner + channel * x_plane), grid.x_row
                            patches.prefetch(advance(inputs, x_plane), x_row, shape)
                            if not streamed:
                                patches.prefetch_write(advance(place, x_plane), x_row, shape)
                            if not whole:
                                # What an earlier patch did already counts as zero here.
                                part = patches.load_new(inputs, x_row, shape, i - h, j - w)
                                patches.store(copy, copy_row, shape, part)
                                inputs, x_row = copy, copy_row
                            places, held = (above, grid.y_row, inputs, x_row), tile_fill(np.float32(0), size)
                            if add or block > 0:
                                held = patches.load(place, grid.x_row, shape)
                            n, stop = at(lines.starts, k), at(lines.starts, k + 1)
                            while n + 4 <= stop:
                                held, a, b, c, d = patches.pair_four(values, offsets, n, places, shape, held)
                                store_sums(gradient, n, a, b, c, d, 4, not start)
                                n += 4
                            while n < stop:
                                held, a = patches.pair(values, offsets, n, places, shape, held)
                                store_sums(gradient, n, a, a, a, a, 1, not start)
                                n += 1
                            if x_is_relu_output and block == lines.blocks - 1:
                                held = tile_where_positive(patches.load(inputs, x_row, shape), held)
                            if whole and streamed:
                                patches.stream(place, grid.x_row, shape, held)
                            elif whole:
                                patches.store(place, grid.x_row, shape, held)
                            else:
                                patches.store_new(place, grid.x_row, shape, held, i - h, j - w)
                    start = False

    return run


@cache
def gradient(rows, columns, step):
    """Make the survivors' gradients alone, row by row, over the patches of a grid; pieces of a line follow each other."""
    shape, dense = (rows, columns, step), (rows, columns, 1)

    @variant(f"sparse_gradient_{rows}_{columns}_{step}")
    def run(grid, lines, x, dy, gradient, y_plane, first, last):
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
                        held = patches.load_new(place, grid.y_row, dense, i - h, j - w)
                        k = channel * lines.blocks
                        n, stop = at(lines.starts, k), at(lines.starts, k + lines.blocks)
                        while n + 4 <= stop:
                            a, b, c, d = patches.dot_four(lines.offsets, n, inputs, grid.x_row, shape, held)
                            store_sums(gradient, n, a, b, c, d, 4, not start)
                            n += 4
                        while n < stop:
                            (a,) = patches.dot(lines.offsets, n, inputs, grid.x_row, shape, held)
                            store_sums(gradient, n, a, a, a, a, 1, not start)
                            n += 1
                    start = False

    return run


def by_shape(name: str, size: int, make: Callable[[int, int, int], Any]) -> Any:
    """Compile `make(rows, columns, step)` for every shape; return what calls the one with the least work for a grid."""
    shapes = SHAPES[size]

    @variant(f"choose_patch_{size}")
    def choose(grid):
        best, least = 0, np.int64(2) ** 62
        for number, (rows, columns, step) in enumerate(shapes):
            if rows <= grid.height and columns <= grid.width and (columns == 1 or step * LANES == grid.x_step):
                patches = ((grid.height + rows - 1) // rows) * ((grid.width + columns - 1) // columns)
                cost = patches * (rows * columns + 3)  # some of it whatever a patch's size
                if cost < least:
                    best, least = number, cost
        return best

    made = [make(*shape) for shape in shapes]
    # One function that calls all, because each level of functions is optimised anew.
    a, b, c, d, e, f, g, h, i, j = made + made[-1:] * (10 - len(made))

    @variant(f"{name}_{size}")
    def run(grid, *arguments):
        number = choose(grid)
        if number == 0:
            a(grid, *arguments)
        elif number == 1:
            b(grid, *arguments)
        elif number == 2:
            c(grid, *arguments)
        elif number == 3:
            d(grid, *arguments)
        elif number == 4:
            e(grid, *arguments)
        elif number == 5:
            f(grid, *arguments)
        elif number == 6:
            g(grid, *arguments)
        elif number == 7:
            h(grid, *arguments)
        elif number == 8:
            i(grid, *arguments)
        else:
            j(grid, *arguments)

    return run
