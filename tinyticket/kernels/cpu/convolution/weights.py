"""A convolution's weights as its passes read them: some channels' weights beside each other, renewed after every update.

Forward, the innermost loop runs over the inputs, which are many where a kernel's rows and columns are few: packed is
[outputs / ROWS][kernel rows][kernel columns][inputs][ROWS]. The input gradient is a convolution of dy with the kernel turned by
half a circle and inputs and outputs exchanged. At a stride, a pixel of x meets only every stride-th tap, by its phase, its row and
column modulo the stride; each phase is a convolution of its own, and nothing is multiplied with zeros: packed_back is
[inputs / ROWS] of [phase][phase's kernel rows][columns][outputs][ROWS]. Channels beyond the last are zeros.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import TILES
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Window

__all__ = ["PackConv2d", "pack_conv2d_shares", "packed_back_size", "packed_size"]

ROWS = TILES.image_rows


def packed_size(window: Window) -> int:
    """Count the floats of the weights that the forward pass reads."""
    taps = window.inputs * window.kernel_height * window.kernel_width
    return -(-window.outputs // ROWS) * ROWS * taps


def packed_back_size(window: Window) -> int:
    """Count the floats of the weights that the input gradient reads."""
    return packed_size(window._replace(inputs=window.outputs, outputs=window.inputs))


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
def _pack_tap(weights, packed, place, block, channels, others, apart, between):
    """Write one tap's weights of a block of channels, for all others; those of two channels (or others) lie apart (or between)."""
    for other in range(others):
        for i in range(ROWS):
            channel = block * ROWS + i
            source = channel * apart + other * between
            put(packed, place + i, at(weights, source) if channel < channels else 0)
        place += ROWS


@device
def _pack_back(weights, packed_back, w, block):
    """Fill in one block of inputs of the input gradient."""
    area = w.kernel_height * w.kernel_width
    place = block * ROWS * w.outputs * area
    for a in range(w.stride):
        top, rows, _ = phase_of(a, w.padding, w.stride, w.kernel_height)
        for b in range(w.stride):
            left, columns, _ = phase_of(b, w.padding, w.stride, w.kernel_width)
            for m in range(rows * columns):
                row, column = rows - 1 - m // columns, columns - 1 - m % columns
                tap = (top + w.stride * row) * w.kernel_width + left + w.stride * column
                _pack_tap(advance(weights, tap), packed_back, place, block, w.inputs, w.outputs, area, w.inputs * area)
                place += w.outputs * ROWS


class PackConv2d(NamedTuple):
    """The job of `pack_conv2d`, whose share counts blocks of channels: `pack_conv2d_shares`."""

    weight: Floats  # the master
    packed: Floats  # `packed_size` floats, for `conv2d`
    packed_back: Floats  # `packed_back_size` floats, for `conv2d_input_gradient`
    window: Window


@kernel(PackConv2d)
def _pack_conv2d(job, first, last):
    weight, packed, w = job.weight, job.packed, job.window
    area, shares = w.kernel_height * w.kernel_width, (max(w.inputs, w.outputs) + ROWS - 1) // ROWS
    blocks = (w.outputs + ROWS - 1) // ROWS
    for block in range(first * blocks // shares, last * blocks // shares):
        for tap in range(area):
            place = (block * area + tap) * ROWS * w.inputs
            _pack_tap(advance(weight, tap), packed, place, block, w.outputs, w.inputs, w.inputs * area, area)
    blocks = (w.inputs + ROWS - 1) // ROWS
    for block in range(first * blocks // shares, last * blocks // shares):
        _pack_back(weight, job.packed_back, w, block)


def packed_weights(weight: np.ndarray, window: Window, threads: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Bring a weight of shape (outputs, inputs, rows, columns) into the orders of the forward pass and the input gradient."""
    shape = window.outputs, window.inputs, window.kernel_height, window.kernel_width
    packed, packed_back = empty(packed_size(window)), empty(packed_back_size(window))
    job = PackConv2d(flat(weight, shape, "weight"), packed, packed_back, window)
    run(job, even_shares(pack_conv2d_shares(window), threads))
    return packed, packed_back
