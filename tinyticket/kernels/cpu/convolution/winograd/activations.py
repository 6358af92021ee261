"""Winograd's convolution, of kernels of three by three at a stride of one: forward, and the gradient by its input.

A strip of patches of x is transformed, sixteen samples deep, for all channels; each of the places is then a product of
matrices, some channels by some patches in registers; the products are transformed to pixels. What lies between the three steps
stays in the second-level cache. Patches at an edge of odd size overlap their neighbours, and write what is theirs alone.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, flat, images_like, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.convolution.activations import check_gradient_border, convolution_window
from tinyticket.kernels.cpu.convolution.strips import jitable
from tinyticket.kernels.cpu.convolution.winograd.patches import (
    backward_work,
    forward_work,
    part_of,
    patch_count,
    put_patches,
)
from tinyticket.kernels.cpu.convolution.winograd.transforms import (
    KERNEL,
    PATCH,
    PLACES,
    tile_store_rows,
    tile_sum,
    transform_products,
    transform_x,
)
from tinyticket.kernels.cpu.convolution.winograd.weights import ROWS, blocks_of, transformed_weights
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector import patches
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_relu, tile_where_positive
from tinyticket.kernels.cpu.vector.transpose import stack_places
from tinyticket.kernels.geometry import Window

__all__ = ["WinogradConv2d", "WinogradConv2dInputGradient", "winograd_conv2d", "winograd_conv2d_input_gradient"]
__all__ += ["winograd_conv2d_input_gradient_shares", "winograd_conv2d_shares", "winograd_room"]

WIDTH = TILES.winograd_width
_SIZE = ROWS * WIDTH
_PIXELS = PATCH * PATCH
_MOST = LANES // WIDTH * WIDTH  # patches in a strip
_ROOM = 1 << 18  # floats of transformed patches and of their products: a megabyte of the second-level cache


@jitable
def _strip_width(inputs, outputs):
    """Return the number of patches in a strip."""
    each = PLACES * LANES * (inputs + blocks_of(outputs) * ROWS)
    return min(_MOST, max(WIDTH, _ROOM // each // WIDTH * WIDTH))


@jitable
def _apart(channels, together):
    """Return the distance of two places: a line more than they need, lest all of them share one set of the first-level cache."""
    return (channels * together + 1) * LANES


@jitable
def _strips(work):
    """Count the strips of patches of a pass."""
    together = _strip_width(work.channels, work.others)
    return (patch_count(work, PATCH) + together - 1) // together


def winograd_conv2d_shares(window: Window) -> int:
    """Count the smallest shares of `winograd_conv2d`: a strip of patches each."""
    return _strips(forward_work(window))


def winograd_conv2d_input_gradient_shares(window: Window) -> int:
    """Count the smallest shares of `winograd_conv2d_input_gradient`: a strip of patches each."""
    return _strips(backward_work(window))


def winograd_room(window: Window) -> int:
    """Count the floats that a thread needs besides, for either pass."""
    passes = (window.inputs, window.outputs), (window.outputs, window.inputs)
    return max(_room(a, b) for a, b in passes)


@jitable
def _room(inputs, outputs):
    """Count the floats of a strip's transformed patches and of their products."""
    together = _strip_width(inputs, outputs)
    return PLACES * (_apart(inputs, together) + _apart(blocks_of(outputs) * ROWS, together))


@device
def _transform_strip(x, row, plane, channels, together, sources, transformed):
    """Write the transformed patches: [place][WIDTH patches of a strip][channel][patch][lanes]."""
    apart = _apart(channels, together)
    for c in range(channels):
        here = advance(x, c * plane)
        out = advance(transformed, c * WIDTH * LANES)
        for j in range(together):
            start = advance(here, at(sources, j))
            transform_x(start, row, advance(out, (j // WIDTH * channels * WIDTH + j % WIDTH) * LANES), apart)


@device
def _multiply(weights, transformed, channels, others, together, products):
    """Write the products at each place: [place][other channel][patch][lanes]."""
    blocks = blocks_of(others)
    for place in range(PLACES):
        x = advance(transformed, place * _apart(channels, together))
        y = advance(products, place * _apart(blocks * ROWS, together))
        w = advance(weights, place * channels * blocks * ROWS)
        for j in range(0, together, WIDTH):
            before = advance(x, j * channels * LANES)
            for block in range(blocks):
                tile = tile_fill(np.float32(0), _SIZE)
                own = advance(w, block * channels * ROWS)
                for c in range(channels):
                    numbers, patch = advance(own, c * ROWS), advance(before, c * WIDTH * LANES)
                    tile = tile_outer(numbers, 1, ROWS, patch, WIDTH, ROWS, tile)
                tile_store_rows(advance(y, (block * ROWS * together + j) * LANES), together * LANES, ROWS, tile)


@device
def _products(work, weights, source, strip, together, sources, room):
    """Compute the products of a strip; return where they lie."""
    products = advance(room, PLACES * _apart(work.channels, together))
    _transform_strip(source, work.row, work.plane, work.channels, together, sources, room)
    _multiply(weights, room, work.channels, work.others, together, products)
    return products


@device
def _own_room(work, room, parts, first):
    """Return the patches of a strip, the distance of two places among their products, and the part of the room of a share."""
    together = _strip_width(work.channels, work.others)
    own = advance(room, part_of(first, parts, _strips(work)) * _room(work.channels, work.others))
    return together, _apart(blocks_of(work.others) * ROWS, together), own


class WinogradConv2d(NamedTuple):
    """The job of `winograd_conv2d`, whose share counts strips of patches: `winograd_conv2d_shares`."""

    packed: Floats  # weights, as `pack_winograd` writes them
    bias: Floats
    x: Floats
    y: Floats
    room: Floats  # `winograd_room` floats for each of `parts` even shares
    parts: int
    relu: bool
    window: Window


@kernel(WinogradConv2d)
def _winograd_conv2d(job, first, last):
    bias, y, relu, w = job.bias, job.y, job.relu, job.window
    work = forward_work(w)
    together, apart, room = _own_room(work, job.room, job.parts, first)
    sources, targets, rows, columns = stack_places(LANES), stack_places(LANES), stack_places(LANES), stack_places(LANES)
    corner = advance(job.x, -w.padding * (w.x_row + LANES))
    for strip in range(first, last):
        put_patches(work, PATCH, strip, together, sources, targets, rows, columns)
        products = _products(work, job.packed, corner, strip, together, sources, room)
        for k in range(work.others):
            added = tile_fill(at(bias, k), _PIXELS)
            for j in range(together):
                tile = tile_sum(transform_products(advance(products, (k * together + j) * LANES), apart), added)
                if relu:
                    tile = tile_relu(tile)
                pixel = advance(y, k * work.other_plane + at(targets, j))
                patches.store_new(pixel, work.other_row, (PATCH, PATCH, 1), tile, at(rows, j), at(columns, j))


class WinogradConv2dInputGradient(NamedTuple):
    """The job of `winograd_conv2d_input_gradient`, whose share counts strips: `winograd_conv2d_input_gradient_shares`."""

    packed_back: Floats  # weights, as `pack_winograd` writes them
    x: Floats  # read only if it is a ReLU's output
    dy: Floats
    dx: Floats
    room: Floats  # `winograd_room` floats for each of `parts` even shares
    parts: int
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(WinogradConv2dInputGradient)
def _winograd_conv2d_input_gradient(job, first, last):
    x, dx, add, x_is_relu_output, w = job.x, job.dx, job.add, job.x_is_relu_output, job.window
    work = backward_work(w)
    together, apart, room = _own_room(work, job.room, job.parts, first)
    sources, targets, rows, columns = stack_places(LANES), stack_places(LANES), stack_places(LANES), stack_places(LANES)
    corner = advance(job.dy, (w.padding - KERNEL + 1) * (w.y_row + LANES))
    for strip in range(first, last):
        put_patches(work, PATCH, strip, together, sources, targets, rows, columns)
        products = _products(work, job.packed_back, corner, strip, together, sources, room)
        for c in range(work.others):
            for j in range(together):
                tile = transform_products(advance(products, (c * together + j) * LANES), apart)
                place = c * work.other_plane + at(targets, j)
                if add:
                    tile = tile_sum(tile, patches.load(advance(dx, place), work.other_row, (PATCH, PATCH, 1)))
                if x_is_relu_output:
                    held = patches.load(advance(x, place), work.other_row, (PATCH, PATCH, 1))
                    tile = tile_where_positive(held, tile)
                pixel = advance(dx, place)
                patches.store_new(pixel, work.other_row, (PATCH, PATCH, 1), tile, at(rows, j), at(columns, j))


# -- functions of arrays


def winograd_conv2d(
    weight: np.ndarray,
    bias: np.ndarray,
    x: Images,
    *,
    padding: int = 0,
    relu: bool = False,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Compute `conv2d` of a kernel of 3 by 3 at a stride of 1 by Winograd's algorithm, with less than half of its products.

    Its errors are four to eleven times those of `conv2d`, and bounded by `reference.winograd_error_bound`.
    Arguments, result and errors are those of `conv2d`; a kernel or an image that is too small is an InputError.
    """
    window, after = convolution_window(weight.shape, x, 1, padding, border)
    packed, _ = transformed_weights(weight, window, threads)
    y, parts = Images.zeros(x.tiles, after), thread_count(threads)
    room = empty(winograd_room(window) * parts)
    known = packed, flat(bias, (after.channels,), "bias"), x.interior, y.interior, room, parts
    run(WinogradConv2d(*known, relu, window), even_shares(winograd_conv2d_shares(window), parts))
    return y


def winograd_conv2d_input_gradient(
    weight: np.ndarray,
    x: Images,
    dy: Images,
    *,
    padding: int = 0,
    x_is_relu_output: bool = False,
    add_to: Written[Images] | None = None,
    threads: int | None = None,
) -> Images:
    """Compute `conv2d_input_gradient` by Winograd's algorithm; the rest is as there and in `winograd_conv2d`."""
    window, after = convolution_window(weight.shape, x, 1, padding, dy.border)
    _, packed_back = transformed_weights(weight, window, threads)
    check_gradient_border(window, dy.border)
    dx, parts = images_to_write(add_to, x.tiles, x.geometry, "add_to"), thread_count(threads)
    room = empty(winograd_room(window) * parts)
    known = packed_back, x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior, room, parts
    job = WinogradConv2dInputGradient(*known, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(winograd_conv2d_input_gradient_shares(window), parts))
    return dx
