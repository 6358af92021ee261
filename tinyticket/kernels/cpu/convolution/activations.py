"""A dense convolution's forward pass and its gradient by its input, the convolution of dy with the turned kernel, phase by phase.

A few channels by a strip of pixels, sixteen samples deep, stay in registers while the taps stream by; each tap loads its pixels
once for all the channels and one weight for each channel. The smallest share is one strip for a group of channels (for all of
them, unless they have a million weights). Strips at the edges are cheaper, but they lie symmetrically, so that two halves of the
shares cost the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat, images_like, images_to_write
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.convolution.strips import WIDTH, Axis, find_strip, jitable, put_places, strip_count
from tinyticket.kernels.cpu.convolution.tiles import held_places, tile_convolve, tile_gather, tile_of_rows, tile_scatter
from tinyticket.kernels.cpu.convolution.weights import ROWS, packed_weights, phase_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_relu, tile_where_positive
from tinyticket.kernels.cpu.vector.transpose import stack_places
from tinyticket.kernels.geometry import Image, Window, gradient_border, make_window

__all__ = ["Conv2d", "Conv2dInputGradient", "conv2d", "conv2d_input_gradient"]
__all__ += ["conv2d_input_gradient_shares", "conv2d_shares"]

_DEPTH = 16  # channels whose pixels stay in the first-level cache from one tap to the next
_GROUP = 1 << 20  # floats of weights in a group: they stream by, and pixels are fetched again for each group
_SIZE = ROWS * WIDTH


@jitable
def _axes(w):
    """Return rows and columns of the forward pass."""
    rows = Axis(w.height, w.stride, w.padding, w.kernel_height, w.x_height)
    return rows, Axis(w.width, w.stride, w.padding, w.kernel_width, w.x_width)


@jitable
def _group_count(w, channels, others):
    """Count the groups into which blocks of channels are cut, each of which has weights for so many others."""
    blocks = (channels + ROWS - 1) // ROWS
    most = max(1, _GROUP // (others * w.kernel_height * w.kernel_width * ROWS))
    return (blocks + most - 1) // most


def conv2d_shares(window: Window) -> int:
    """Count the smallest shares of `conv2d`: a strip for a group of channels each."""
    return _group_count(window, window.outputs, window.inputs) * strip_count(*_axes(window), window.tiles)


@device
def _convolve(weights, corner, row, plane, channels, width, strip, places, tile):
    """Return the tile plus the products of all taps that its strip sees."""
    for start in range(0, channels, _DEPTH):
        end = min(start + _DEPTH, channels)
        for i in range(strip.first_row, strip.last_row):
            for j in range(strip.first_column, strip.last_column):
                pixel = advance(corner, i * row + j * LANES)
                w = advance(weights, (i * width + j) * channels * ROWS)
                for c in range(start, end):
                    tile = tile_convolve(advance(w, c * ROWS), advance(pixel, c * plane), places, tile)
    return tile


class Conv2d(NamedTuple):
    """The job of `conv2d`, whose share counts strips for groups of channels: `conv2d_shares`."""

    packed: Floats  # weights, as `pack_conv2d` writes them
    bias: Floats
    x: Floats  # the interior of tile 0, like all addresses of images
    y: Floats
    relu: bool
    window: Window


@kernel(Conv2d)
def _conv2d(job, first, last):
    packed, bias, x, y, relu, w = job.packed, job.bias, job.x, job.y, job.relu, job.window
    depth = w.inputs * w.kernel_height * w.kernel_width
    rows, columns = _axes(w)
    strips = strip_count(rows, columns, w.tiles)
    blocks, groups = (w.outputs + ROWS - 1) // ROWS, _group_count(w, w.outputs, w.inputs)
    places = stack_places(LANES)
    corner = advance(x, -w.padding * (w.x_row + LANES))
    for number in range(first, last):
        group, strip = number // strips, find_strip(rows, columns, w.tiles, number % strips)
        put_places(places, strip, w.tiles, w.inputs * w.x_plane, w.stride * w.x_row, w.stride * LANES, False)
        sources = held_places(places, WIDTH)
        put_places(places, strip, w.tiles, w.outputs * w.y_plane, w.y_row, LANES, True)
        targets = held_places(places, WIDTH)
        for block in range(group * blocks // groups, (group + 1) * blocks // groups):
            channel = block * ROWS
            left = min(ROWS, w.outputs - channel)
            tile = tile_of_rows(advance(bias, channel), left, ROWS, WIDTH)
            weights = advance(packed, channel * depth)
            tile = _convolve(weights, corner, w.x_row, w.x_plane, w.inputs, w.kernel_width, strip, sources, tile)
            if relu:
                tile = tile_relu(tile)
            tile_scatter(advance(y, channel * w.y_plane), w.y_plane, left, targets, tile)


@jitable
def _phase_axes(w, phase):
    """Return rows and columns of the input gradient in one phase of the stride."""
    a, b = phase // w.stride, phase % w.stride
    _, rows, top = phase_of(a, w.padding, w.stride, w.kernel_height)
    _, columns, left = phase_of(b, w.padding, w.stride, w.kernel_width)
    height, width = (w.x_height - a + w.stride - 1) // w.stride, (w.x_width - b + w.stride - 1) // w.stride
    return Axis(height, 1, -top, rows, w.height), Axis(width, 1, -left, columns, w.width)


@jitable
def _most_strips(w):
    """Count the strips of the phase that has most."""
    most = 0
    for phase in range(w.stride * w.stride):
        rows, columns = _phase_axes(w, phase)
        most = max(most, strip_count(rows, columns, w.tiles))
    return most


def conv2d_input_gradient_shares(window: Window) -> int:
    """Count the smallest shares of `conv2d_input_gradient`: a strip of each phase for a group of channels each."""
    return _group_count(window, window.inputs, window.outputs) * _most_strips(window)


@device
def _phase_strip(packed_back, x, dy, dx, w, phase, strip, rows, columns, group, groups, add, x_is_relu_output):
    """Do one strip of one phase for a group of channels; packed_back is the phase's in block 0."""
    places = stack_places(LANES)
    put_places(places, strip, w.tiles, w.outputs * w.y_plane, w.y_row, LANES, False)
    sources = held_places(places, WIDTH)
    put_places(places, strip, w.tiles, w.inputs * w.x_plane, w.stride * w.x_row, w.stride * LANES, True)
    targets = held_places(places, WIDTH)
    corner = advance(dy, -rows.padding * w.y_row - columns.padding * LANES)
    here = phase // w.stride * w.x_row + phase % w.stride * LANES
    blocks = (w.inputs + ROWS - 1) // ROWS
    for block in range(group * blocks // groups, (group + 1) * blocks // groups):
        channel = block * ROWS
        left = min(ROWS, w.inputs - channel)
        plane = channel * w.x_plane + here
        tile = tile_fill(np.float32(0), _SIZE)
        if add:
            tile = tile_gather(advance(dx, plane), w.x_plane, left, targets, ROWS)
        weights = advance(packed_back, channel * w.outputs * w.kernel_height * w.kernel_width)
        tile = _convolve(weights, corner, w.y_row, w.y_plane, w.outputs, columns.taps, strip, sources, tile)
        if x_is_relu_output:
            tile = tile_where_positive(tile_gather(advance(x, plane), w.x_plane, left, targets, ROWS), tile)
        tile_scatter(advance(dx, plane), w.x_plane, left, targets, tile)


class Conv2dInputGradient(NamedTuple):
    """The job of `conv2d_input_gradient`, whose share counts strips for groups of channels: `conv2d_input_gradient_shares`."""

    packed_back: Floats  # weights, as `pack_conv2d` writes them
    x: Floats  # read only if it is a ReLU's output
    dy: Floats
    dx: Floats
    add: bool  # start from what dx holds
    x_is_relu_output: bool  # leave zero where x is zero
    window: Window


@kernel(Conv2dInputGradient)
def _conv2d_input_gradient(job, first, last):
    x, dy, dx, add, x_is_relu_output, w = job.x, job.dy, job.dx, job.add, job.x_is_relu_output, job.window
    groups, most = _group_count(w, w.inputs, w.outputs), _most_strips(w)
    for place in range(first, last):
        group, share = place // most, place % most
        weights = job.packed_back
        for phase in range(w.stride * w.stride):
            rows, columns = _phase_axes(w, phase)
            strips = strip_count(rows, columns, w.tiles)
            for number in range(share * strips // most, (share + 1) * strips // most):
                strip = find_strip(rows, columns, w.tiles, number)
                where = phase, strip, rows, columns, group, groups
                _phase_strip(weights, x, dy, dx, w, *where, add, x_is_relu_output)
            weights = advance(weights, w.outputs * rows.taps * columns.taps * ROWS)


# -- functions of arrays


def convolution_window(shape: Sequence[int], x: Images, stride: int, padding: int, border: int) -> tuple[Window, Image]:
    """Return the work of a convolution by a weight of such a shape, and the geometry of its output."""
    image = x.geometry
    if len(shape) != 4 or shape[1] != image.channels:
        raise InputError(f"weight has shape {shape}, but (outputs, {image.channels}, rows, columns) was expected")
    if stride < 1 or padding < 0:
        raise InputError(f"a convolution of stride {stride} and padding {padding} does not exist")
    outputs, _, *kernel = shape
    height, width = ((size + 2 * padding - span) // stride + 1 for size, span in zip(image[1:3], kernel, strict=True))
    y = Image(outputs, height, width, border)
    return make_window(x.tiles, image, y, (kernel[0], kernel[1]), stride, padding), y


def check_gradient_border(window: Window, border: int) -> None:
    """Raise an InputError if the border of dy is narrower than the input gradient reads."""
    sizes = (window.x_height, window.kernel_height), (window.x_width, window.kernel_width)
    needed = max(gradient_border(size, kernel, window.stride, window.padding) for size, kernel in sizes)
    if border < needed:
        raise InputError(f"dy needs a border of {needed} zeros for the input gradient, not {border}")


def conv2d(
    weight: np.ndarray,
    bias: np.ndarray,
    x: Images,
    *,
    stride: int = 1,
    padding: int = 0,
    relu: bool = False,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Compute the convolution (as in all of deep learning: the correlation) of images, perhaps through a ReLU.

    Parameters
    ----------
    weight : array of shape (outputs, inputs, rows, columns)
    bias : array of shape (outputs,)
    x : Images
        With a border at least as wide as the padding.
    stride, padding : int
        The same in both directions.
    relu : bool
        Set what is negative to zero.
    border : int
        Zeros to leave around the images of the result.
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    Images, of `outputs` channels

    Raises
    ------
    InputError
        If shapes do not fit each other, or the border of x is narrower than the padding.
    """
    window, after = convolution_window(weight.shape, x, stride, padding, border)
    y = Images.zeros(x.tiles, after)
    packed, _ = packed_weights(weight, window, threads)
    job = Conv2d(packed, flat(bias, (after.channels,), "bias"), x.interior, y.interior, relu, window)
    run(job, even_shares(conv2d_shares(window), threads))
    return y


def conv2d_input_gradient(
    weight: np.ndarray,
    x: Images,
    dy: Images,
    *,
    stride: int = 1,
    padding: int = 0,
    x_is_relu_output: bool = False,
    add_to: Written[Images] | None = None,
    threads: int | None = None,
) -> Images:
    """Compute the gradient of a convolution by its input; the other arguments, and errors, are those of `conv2d`.

    Parameters
    ----------
    dy : Images
        The gradient of what `conv2d` returned; its border must be wide enough (`geometry.gradient_border`).
    x_is_relu_output : bool
        Make the result the gradient by what went into the ReLU that made x.
    add_to : Images like x, optional
        What other consumers of x gave; it is changed and returned.

    Returns
    -------
    Images, like x
    """
    window, after = convolution_window(weight.shape, x, stride, padding, dy.border)
    check_gradient_border(window, dy.border)
    _, packed_back = packed_weights(weight, window, threads)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    images = x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior
    job = Conv2dInputGradient(packed_back, *images, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(conv2d_input_gradient_shares(window), threads))
    return dx
