"""Which pixels a register tile of a convolution holds: strips of pixels that see the same taps.

A pixel near the edge looks into the padding, where there are only zeros: a sixth of all products on images of 8 by 8 pixels.
Pixels are therefore taken by rectangles in which all see the same rows and columns of the kernel (the corners, the edges, and the
interior), and only those taps are multiplied. A rectangle's pixels, of all tiles one after the other, are cut into strips of as
many as a register tile holds. These functions run in Python too, where shares are counted.
"""

from typing import Any, NamedTuple

from numba.extending import register_jitable

from tinyticket.kernels.cpu.vector.machine import TILES
from tinyticket.kernels.cpu.vector.transpose import put

jitable: Any = register_jitable
WIDTH = TILES.image_width


class Axis(NamedTuple):
    """Rows, or columns, of a convolution: pixel p sees tap t at place p * step - padding + t of what is read."""

    size: int  # pixels
    step: int
    padding: int
    taps: int
    extent: int  # places there are; beyond them are zeros


class Strip(NamedTuple):
    """Pixels `start` to `start + WIDTH` of a rectangle, and the taps they see."""

    top: int
    height: int
    left: int
    width: int
    first_row: int  # of the kernel
    last_row: int
    first_column: int
    last_column: int
    start: int


@jitable
def _span(axis, first):
    """Return how many pixels from `first` on see the same taps, and which taps those are."""
    place = first * axis.step - axis.padding
    low, high = max(0, -place), min(axis.taps, axis.extent - place)
    end = first + 1
    while end < axis.size:
        place = end * axis.step - axis.padding
        if max(0, -place) != low or min(axis.taps, axis.extent - place) != high:
            break
        end += 1
    return end - first, low, high


@jitable
def find_strip(rows, columns, tiles, number):
    """Return strip `number`; if there are fewer, one whose `start` is how many there are."""
    count, top = 0, 0
    while top < rows.size:
        height, first_row, last_row = _span(rows, top)
        left = 0
        while left < columns.size:
            width, first_column, last_column = _span(columns, left)
            strips = (tiles * height * width + WIDTH - 1) // WIDTH
            if number < count + strips:
                start = (number - count) * WIDTH
                return Strip(top, height, left, width, first_row, last_row, first_column, last_column, start)
            count += strips
            left += width
        top += height
    return Strip(0, 0, 0, 0, 0, 0, 0, 0, count)


@jitable
def strip_count(rows, columns, tiles):
    """Count the strips of a convolution."""
    return find_strip(rows, columns, tiles, 1 << 62).start


@jitable
def put_places(places, strip, tiles, tile_size, row, column, beyond):
    """Write where the pixels of a strip lie; where there are no more, the last is repeated or, if `beyond`, -1 written."""
    pixels = strip.height * strip.width
    last = tiles * pixels - 1
    for j in range(WIDTH):
        p = min(strip.start + j, last)
        tile, h, w = p // pixels, p % pixels // strip.width + strip.top, p % strip.width + strip.left
        place = tile * tile_size + h * row + w * column
        put(places, j, -1 if beyond and strip.start + j > last else place)
