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
    PLACES,
    TAPS,
    gather_kernels,
    store_blocks,
    tile_load,
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
_SQUARE = PLACES * LANES
_HELD, _TAPS = LANES * _SQUARE, LANES * TAPS * LANES


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
    held, taps = stack_floats(_HELD), stack_floats(_TAPS)
    for above in range(first * LANES, min(last * LANES, w.outputs), LANES):
        for before in range(0, w.inputs, LANES):
            rows, columns = min(LANES, w.outputs - above), min(LANES, w.inputs - before)
            for i in range(rows):
                kernels = advance(weight, ((above + i) * w.inputs + before) * TAPS)
                tile_store(taps, i * TAPS * LANES, gather_kernels(kernels, columns))
            for i in range(rows):
                tile_store(held, i * _SQUARE, transform_kernels(tile_load(advance(taps, i * TAPS * LANES), TAPS), 0))
            blocks = blocks_of(w.outputs) - above // ROWS
            for place in range(PLACES):
                square = transposed(square_of_lines(advance(held, place * LANES), _SQUARE, rows), LANES)
                to = advance(packed, place * forth_apart + above * w.inputs + before * ROWS)
                store_blocks(square, to, ROWS, w.inputs * ROWS, ROWS, columns, blocks)
            for i in range(rows):
                tile_store(held, i * _SQUARE, transform_kernels(tile_load(advance(taps, i * TAPS * LANES), TAPS), 1))
            blocks = blocks_of(w.inputs) - before // ROWS
            for place in range(PLACES):
                square = square_of_lines(advance(held, place * LANES), _SQUARE, rows)
                to = advance(back, place * back_apart + before * w.outputs + above * ROWS)
                store_blocks(square, to, ROWS, w.outputs * ROWS, ROWS, rows, blocks)


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
