"""The gradient of a convolution's weights by Winograd's algorithm, F(3x3, 2x2).

Patches of x and of dy are transformed to four by four places, each of which is a product of matrices, summed over patches and
samples; the sums are transformed to the nine weights. A row of places needs two rows of a patch only, weighted and added before
channels are turned to lie beside each other: threads that take rows of places share no work. The sums are added in the order of
the patches, whoever owns them.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, images_like
from tinyticket.kernels.cpu.convolution.activations import convolution_window
from tinyticket.kernels.cpu.convolution.strips import jitable
from tinyticket.kernels.cpu.convolution.winograd.patches import (
    check_winograd,
    forward_work,
    part_of,
    patch_count,
    put_patches,
)
from tinyticket.kernels.cpu.convolution.winograd.sums import (
    PATCH,
    PLACES,
    SIDE,
    tile_load,
    transform_columns_dy,
    transform_columns_x,
    transform_sums,
    weighted_channels,
)
from tinyticket.kernels.cpu.convolution.winograd.transforms import KERNEL
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_store
from tinyticket.kernels.cpu.vector.transpose import put, stack_starts
from tinyticket.kernels.geometry import Window

__all__ = ["WinogradConv2dWeightGradient", "WinogradSums", "winograd_conv2d_weight_gradient"]
__all__ += ["winograd_gradient_room", "winograd_sums_shares", "winograd_sums_size"]

ROWS, WIDTH = TILES.winograd_outer_rows, TILES.winograd_outer_width
_SIZE = ROWS * WIDTH
_ROOM = 1 << 18  # floats of a strip's transformed rows: a megabyte of the second-level cache
_SQUARE = LANES * LANES
_PAIR, _TWO_PAIRS = PATCH * _SQUARE, 2 * PATCH * _SQUARE
_TAPS = KERNEL * KERNEL
_NINE = _TAPS * LANES


@jitable
def _groups(w):
    """Return the numbers of blocks of outputs, of vectors of outputs and of groups of vectors of inputs."""
    return (
        (w.outputs + ROWS - 1) // ROWS,
        (w.outputs + LANES - 1) // LANES,
        (w.inputs + LANES * WIDTH - 1) // (LANES * WIDTH),
    )


@jitable
def _together(w):
    """Return the number of patches in a strip."""
    _, above, groups = _groups(w)
    return max(1, min(LANES, _ROOM // (SIDE * LANES * LANES * (above + groups * WIDTH))))


@jitable
def _apart(w, together):
    """Return the distances of two places in a transformed row of dy and of x."""
    _, above, groups = _groups(w)
    samples = together * LANES
    return (above * samples + 1) * LANES, (groups * samples * WIDTH + 1) * LANES


def winograd_sums_shares(window: Window) -> int:
    """Count the smallest shares of `winograd_sums`: a block of outputs in one of four rows of places each."""
    return SIDE * _groups(window)[0]


def winograd_sums_size(window: Window) -> int:
    """Count the floats of the sums: [place][block of outputs][group of inputs][ROWS][WIDTH vectors]."""
    blocks, _, groups = _groups(window)
    return PLACES * blocks * groups * _SIZE * LANES


def winograd_gradient_room(window: Window) -> int:
    """Count the floats that a thread needs besides for `winograd_sums`."""
    return SIDE * sum(_apart(window, _together(window)))


class WinogradSums(NamedTuple):
    """The job of `winograd_sums`, whose share counts blocks of outputs, row of places by row of places: `winograd_sums_shares`."""

    x: Floats
    dy: Floats  # zero in padded lanes
    sums: Floats  # `winograd_sums_size` floats
    room: Floats  # `winograd_gradient_room` floats for each of `parts` even shares
    parts: int
    window: Window


@device
def _transform_x(x, row, w, together, sources, out, apart):
    """Write a row of places of all channels' patches: [place][group of vectors][sample of a patch][vector]."""
    upper = row
    lower = 2 if row < 2 else 1
    sign = np.float32(1 if row == 1 else -1)
    one, pairs = np.float32(1), stack_floats(_TWO_PAIRS)
    above, below = advance(x, upper * w.x_row), advance(x, lower * w.x_row)
    for v in range((w.inputs + LANES - 1) // LANES):
        plane, left = v * LANES * w.x_plane, min(LANES, w.inputs - v * LANES)
        to = advance(out, (v // WIDTH * together * LANES * WIDTH + v % WIDTH) * LANES)
        turn = 0
        for j in range(together):
            start = plane + at(sources, j)
            begin = PATCH if j > 0 and at(sources, j) == at(sources, j - 1) + PATCH * LANES else 0
            for column in range(begin, SIDE):
                place = start + column * LANES
                square = weighted_channels(advance(above, place), advance(below, place), one, sign, w.x_plane, left)
                pair = turn if column < PATCH else 1 - turn
                tile_store(pairs, (pair * PATCH + column % PATCH) * _SQUARE, square)
            first, second = advance(pairs, turn * PATCH * _SQUARE), advance(pairs, (1 - turn) * PATCH * _SQUARE)
            for lane in range(LANES):
                sample = advance(to, (j * LANES + lane) * WIDTH * LANES)
                transform_columns_x(advance(first, lane * LANES), advance(second, lane * LANES), sample, apart)
            turn = 1 - turn


@device
def _transform_dy(dy, row, w, begin, end, together, targets, rows, columns, out, apart):
    """Write a row of places of the patches of some vectors of outputs: [place][vector][sample of a patch]."""
    upper, lower = np.float32(0.5), np.float32(0.5)
    if row == 0 or row == SIDE - 1:
        upper, lower = np.float32(row == 0), np.float32(row != 0)
    if row == 2:
        lower = -lower
    pair, none = stack_floats(_PAIR), np.float32(0)
    for v in range(begin, end):
        plane, left = v * LANES * w.y_plane, min(LANES, w.outputs - v * LANES)
        for j in range(together):
            first, place = advance(dy, plane + at(targets, j)), (v * together + j) * _SQUARE
            for column in range(PATCH):
                counts = at(columns, j) <= column
                a = upper if counts and at(rows, j) <= 0 else none
                b = lower if counts and at(rows, j) <= 1 else none
                pixel = advance(first, column * LANES)
                square = weighted_channels(pixel, advance(pixel, w.y_row), a, b, w.y_plane, left)
                tile_store(pair, column * _SQUARE, square)
            for lane in range(LANES):
                transform_columns_dy(advance(pair, lane * LANES), advance(out, place + lane * LANES), apart)


@device
def _add_products(x, dy, samples, w, block, begins, sums):
    """Add the products of a place, for one block of outputs and all inputs."""
    _, _, groups = _groups(w)
    above = advance(dy, block * ROWS // LANES * samples * LANES + block * ROWS % LANES)
    for group in range(groups):
        place, before = (block * groups + group) * _SIZE * LANES, advance(x, group * samples * WIDTH * LANES)
        tile = tile_fill(np.float32(0), _SIZE)
        if not begins:
            tile = tile_load(advance(sums, place), _SIZE)
        for s in range(samples):
            tile = tile_outer(advance(above, s * LANES), 1, ROWS, advance(before, s * WIDTH * LANES), WIDTH, ROWS, tile)
        tile_store(sums, place, tile)


@kernel(WinogradSums)
def _winograd_sums(job, first, last):
    w, sums = job.window, job.sums
    blocks, _, groups = _groups(w)
    together = _together(w)
    y_apart, x_apart = _apart(w, together)
    above = advance(job.room, part_of(first, job.parts, SIDE * blocks) * SIDE * (x_apart + y_apart))
    before = advance(above, SIDE * y_apart)
    sources, targets, rows, columns = stack_starts(), stack_starts(), stack_starts(), stack_starts()
    corner, work = advance(job.x, -w.padding * (w.x_row + LANES)), forward_work(w)
    patches = patch_count(work, PATCH)
    for row in range(first // blocks, (last + blocks - 1) // blocks):
        begin, end = max(first - row * blocks, 0), min(last - row * blocks, blocks)
        some = begin * ROWS // LANES, (end * ROWS + LANES - 1) // LANES
        for strip in range((patches + together - 1) // together):
            put_patches(work, PATCH, strip, together, sources, targets, rows, columns)
            _transform_x(corner, row, w, together, sources, before, x_apart)
            _transform_dy(job.dy, row, w, *some, together, targets, rows, columns, above, y_apart)
            for place in range(SIDE):
                own = advance(sums, (row * SIDE + place) * blocks * groups * _SIZE * LANES)
                x, dy = advance(before, place * x_apart), advance(above, place * y_apart)
                for block in range(begin, end):
                    _add_products(x, dy, together * LANES, w, block, strip == 0, own)


class WinogradConv2dWeightGradient(NamedTuple):
    """The job of `winograd_conv2d_weight_gradient`, whose share are outputs."""

    sums: Floats  # as `winograd_sums` leaves them
    gradient: Floats  # (outputs, inputs, 3, 3)
    window: Window


@kernel(WinogradConv2dWeightGradient)
def _winograd_conv2d_weight_gradient(job, first, last):
    sums, gradient, w = job.sums, job.gradient, job.window
    blocks, _, groups = _groups(w)
    apart, taps = blocks * groups * _SIZE * LANES, stack_floats(_NINE)
    for k in range(first, last):
        for v in range((w.inputs + LANES - 1) // LANES):
            place = ((k // ROWS * groups + v // WIDTH) * ROWS + k % ROWS) * WIDTH + v % WIDTH
            transform_sums(advance(sums, place * LANES), apart, taps)
            for i in range(min(LANES, w.inputs - v * LANES)):
                for t in range(_TAPS):
                    put(gradient, (k * w.inputs + v * LANES + i) * _TAPS + t, at(taps, t * LANES + i))


def winograd_conv2d_weight_gradient(
    x: Images, dy: Images, *, padding: int = 0, threads: int | None = None
) -> np.ndarray:
    """Compute `conv2d_weight_gradient` of a kernel of 3 by 3 at a stride of 1 by Winograd's algorithm.

    Arguments, result and errors are as there and in `winograd_conv2d`.
    """
    shape = dy.geometry.channels, x.geometry.channels, KERNEL, KERNEL
    window, after = convolution_window(shape, x, 1, padding, dy.border)
    check_winograd(window)
    parts, sums, gradient = thread_count(threads), empty(winograd_sums_size(window)), empty(*shape)
    room = empty(winograd_gradient_room(window) * parts)
    job = WinogradSums(x.interior, images_like(dy, x.tiles, after, "dy"), sums, room, parts, window)
    run(job, even_shares(winograd_sums_shares(window), parts))
    run(WinogradConv2dWeightGradient(sums, gradient, window), even_shares(window.outputs, threads))
    return gradient
