"""A convolution's weights as its passes read them: from beginning to end, some channels' weights beside each other.

Forward, ROWS outputs lie beside each other, and the innermost loop runs over the inputs, which are many where a kernel's
rows and columns are few: packed is [outputs / ROWS][kernel rows][kernel columns][inputs][ROWS]. The input gradient is a
convolution of dy with the kernel turned by half a circle and inputs and outputs exchanged. At a stride, a pixel of x
meets only every stride-th tap, and which ones depends on its phase, its row and column modulo the stride; each phase is a
convolution of its own with a smaller kernel, and nothing is multiplied with zeros that a dilated dy would have:
packed_back is [inputs / ROWS] of [phase][phase's kernel rows][columns][outputs][ROWS]. Channels beyond the last are zeros.

The master stays (outputs, inputs, kernel rows, kernel columns) in C order; this copy is renewed after every update.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import TILES
from tinyticket.kernels.cpu.vector.simd import at
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Window

ROWS = TILES.image_rows


def packed_size(window: Window) -> int:
    """Count the floats of the weights that the forward pass reads."""
    taps = window.inputs * window.kernel_height * window.kernel_width
    return -(-window.outputs // ROWS) * ROWS * taps


def packed_back_size(window: Window) -> int:
    """Count the floats of the weights that the input gradient reads."""
    taps = window.outputs * window.kernel_height * window.kernel_width
    return -(-window.inputs // ROWS) * ROWS * taps


def pack_conv2d_shares(window: Window) -> int:
    """Count the smallest shares of `pack_conv2d`: a block of outputs and one of inputs each."""
    return -(-max(window.inputs, window.outputs) // ROWS)


@register_jitable
def phase_of(phase, padding, stride, kernel):
    """Return, of the pixels whose row (or column) is `phase` modulo the stride: first tap, number of taps, offset of dy.

    Pixel phase + stride * i is the sum over m, from 0 to the number of taps, of dy at i + offset + m.
    """
    tap = (phase + padding) % stride
    count = (kernel - tap + stride - 1) // stride if tap < kernel else 0
    return tap, count, (phase + padding - tap) // stride - count + 1


@device
def _pack_forward(weights, packed, window, block):
    """Fill in one block of outputs of the forward pass."""
    area = window.kernel_height * window.kernel_width
    place = block * ROWS * window.inputs * area
    for tap in range(area):
        for channel in range(window.inputs):
            for i in range(ROWS):
                output = block * ROWS + i
                source = (output * window.inputs + channel) * area + tap
                put(packed, place + i, at(weights, source) if output < window.outputs else 0)
            place += ROWS


@device
def _pack_back(weights, packed_back, window, block):
    """Fill in one block of inputs of the input gradient."""
    height, width, stride = window.kernel_height, window.kernel_width, window.stride
    area = height * width
    place = block * ROWS * window.outputs * area
    for a in range(stride):
        top, rows, _ = phase_of(a, window.padding, stride, height)
        for b in range(stride):
            left, columns, _ = phase_of(b, window.padding, stride, width)
            for m in range(rows * columns):
                row, column = rows - 1 - m // columns, columns - 1 - m % columns
                tap = (top + stride * row) * width + left + stride * column
                for output in range(window.outputs):
                    for i in range(ROWS):
                        channel = block * ROWS + i
                        source = (output * window.inputs + channel) * area + tap
                        put(packed_back, place + i, at(weights, source) if channel < window.inputs else 0)
                    place += ROWS


class PackConv2d(NamedTuple):
    """The job of `pack_conv2d`, whose share counts blocks of channels: `pack_conv2d_shares`."""

    weight: Floats  # the master
    packed: Floats  # `packed_size` floats, for `conv2d`
    packed_back: Floats  # `packed_back_size` floats, for `conv2d_input_gradient`
    window: Window


@kernel(PackConv2d)
def _pack_conv2d(job, first, last):
    weight, window = job.weight, job.window
    shares = (max(window.inputs, window.outputs) + ROWS - 1) // ROWS
    blocks = (window.outputs + ROWS - 1) // ROWS
    for block in range(first * blocks // shares, last * blocks // shares):
        _pack_forward(weight, job.packed, window, block)
    blocks = (window.inputs + ROWS - 1) // ROWS
    for block in range(first * blocks // shares, last * blocks // shares):
        _pack_back(weight, job.packed_back, window, block)


def packed_weights(weight: np.ndarray, window: Window, threads: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Bring a weight of shape (outputs, inputs, rows, columns) into the orders of the forward pass and the input gradient."""
    shape = window.outputs, window.inputs, window.kernel_height, window.kernel_width
    packed, packed_back = empty(packed_size(window)), empty(packed_back_size(window))
    job = PackConv2d(flat(weight, shape, "weight"), packed, packed_back, window)
    run(job, even_shares(pack_conv2d_shares(window), threads))
    return packed, packed_back
