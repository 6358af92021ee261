"""The gradient of a convolution's weights by Winograd's algorithm, F(3x3, 4x4).

Patches of x and of dy are transformed to six by six places, each of which is a product of matrices, summed over patches and
samples; the sums are transformed to the nine weights. A row of places needs weighted sums of some rows of a patch, which are added
before channels are turned to lie beside each other: threads that take rows of places share no work. The upper three rows of
places read the same rows of pixels, and so do the lower three, so that these are transformed together. A strip's products are
summed in registers and then added to those of the strips before, in the order of the patches whoever owns them: summed one by one,
errors would be four times as large.
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
    FIRST_ROWS_DY,
    FIRST_ROWS_X,
    WEIGHTS_DY,
    WEIGHTS_X,
    transform_columns_dy,
    transform_columns_x,
    transform_sums,
    weighted_channels,
)
from tinyticket.kernels.cpu.convolution.winograd.transforms import (
    KERNEL,
    PATCH,
    PLACES,
    SIDE,
    TAPS,
    tile_load,
    tile_sum,
)
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_store
from tinyticket.kernels.cpu.vector.transpose import put, stack_places
from tinyticket.kernels.geometry import Window

__all__ = ["WinogradConv2dWeightGradient", "WinogradSums", "winograd_conv2d_weight_gradient"]
__all__ += ["winograd_gradient_room", "winograd_sums_shares", "winograd_sums_size"]

HALF = SIDE // 2  # rows of places that are transformed together
ROWS, WIDTH = TILES.winograd_outer_rows, TILES.winograd_outer_width
_SIZE = ROWS * WIDTH
_ROOM = 1 << 18  # floats of a strip's transformed rows: a megabyte of the second-level cache
_SQUARE = LANES * LANES
_FOUR, _TWO_FOURS = PATCH * _SQUARE, 2 * PATCH * _SQUARE
_HELD = HALF * _TWO_FOURS
_NINE = TAPS * LANES


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
    return max(1, min(LANES, _ROOM // (HALF * SIDE * LANES * LANES * (above + groups * WIDTH))))


@jitable
def _apart(w, together):
    """Return the distances of two places in a transformed row of dy and of x."""
    _, above, groups = _groups(w)
    samples = together * LANES
    return (above * samples + 1) * LANES, (groups * samples * WIDTH + 1) * LANES


def winograd_sums_shares(window: Window) -> int:
    """Count the smallest shares of `winograd_sums`: a block of outputs in one of six rows of places each."""
    return SIDE * _groups(window)[0]


def winograd_sums_size(window: Window) -> int:
    """Count the floats of the sums: [place][block of outputs][group of inputs][ROWS][WIDTH vectors]."""
    blocks, _, groups = _groups(window)
    return PLACES * blocks * groups * _SIZE * LANES


def winograd_gradient_room(window: Window) -> int:
    """Count the floats that a thread needs besides for `winograd_sums`."""
    return HALF * SIDE * sum(_apart(window, _together(window)))


class WinogradSums(NamedTuple):
    """The job of `winograd_sums`, whose share counts blocks of outputs, row of places by row of places: `winograd_sums_shares`."""

    x: Floats
    dy: Floats  # zero in padded lanes
    sums: Floats  # `winograd_sums_size` floats
    room: Floats  # `winograd_gradient_room` floats for each of `parts` even shares
    parts: int
    window: Window


@device
def _transform_x(x, begin, end, w, together, sources, out, apart):
    """Write some rows of places of all channels' patches: [row][place][group of vectors][sample of a patch][vector]."""
    squares = stack_floats(_HELD)
    for v in range((w.inputs + LANES - 1) // LANES):
        plane, left = v * LANES * w.x_plane, min(LANES, w.inputs - v * LANES)
        to = advance(out, (v // WIDTH * together * LANES * WIDTH + v % WIDTH) * LANES)
        turn = 0
        for j in range(together):
            corner = advance(x, plane + at(sources, j))
            known = SIDE - PATCH if j > 0 and at(sources, j) == at(sources, j - 1) + PATCH * LANES else 0
            for row in range(begin, end):
                start, step, present = FIRST_ROWS_X[row]
                own, places = advance(squares, (row - begin) * _TWO_FOURS), advance(to, (row - begin) * SIDE * apart)
                for column in range(known, SIDE):
                    pixel = advance(corner, start * w.x_row + column * LANES)
                    square = weighted_channels(pixel, step * w.x_row, present, WEIGHTS_X[row], w.x_plane, left)
                    four = turn if column < PATCH else 1 - turn
                    tile_store(own, (four * PATCH + column % PATCH) * _SQUARE, square)
                first, second = advance(own, turn * _FOUR), advance(own, (1 - turn) * _FOUR)
                for lane in range(LANES):
                    sample = advance(places, (j * LANES + lane) * WIDTH * LANES)
                    transform_columns_x(advance(first, lane * LANES), advance(second, lane * LANES), sample, apart)
            turn = 1 - turn


@device
def _weights_from(weights, row):
    """Return the weights of four rows of pixels, zeros for those before a row, which are another patch's."""
    a, b, c, d = weights
    none = np.float32(0)
    return a if row <= 0 else none, b if row <= 1 else none, c if row <= 2 else none, d if row <= 3 else none


@device
def _transform_dy(dy, begin, end, w, vectors, together, targets, rows, columns, out, apart):
    """Write some rows of places of the patches of some vectors of outputs: [row][place][vector][sample of a patch]."""
    squares = stack_floats(_FOUR)
    for v in range(vectors[0], vectors[1]):
        plane, left = v * LANES * w.y_plane, min(LANES, w.outputs - v * LANES)
        for j in range(together):
            corner = advance(dy, plane + at(targets, j))
            for row in range(begin, end):
                start, present = FIRST_ROWS_DY[row]
                places = advance(out, (row - begin) * SIDE * apart + (v * together + j) * _SQUARE)
                first = advance(corner, start * w.y_row)
                for column in range(PATCH):
                    new = at(rows, j) - start if at(columns, j) <= column else PATCH
                    weights = _weights_from(WEIGHTS_DY[row], new)
                    pixel = advance(first, column * LANES)
                    square = weighted_channels(pixel, w.y_row, present, weights, w.y_plane, left)
                    tile_store(squares, column * _SQUARE, square)
                for lane in range(LANES):
                    transform_columns_dy(advance(squares, lane * LANES), advance(places, lane * LANES), apart)


@device
def _add_products(x, dy, samples, w, block, begins, sums):
    """Add the products of a place, for one block of outputs and all inputs."""
    _, _, groups = _groups(w)
    above = advance(dy, block * ROWS // LANES * samples * LANES + block * ROWS % LANES)
    for group in range(groups):
        place, before = (block * groups + group) * _SIZE * LANES, advance(x, group * samples * WIDTH * LANES)
        tile = tile_fill(np.float32(0), _SIZE)
        for s in range(samples):
            tile = tile_outer(advance(above, s * LANES), 1, ROWS, advance(before, s * WIDTH * LANES), WIDTH, ROWS, tile)
        if not begins:
            tile = tile_sum(tile, tile_load(advance(sums, place), _SIZE))
        tile_store(sums, place, tile)


@kernel(WinogradSums)
def _winograd_sums(job, first, last):
    w, sums = job.window, job.sums
    blocks, _, groups = _groups(w)
    together = _together(w)
    y_apart, x_apart = _apart(w, together)
    above = advance(job.room, part_of(first, job.parts, SIDE * blocks) * HALF * SIDE * (x_apart + y_apart))
    before = advance(above, HALF * SIDE * y_apart)
    sources, targets, rows, columns = stack_places(LANES), stack_places(LANES), stack_places(LANES), stack_places(LANES)
    corner, work = advance(job.x, -w.padding * (w.x_row + LANES)), forward_work(w)
    patches, last_row = patch_count(work, PATCH), (last + blocks - 1) // blocks
    for row in range(first // blocks, last_row, HALF):
        stop, vectors = min(row + HALF, last_row), (0, (w.outputs + LANES - 1) // LANES)
        if stop == row + 1:  # of which blocks of outputs may belong to others
            begin, end = max(first - row * blocks, 0), min(last - row * blocks, blocks)
            vectors = begin * ROWS // LANES, (end * ROWS + LANES - 1) // LANES
        for strip in range((patches + together - 1) // together):
            put_patches(work, PATCH, strip, together, sources, targets, rows, columns)
            _transform_x(corner, row, stop, w, together, sources, before, x_apart)
            _transform_dy(job.dy, row, stop, w, vectors, together, targets, rows, columns, above, y_apart)
            for place in range(row * SIDE, stop * SIDE):
                own, here = advance(sums, place * blocks * groups * _SIZE * LANES), place - row * SIDE
                x, dy = advance(before, here * x_apart), advance(above, here * y_apart)
                begin, end = max(first - place // SIDE * blocks, 0), min(last - place // SIDE * blocks, blocks)
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
                for t in range(TAPS):
                    put(gradient, (k * w.inputs + v * LANES + i) * TAPS + t, at(taps, t * LANES + i))


def winograd_conv2d_weight_gradient(
    x: Images, dy: Images, *, padding: int = 0, threads: int | None = None
) -> np.ndarray:
    """Compute `conv2d_weight_gradient` of a kernel of 3 by 3 at a stride of 1 by Winograd's algorithm.

    Its errors are two to thirteen times those of `conv2d_weight_gradient`, and bounded by
    `reference.winograd_weight_gradient_error_bound`. Arguments, result and errors are as there and in `winograd_conv2d`.
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
