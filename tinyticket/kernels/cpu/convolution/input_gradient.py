"""A dense convolution's gradient by its input: the convolution of dy with the turned kernel, phase by phase of the stride."""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, images_like, images_to_write
from tinyticket.kernels.cpu.convolution.forward import convolution_window, convolve, group_count
from tinyticket.kernels.cpu.convolution.strips import WIDTH, Axis, find_strip, jitable, put_places, strip_count
from tinyticket.kernels.cpu.convolution.tiles import held_places, tile_gather, tile_scatter
from tinyticket.kernels.cpu.convolution.weights import ROWS, packed_weights, phase_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance
from tinyticket.kernels.cpu.vector.tiles import tile_fill, tile_where_positive
from tinyticket.kernels.cpu.vector.transpose import stack_starts
from tinyticket.kernels.geometry import Window, gradient_border

_SIZE = ROWS * WIDTH


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
    depth = window.outputs * window.kernel_height * window.kernel_width
    return group_count(window.inputs, depth) * _most_strips(window)


@device
def _phase_strip(packed_back, x, dy, dx, window, phase, strip, rows, columns, group, groups, add, x_is_relu_output):
    """Do one strip of one phase for a group of channels; packed_back is the phase's in block 0."""
    w = window
    places = stack_starts()
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
        sizes = w.outputs, columns.taps
        tile = convolve(weights, corner, w.y_row, w.y_plane, *sizes, strip, sources, tile)
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
    groups = group_count(w.inputs, w.outputs * w.kernel_height * w.kernel_width)
    most = _most_strips(w)
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


def conv2d_input_gradient(
    weight: np.ndarray,
    x: Images,
    dy: Images,
    *,
    stride: int = 1,
    padding: int = 0,
    x_is_relu_output: bool = False,
    add_to: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Compute the gradient of a convolution by its input.

    Parameters
    ----------
    weight, x, stride, padding, threads
        As in `conv2d`.
    dy : Images
        The gradient of what `conv2d` returned; its border must be wide enough (`geometry.gradient_border`).
    x_is_relu_output : bool
        Make the result the gradient by what went into the ReLU that made x.
    add_to : Images like x, optional
        What other consumers of x gave; it is changed and returned.

    Returns
    -------
    Images, like x

    Raises
    ------
    InputError
        If shapes do not fit each other, or a border is too narrow.
    """
    window, after = convolution_window(weight.shape, x, stride, padding, dy.border)
    sizes = (window.x_height, window.kernel_height), (window.x_width, window.kernel_width)
    needed = max(gradient_border(size, kernel, stride, padding) for size, kernel in sizes)
    if dy.border < needed:
        raise InputError(f"dy needs a border of {needed} zeros for the input gradient, not {dy.border}")
    _, packed_back = packed_weights(weight, window, threads)
    dx = images_to_write(add_to, x.tiles, x.geometry, "add_to")
    images = x.interior, images_like(dy, x.tiles, after, "dy"), dx.interior
    job = Conv2dInputGradient(packed_back, *images, add_to is not None, x_is_relu_output, window)
    run(job, even_shares(conv2d_input_gradient_shares(window), threads))
    return dx
