"""A convolution's weights as Winograd's passes read them, transformed, renewed after every update.

Each kernel becomes six by six numbers, and each of these places is a matrix of its own: [place][outputs / ROWS][inputs][ROWS].
The input gradient reads those of the kernel turned by half a circle, inputs and outputs exchanged. What stands beyond the last
channel only reaches products that nobody reads.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.convolution.strips import jitable
from tinyticket.kernels.cpu.convolution.winograd.patches import check_winograd
from tinyticket.kernels.cpu.convolution.winograd.transforms import (
    KERNEL,
    PLACES,
    store_blocks,
    transform_kernels,
)
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, stack_floats
from tinyticket.kernels.cpu.vector.tiles import tile_store
from tinyticket.kernels.cpu.vector.transpose import square_of_lines, transposed
from tinyticket.kernels.geometry import Window

__all__ = ["PackWinograd", "pack_winograd_shares", "winograd_back_size", "winograd_size"]

ROWS = TILES.winograd_rows
_TAPS, _SQUARE = KERNEL * KERNEL, PLACES * LANES
_HELD = LANES * _SQUARE


@jitable
def blocks_of(channels):
    """Count the blocks of channels that share each load of a patch."""
    return (channels + ROWS - 1) // ROWS


def winograd_size(window: Window) -> int:
    """Count the floats of a kernel's weights as `winograd_conv2d` reads them."""
    return PLACES * -(-window.outputs // ROWS) * ROWS * window.inputs


def winograd_back_size(window: Window) -> int:
    """Count the floats of a kernel's weights as `winograd_conv2d_input_gradient` reads them."""
    return winograd_size(window._replace(inputs=window.outputs, outputs=window.inputs))


class PackWinograd(NamedTuple):
    """The job of `pack_winograd`, whose share counts vectors of outputs: `pack_winograd_shares`."""

    weight: Floats  # the master
    packed: Floats  # `winograd_size` floats, [place][outputs / ROWS][inputs][ROWS]
    packed_back: Floats  # `winograd_back_size` floats, the same of the kernel turned, inputs and outputs exchanged
    window: Window


@kernel(PackWinograd)
def _pack_winograd(job, first, last):
    weight, packed, back, w = job.weight, job.packed, job.packed_back, job.window
    forth_apart, back_apart = blocks_of(w.outputs) * ROWS * w.inputs, blocks_of(w.inputs) * ROWS * w.outputs
    held = stack_floats(_HELD)
    for above in range(first * LANES, min(last * LANES, w.outputs), LANES):
        for before in range(0, w.inputs, LANES):
            left = min(LANES, w.inputs - before)
            for i in range(LANES):
                k = min(above + i, w.outputs - 1)
                kernels = advance(weight, (k * w.inputs + before) * _TAPS)
                tile_store(held, i * _SQUARE, transform_kernels(kernels, left, 0))
                place, blocks = (before * w.outputs + k * ROWS), blocks_of(w.inputs) - before // ROWS
                place_of = advance(back, place)
                store_blocks(
                    transform_kernels(kernels, left, 1), place_of, back_apart, w.outputs * ROWS, ROWS, PLACES, blocks
                )
            blocks = blocks_of(w.outputs) - above // ROWS
            for place in range(PLACES):
                square = transposed(square_of_lines(advance(held, place * LANES), _SQUARE, LANES), LANES)
                to = advance(packed, place * forth_apart + above * w.inputs + before * ROWS)
                store_blocks(square, to, ROWS, w.inputs * ROWS, ROWS, left, blocks)


def pack_winograd_shares(window: Window) -> int:
    """Count the smallest shares of `pack_winograd`: a vector of outputs each."""
    return -(-window.outputs // LANES)


def transformed_weights(weight: np.ndarray, window: Window, threads: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Transform a weight of shape (outputs, inputs, 3, 3) for the forward pass and for the input gradient."""
    check_winograd(window)
    packed, back = (empty(size(window)) for size in (winograd_size, winograd_back_size))
    shape = window.outputs, window.inputs, window.kernel_height, window.kernel_width
    run(
        PackWinograd(flat(weight, shape, "weight"), packed, back, window),
        even_shares(pack_winograd_shares(window), threads),
    )
    return packed, back
