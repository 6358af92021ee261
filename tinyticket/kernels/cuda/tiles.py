"""The products of dense layers, tile by tile through shared memory: the kernels behind `dense`.

A block of 128 threads computes a tile of the result. Both factors come into shared memory a few steps of the sum at a time, each
number read from there by the 8 or 16 threads that share a row or a column, and a thread keeps its `rows` by `columns` sums in
registers: the large tile does 32 multiply-adds for 12 reads of shared memory, which is what limits it. Sums go from the first to
the last step, so their order depends on the shapes alone. Threads fetch neighbours: samples of an activation, the weights of one
output.

Which numbers meet is said by a table of taps, made once when a launch is built: for each step of the sum, how many pixels from
the first the other activation lies, and where the weight. So a convolution, its input gradient at any stride and a linear layer
are one kernel, without a division in the inner loop.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.toolkit import cuda

THREADS, DOWN, ACROSS = 128, 8, 16
"""Threads of a block, and how many of them lie below and beside each other in a tile."""

FIELDS = 6
"""Numbers that describe a phase: first and last tap, rows, columns, and where its pixels begin in the source and in the result."""

_ZERO, _LOWEST = np.float32(0), np.float32(-np.inf)


class Product(NamedTuple):
    """What is the same in all phases of a layer's pass; distances in pixels."""

    lanes: int
    channels: int  # of the result
    weight_row: int  # weights between those of a channel of the result and of the next
    by_row: int  # 1 if weights of neighbouring channels of the result lie beside each other
    source_row: int  # from a pixel's first tap to that of the pixel below
    source_column: int  # and to that of its right neighbour
    result_row: int
    result_column: int
    result_plane: int
    biased: int  # 1: add a bias to each channel
    relu: int  # 1: negative results become zero
    add: int  # 1: add to what is there
    rectified: int  # 1: zero where `held` is not above zero


class Sum(NamedTuple):
    """A weight gradient: sums over pixels and lanes; distances in pixels."""

    lanes: int
    outputs: int
    taps: int
    height: int
    width: int
    x_start: int  # of the first pixel's first tap
    x_row: int
    x_column: int
    y_start: int
    y_row: int
    y_plane: int
    chunks: int  # of 32 lanes of a pixel, that each part sums


class Tile(NamedTuple):
    """Kernels that compute so many rows and columns in a block."""

    rows: int
    columns: int
    correlate: Any
    correlate_all: Any


def make_tile(rows: int, columns: int, depth: int) -> Tile:
    """Make the kernels in which a thread has rows by columns sums, and `depth` steps are in shared memory at a time."""
    tile_rows, tile_columns = DOWN * rows, ACROSS * columns
    # One more than a power of two: turned on the way in, neighbours do not meet in one bank.
    padded_rows, padded_columns = tile_rows + 1, tile_columns + 1
    weight_passes, pixel_passes = tile_rows * depth // THREADS, tile_columns * depth // THREADS
    lines = THREADS // WARP

    @cuda.jit(device=True)
    def multiply(left, right, sums, down, across, steps):
        """Add products of two tiles in shared memory, [step][row] and [step][column], to a thread's sums."""
        for step in range(steps):
            for j in range(columns):
                value = right[step, across + ACROSS * j]
                for i in range(rows):
                    sums[i, j] += left[step, down * rows + i] * value

    @cuda.jit(device=True)
    def finish(result, held, sums, j, column, row, phase, phases, floor, p):
        """Write a column of a thread's sums down, with whatever is to be done to them."""
        width = phases[phase + 3]
        pixel = column // p.lanes
        start = phases[phase + 5] + pixel // width * p.result_row + pixel % width * p.result_column
        if column < phases[phase + 2] * width * p.lanes:
            for i in range(rows):
                if row + i < p.channels:
                    spot = np.uint32((start + (row + i) * p.result_plane) * p.lanes + column % p.lanes)
                    value = sums[i, j]
                    if value < floor:
                        value = floor
                    if p.add != 0:
                        value += result[spot]
                    if p.rectified != 0 and held[spot] <= _ZERO:
                        value = _ZERO
                    result[spot] = value

    @cuda.jit
    def correlate(source, weight, bias, held, result, taps, phases, p):
        """Compute result[channel, pixel] = sum over taps of weight[channel, tap] * source[pixel + tap], in each lane."""
        left = cuda.shared.array((depth, padded_rows), np.float32)
        right = cuda.shared.array((depth, tile_columns), np.float32)
        sums = cuda.local.array((rows, columns), np.float32)
        phase = cuda.blockIdx.z * FIELDS
        first_tap, last_tap, height, width = phases[phase], phases[phase + 1], phases[phase + 2], phases[phase + 3]
        count = height * width * p.lanes
        first_row, first_column = cuda.blockIdx.y * tile_rows, cuda.blockIdx.x * tile_columns
        if first_column >= count:
            return
        for i in range(rows):
            for j in range(columns):
                sums[i, j] = _ZERO
        thread = cuda.threadIdx.x
        down, across = thread // ACROSS, thread % ACROSS

        fetched = thread % tile_columns
        column = first_column + fetched
        pixel = column // p.lanes
        start = phases[phase + 4] + pixel // width * p.source_row + pixel % width * p.source_column
        place = start * p.lanes + column % p.lanes
        row, tap, row_step, tap_step = thread // depth, thread % depth, THREADS // depth, 0
        if p.by_row != 0:
            row, tap, row_step, tap_step = thread % tile_rows, thread // tile_rows, 0, THREADS // tile_rows

        for done in range(first_tap, last_tap, depth):
            steps = last_tap - done if last_tap - done < depth else depth
            for i in range(pixel_passes):
                step = thread // tile_columns + i * (THREADS // tile_columns)
                value = _ZERO
                if step < steps and column < count:
                    value = source[np.uint32(place + taps[np.uint32(2 * (done + step))] * p.lanes)]
                right[step, fetched] = value
            for i in range(weight_passes):
                channel, step = row + i * row_step, tap + i * tap_step
                value = _ZERO
                if step < steps and first_row + channel < p.channels:
                    at = taps[np.uint32(2 * (done + step) + 1)]
                    value = weight[np.uint32((first_row + channel) * p.weight_row + at)]
                left[step, channel] = value
            cuda.syncthreads()
            if first_row + down * rows < p.channels:
                multiply(left, right, sums, down, across, steps)
            cuda.syncthreads()

        if p.biased != 0:
            for i in range(rows):
                channel = first_row + down * rows + i
                value = bias[np.uint32(channel if channel < p.channels else 0)]
                for j in range(columns):
                    sums[i, j] += value
        floor = _ZERO if p.relu != 0 else _LOWEST
        column, row = first_column + across, first_row + down * rows
        # Written out: the compiler does not unroll a loop over all of it, and registers have no index.
        finish(result, held, sums, 0, column, row, phase, phases, floor, p)
        finish(result, held, sums, 1, column + ACROSS, row, phase, phases, floor, p)
        if columns == 4:
            finish(result, held, sums, 2, column + 2 * ACROSS, row, phase, phases, floor, p)
            finish(result, held, sums, 3, column + 3 * ACROSS, row, phase, phases, floor, p)

    @cuda.jit
    def correlate_all(x, dy, partial, taps, s):
        """Compute partial[part, output, tap] = sum over the part's pixels and lanes of dy[output] * x[tap].

        Reduced over 32 lanes of a pixel at a time, the first factor turned on its way into shared memory.
        """
        left = cuda.shared.array((WARP, padded_rows), np.float32)
        right = cuda.shared.array((WARP, padded_columns), np.float32)
        sums = cuda.local.array((rows, columns), np.float32)
        for i in range(rows):
            for j in range(columns):
                sums[i, j] = _ZERO
        first_row, first_column = cuda.blockIdx.y * tile_rows, cuda.blockIdx.x * tile_columns
        thread = cuda.threadIdx.x
        down, across, line, lane = thread // ACROSS, thread % ACROSS, thread // WARP, thread % WARP
        warps = s.lanes // WARP
        first, last = cuda.blockIdx.z * s.chunks, s.height * s.width * warps
        if first + s.chunks < last:
            last = first + s.chunks
        for chunk in range(first, last):
            pixel, sample = chunk // warps, chunk % warps * WARP + lane
            h, w = pixel // s.width, pixel % s.width
            x_place = (s.x_start + h * s.x_row + w * s.x_column) * s.lanes + sample
            y_place = (s.y_start + h * s.y_row + w) * s.lanes + sample
            for i in range(tile_rows // lines):
                row = line + i * lines
                value = _ZERO
                if first_row + row < s.outputs:
                    value = dy[np.uint32(y_place + (first_row + row) * s.y_plane * s.lanes)]
                left[lane, row] = value
            for i in range(tile_columns // lines):
                column = line + i * lines
                value = _ZERO
                if first_column + column < s.taps:
                    value = x[np.uint32(x_place + taps[np.uint32(2 * (first_column + column))] * s.lanes)]
                right[lane, column] = value
            cuda.syncthreads()
            if first_row + down * rows < s.outputs:
                multiply(left, right, sums, down, across, WARP)
            cuda.syncthreads()
        for j in range(columns):
            tap = first_column + across + ACROSS * j
            for i in range(rows):
                output = first_row + down * rows + i
                if output < s.outputs and tap < s.taps:
                    partial[np.uint32((cuda.blockIdx.z * s.outputs + output) * s.taps + tap)] = sums[i, j]

    return Tile(tile_rows, tile_columns, correlate, correlate_all)


LARGE, SMALL = make_tile(8, 4, 16), make_tile(4, 2, 32)
"""64 by 64 results in a block, and 32 by 32 for layers that would leave most of a device idle with the large tile."""
