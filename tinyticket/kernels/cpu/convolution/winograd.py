"""Winograd's convolution, of kernels of three by three at a stride of one: forward, and the gradient by its input.

A strip of patches of x is transformed, sixteen samples deep, for all channels; each of the sixteen places is then a product of
matrices, some channels by some patches in registers; the products are transformed to pixels. What lies between the three steps
stays in the second-level cache. Patches at an edge of odd size overlap their neighbours, and write what is theirs alone.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat, images_like, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.convolution.activations import check_gradient_border, convolution_window
from tinyticket.kernels.cpu.convolution.strips import jitable
from tinyticket.kernels.cpu.convolution.transforms import (
    KERNEL,
    PATCH,
    PLACES,
    store_blocks,
    tile_store_rows,
    tile_sum,
    transform_kernels,
    transform_products,
    transform_x,
    turned_kernels,
)
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images, empty
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector import patches
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, at, stack_floats
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_outer, tile_relu, tile_store, tile_where_positive
from tinyticket.kernels.cpu.vector.transpose import put, square_of_lines, stack_starts, transposed
from tinyticket.kernels.geometry import Window

__all__ = ["PackWinograd", "WinogradConv2d", "WinogradConv2dInputGradient", "takes_winograd"]
__all__ += ["pack_winograd_shares", "winograd_back_size", "winograd_conv2d", "winograd_conv2d_input_gradient"]
__all__ += ["winograd_conv2d_input_gradient_shares", "winograd_conv2d_shares", "winograd_room", "winograd_size"]

ROWS, WIDTH = TILES.winograd_rows, TILES.winograd_width
_SIZE = ROWS * WIDTH
_PIXELS, _TAPS = PATCH * PATCH, KERNEL * KERNEL
_SQUARE = LANES * LANES
_HELD = LANES * PLACES * LANES
_MOST = LANES // WIDTH * WIDTH  # patches in a strip
_ROOM = 1 << 18  # floats of transformed patches and of their products: a megabyte of the second-level cache


def takes_winograd(window: Window) -> bool:
    """Return whether a convolution can be computed so."""
    kernel = window.kernel_height, window.kernel_width
    sizes = window.height, window.width, window.x_height, window.x_width
    return kernel == (KERNEL, KERNEL) and window.stride == 1 and window.padding < KERNEL and min(sizes) >= PATCH


def check_winograd(window: Window) -> None:
    """Raise an InputError if a convolution cannot be computed so."""
    if not takes_winograd(window):
        what = "a kernel of 3 by 3, a stride of 1, a padding below 3 and images of 2 by 2 pixels at least"
        raise InputError(f"Winograd's convolution needs {what}; got {window}")


@jitable
def _blocks(channels):
    return (channels + ROWS - 1) // ROWS


@jitable
def _strip_width(inputs, outputs):
    """Return how many patches are done together."""
    each = PLACES * LANES * (inputs + _blocks(outputs) * ROWS)
    return min(_MOST, max(WIDTH, _ROOM // each // WIDTH * WIDTH))


@jitable
def _apart(channels, together):
    """Return the distance of two places: a line more than they need, lest all sixteen meet in one set of the first-level cache."""
    return (channels * together + 1) * LANES


@jitable
def _strips(work):
    """Count the strips of patches of a pass."""
    patches = work.tiles * ((work.height + 1) // PATCH) * ((work.width + 1) // PATCH)
    together = _strip_width(work.channels, work.others)
    return (patches + together - 1) // together


def winograd_conv2d_shares(window: Window) -> int:
    """Count the smallest shares of `winograd_conv2d`: a strip of patches each."""
    return _strips(forward_work(window))


def winograd_conv2d_input_gradient_shares(window: Window) -> int:
    """Count the smallest shares of `winograd_conv2d_input_gradient`: a strip of patches each."""
    return _strips(_backward(window))


def winograd_size(window: Window) -> int:
    """Count the floats of a kernel's weights as `winograd_conv2d` reads them."""
    return PLACES * -(-window.outputs // ROWS) * ROWS * window.inputs


def winograd_back_size(window: Window) -> int:
    """Count the floats of a kernel's weights as `winograd_conv2d_input_gradient` reads them."""
    return winograd_size(window._replace(inputs=window.outputs, outputs=window.inputs))


def winograd_room(window: Window) -> int:
    """Count the floats that a thread needs besides, for either pass."""
    passes = (window.inputs, window.outputs), (window.outputs, window.inputs)
    return max(_room(a, b) for a, b in passes)


@jitable
def _room(inputs, outputs):
    """Count the floats of a strip's transformed patches and of their products."""
    together = _strip_width(inputs, outputs)
    return PLACES * (_apart(inputs, together) + _apart(_blocks(outputs) * ROWS, together))


class Work(NamedTuple):
    """A pass: so many images of channels are read, and of other channels written, whose pixels are counted."""

    tiles: int
    height: int  # of what is written
    width: int
    channels: int  # of what is read
    others: int  # of what is written
    row: int  # of what is read
    plane: int
    other_row: int
    other_plane: int


@jitable
def forward_work(w):
    """Return the work of the forward pass."""
    return Work(w.tiles, w.height, w.width, w.inputs, w.outputs, w.x_row, w.x_plane, w.y_row, w.y_plane)


@jitable
def _backward(w):
    """Return the work of the input gradient."""
    return Work(w.tiles, w.x_height, w.x_width, w.outputs, w.inputs, w.y_row, w.y_plane, w.x_row, w.x_plane)


@device
def put_patches(work, strip, together, sources, targets, rows, columns):
    """Write where the patches of a strip lie in both images, and from which row and column on their pixels are theirs alone."""
    across = (work.width + 1) // PATCH
    area = (work.height + 1) // PATCH * across
    source_size, target_size = work.channels * work.plane, work.others * work.other_plane
    for j in range(together):
        p = min(strip * together + j, work.tiles * area - 1)
        tile, h, w = p // area, p % area // across * PATCH, p % across * PATCH
        first_row, first_column = max(0, h + PATCH - work.height), max(0, w + PATCH - work.width)
        h, w = h - first_row, w - first_column
        put(sources, j, tile * source_size + h * work.row + w * LANES)
        put(targets, j, tile * target_size + h * work.other_row + w * LANES)
        put(rows, j, first_row if strip * together + j < work.tiles * area else PATCH)
        put(columns, j, first_column)


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
    blocks = _blocks(others)
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


class PackWinograd(NamedTuple):
    """The job of `pack_winograd`, whose share counts vectors of outputs: `pack_winograd_shares`."""

    weight: Floats  # the master
    packed: Floats  # `winograd_size` floats, [place][outputs / ROWS][inputs][ROWS]
    packed_back: Floats  # `winograd_back_size` floats, the same of the kernel turned, inputs and outputs exchanged
    window: Window


@kernel(PackWinograd)
def _pack_winograd(job, first, last):
    weight, packed, back, w = job.weight, job.packed, job.packed_back, job.window
    forth_apart, back_apart = _blocks(w.outputs) * ROWS * w.inputs, _blocks(w.inputs) * ROWS * w.outputs
    held = stack_floats(_HELD)
    for above in range(first * LANES, min(last * LANES, w.outputs), LANES):
        for before in range(0, w.inputs, LANES):
            left = min(LANES, w.inputs - before)
            for i in range(LANES):
                k = min(above + i, w.outputs - 1)
                tile = transform_kernels(advance(weight, (k * w.inputs + before) * _TAPS), left)
                tile_store(held, i * _SQUARE, tile)
                place, blocks = (before * w.outputs + k * ROWS), _blocks(w.inputs) - before // ROWS
                place_of = advance(back, place)
                store_blocks(turned_kernels(tile), place_of, back_apart, w.outputs * ROWS, ROWS, PLACES, blocks)
            blocks = _blocks(w.outputs) - above // ROWS
            for place in range(PLACES):
                square = transposed(square_of_lines(advance(held, place * LANES), _SQUARE, LANES), LANES)
                to = advance(packed, place * forth_apart + above * w.inputs + before * ROWS)
                store_blocks(square, to, ROWS, w.inputs * ROWS, ROWS, left, blocks)


def pack_winograd_shares(window: Window) -> int:
    """Count the smallest shares of `pack_winograd`: a vector of outputs each."""
    return -(-window.outputs // LANES)


@jitable
def part_of(first, parts, shares):
    """Return which of so many even shares begins at `first`."""
    return ((first + 1) * parts + shares - 1) // shares - 1


@device
def _products(work, weights, source, strip, together, sources, room):
    """Compute the products of a strip; return where they lie."""
    products = advance(room, PLACES * _apart(work.channels, together))
    _transform_strip(source, work.row, work.plane, work.channels, together, sources, room)
    _multiply(weights, room, work.channels, work.others, together, products)
    return products


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
    together = _strip_width(work.channels, work.others)
    room = advance(job.room, part_of(first, job.parts, _strips(work)) * _room(work.channels, work.others))
    apart = _apart(_blocks(work.others) * ROWS, together)
    sources, targets, rows, columns = stack_starts(), stack_starts(), stack_starts(), stack_starts()
    corner = advance(job.x, -w.padding * (w.x_row + LANES))
    for strip in range(first, last):
        put_patches(work, strip, together, sources, targets, rows, columns)
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
    work = _backward(w)
    together = _strip_width(work.channels, work.others)
    room = advance(job.room, part_of(first, job.parts, _strips(work)) * _room(work.channels, work.others))
    apart = _apart(_blocks(work.others) * ROWS, together)
    sources, targets, rows, columns = stack_starts(), stack_starts(), stack_starts(), stack_starts()
    corner = advance(job.dy, (w.padding - KERNEL + 1) * (w.y_row + LANES))
    for strip in range(first, last):
        put_patches(work, strip, together, sources, targets, rows, columns)
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


def _packed(weight: np.ndarray, window: Window, threads: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Bring a weight of shape (outputs, inputs, 3, 3) into the orders of the forward pass and the input gradient."""
    check_winograd(window)
    packed, back = (empty(size(window)) for size in (winograd_size, winograd_back_size))
    shape = window.outputs, window.inputs, window.kernel_height, window.kernel_width
    run(
        PackWinograd(flat(weight, shape, "weight"), packed, back, window),
        even_shares(pack_winograd_shares(window), threads),
    )
    return packed, back


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

    Its sums are others than those of `conv2d`: results differ by some units in the seventh digit of the largest (`reference`).
    Arguments, result and errors are those of `conv2d`; a kernel or an image that is too small is an InputError.
    """
    window, after = convolution_window(weight.shape, x, 1, padding, border)
    packed, _ = _packed(weight, window, threads)
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
    """Compute `conv2d_input_gradient` by Winograd's algorithm; arguments, result and errors are as there and in `winograd_conv2d`."""
    window, after = convolution_window(weight.shape, x, 1, padding, dy.border)
    _, packed_back = _packed(weight, window, threads)
    check_gradient_border(window, dy.border)
    dx, parts = images_to_write(add_to, x.tiles, x.geometry, "add_to"), thread_count(threads)
    room = empty(winograd_room(window) * parts)
    known = packed_back, x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior, room, parts
    job = WinogradConv2dInputGradient(*known, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(winograd_conv2d_input_gradient_shares(window), parts))
    return dx
