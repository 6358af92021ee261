"""A plane of a batch whose images are turned or filled: each sample's pixels are looked up one by one, at a place of its own."""

import math

import numpy as np

from tinyticket.kernels.cpu.image_common import row_of
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.transpose import put, stack_places
from tinyticket.kernels.geometry import DRAWN, SINE_OF_ONE

LEVELS = 256
"""Of a pixel that is a byte: as many as its normalised values."""


@device
def find_turns(feed, sines, cosines, edges, sample):
    """Write sines and cosines of sixteen samples' angles, in parts of SINE_OF_ONE, and edges; return whether there are any."""
    found = False
    for i in range(LANES):
        place = DRAWN * min(sample + i, feed.samples - 1)
        sine = at(feed.draws, place + 3) if feed.augmented else 0
        edge = at(feed.draws, place + 4) if feed.augmented else 0
        put(sines, i, sine)
        put(cosines, i, np.int64(math.sqrt(np.float64(SINE_OF_ONE * SINE_OF_ONE - sine * sine))))
        put(edges, i, edge)
        found = found or sine != 0 or edge != 0
    return found


@device
def _normalised(levels, mean, std):
    """Write what each byte becomes: (byte / 255 - mean) / std."""
    for level in range(LEVELS):
        put(levels, level, (np.float32(level) / np.float32(255) - mean) / std)


@device
def turned_plane(
    examples, pixels, as_pixels, mean, std, bases, downs, rights, flips, sines, cosines, edges, count, place, image
):
    """Write a channel of sixteen samples, of which `count` are there, to `place`; arrays of places are of samples.

    A number that comes from outside of an image without `edge` is zero, as are all those of samples that are not there.
    """
    height, width = image.height, image.width
    levels, found = stack_floats(LEVELS), stack_places(LANES)
    if as_pixels:
        _normalised(levels, mean, std)
    for h in range(height):
        y = 2 * h - (height - 1)  # twice the distance from the centre
        line = advance(place, h * row_of(image))
        for w in range(width):
            for i in range(LANES):
                sine, cosine, x = at(sines, i), at(cosines, i), 2 * w - (width - 1)
                x = -x if at(flips, i) != 0 else x
                row = (cosine * y + sine * x + height * SINE_OF_ONE) // (2 * SINE_OF_ONE) + at(downs, i)
                column = (cosine * x - sine * y + width * SINE_OF_ONE) // (2 * SINE_OF_ONE) + at(rights, i)
                if at(edges, i) != 0:
                    row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
                inside = i < count and 0 <= row < height and 0 <= column < width
                put(found, i, at(bases, i) + row * width + column if inside else -1)
            for i in range(LANES):
                source, value = at(found, i), np.float32(0)
                if source >= 0:
                    value = at(levels, at(pixels, source)) if as_pixels else at(examples, source)
                put(line, w * LANES + i, value)
