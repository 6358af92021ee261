"""How sparse passes cut images into patches that registers hold.

A patch is a compile-time shape, long for wide images and square for small ones, so that a row of survivors always meets about as
many pixels as there are registers. Which shape suits an image follows from its sizes alone, never from the pattern. Where an image
is no multiple of its patch, the last patch of a row or column is moved back until it fits: it then does some pixels again, which
is cheaper than a second set of narrow patches.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.vector.jit import device, variant
from tinyticket.kernels.cpu.vector.machine import LANES


class Grid(NamedTuple):
    """The pixels that a pass visits, all int64; distances are in floats.

    One side, x, may have gaps between its pixels (a stride); the other, y, has its pixels beside each other.
    """

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
def chooser(size: int) -> Any:
    """Make the function that chooses the shape for a grid: the least work, some of it for each patch, whatever its size."""
    table = SHAPES[size]

    @variant(f"choose_patch_{size}")
    def choose(grid):
        best, least = 0, np.int64(2) ** 62
        for number, (rows, columns, step) in enumerate(table):
            if rows <= grid.height and columns <= grid.width and (columns == 1 or step * LANES == grid.x_step):
                patches = ((grid.height + rows - 1) // rows) * ((grid.width + columns - 1) // columns)
                cost = patches * (rows * columns + 3)
                if cost < least:
                    best, least = number, cost
        return best

    return choose


def by_shape(name: str, size: int, make: Callable[[int, int, int], Any]) -> Any:
    """Compile `make(rows, columns, step)` for every shape; return one function that takes the shape's number first."""
    made = [make(*shape) for shape in SHAPES[size]]
    # One function that calls all, because each level of functions is optimised anew.
    a, b, c, d, e, f, g, h, i, j = made + made[-1:] * (10 - len(made))

    @variant(f"{name}_{size}")
    def run(number, *arguments):
        if number == 0:
            a(*arguments)
        elif number == 1:
            b(*arguments)
        elif number == 2:
            c(*arguments)
        elif number == 3:
            d(*arguments)
        elif number == 4:
            e(*arguments)
        elif number == 5:
            f(*arguments)
        elif number == 6:
            g(*arguments)
        elif number == 7:
            h(*arguments)
        elif number == 8:
            i(*arguments)
        else:
            j(*arguments)

    return run


@device
def over_tiles(grid):
    """Take the tiles of 1x1 images for the rows of one image, so that a patch holds several."""
    if grid.height == 1 and grid.width == 1:
        return Grid(1, grid.tiles, 1, 0, grid.x_tile, grid.x_step, 0, grid.y_tile)
    return grid
