"""A dense convolution's forward pass, and the loop over packed weights and images that it shares with the input gradient.

A few output channels by a strip of pixels, sixteen samples deep, stay in registers while the taps stream by; each tap
loads its pixels once for all the channels and one weight for each channel. The smallest share is one strip for a group
of channels (for all of them, unless they have a million weights). Strips at the edges are cheaper, but they lie
symmetrically, so that two halves of the shares cost the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.convolution.strips import WIDTH, Axis, find_strip, jitable, put_places, strip_count
from tinyticket.kernels.cpu.convolution.tiles import held_places, tile_convolve, tile_of_rows, tile_scatter
from tinyticket.kernels.cpu.convolution.weights import ROWS, packed_weights
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance
from tinyticket.kernels.cpu.vector.tiles import tile_relu
from tinyticket.kernels.cpu.vector.transpose import stack_starts
from tinyticket.kernels.geometry import Image, Window, make_window

_DEPTH = 16  # channels whose pixels stay in the first-level cache from one tap to the next
_GROUP = 1 << 20  # floats of weights in a group: they stream by, and pixels are fetched again for each group


@jitable
def _axes(w):
    """Return rows and columns of the forward pass."""
    rows = Axis(w.height, w.stride, w.padding, w.kernel_height, w.x_height)
    return rows, Axis(w.width, w.stride, w.padding, w.kernel_width, w.x_width)


@jitable
def group_count(channels, depth):
    """Count the groups into which blocks of channels are cut."""
    blocks = (channels + ROWS - 1) // ROWS
    most = max(1, _GROUP // (depth * ROWS))
    return (blocks + most - 1) // most


def conv2d_shares(window: Window) -> int:
    """Count the smallest shares of `conv2d`: a strip for a group of channels each."""
    depth = window.inputs * window.kernel_height * window.kernel_width
    return group_count(window.outputs, depth) * strip_count(*_axes(window), window.tiles)


@device
def convolve(weights, corner, row, plane, channels, width, strip, places, tile):
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
    blocks, groups = (w.outputs + ROWS - 1) // ROWS, group_count(w.outputs, depth)
    places = stack_starts()
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
            sizes = w.inputs, w.kernel_width
            tile = convolve(weights, corner, w.x_row, w.x_plane, *sizes, strip, sources, tile)
            if relu:
                tile = tile_relu(tile)
            tile_scatter(advance(y, channel * w.y_plane), w.y_plane, left, targets, tile)


# -- functions of arrays


def convolution_window(
    weight: Sequence[int], x: Images, stride: int, padding: int, border: int
) -> tuple[Window, Image]:
    """Return the work of a convolution by a weight of such a shape, and the geometry of its output."""
    image = x.geometry
    if len(weight) != 4 or weight[1] != image.channels:
        raise InputError(f"weight has shape {weight}, but (outputs, {image.channels}, rows, columns) was expected")
    if stride < 1 or padding < 0:
        raise InputError(f"a convolution of stride {stride} and padding {padding} does not exist")
    outputs, _, *kernel = weight
    height, width = ((size + 2 * padding - span) // stride + 1 for size, span in zip(image[1:3], kernel, strict=True))
    y = Image(outputs, height, width, border)
    return make_window(x.tiles, image, y, (kernel[0], kernel[1]), stride, padding), y


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
    packed, _ = packed_weights(weight, window, threads)
    y = Images.zeros(x.tiles, after)
    job = Conv2d(packed, flat(bias, (after.channels,), "bias"), x.interior, y.interior, relu, window)
    run(job, even_shares(conv2d_shares(window), threads))
    return y
