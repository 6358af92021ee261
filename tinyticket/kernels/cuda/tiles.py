"""The products of dense layers, tile by tile through shared memory: the kernels behind `convolution`.

A block computes a tile of the result. Both factors come into shared memory some steps of the sum at a time, and every number is
read from there by all the threads that share a row or a column of the tile. A thread keeps its `rows` by `columns` sums in
registers: 64 multiply-adds for 16 reads of shared memory in the large tile, about what a multiprocessor does of both in the same
time. Sums go from the first step to the last, so their order depends on the shapes alone. Threads fetch neighbours: samples of an
activation, weights of an output.

Which numbers meet is said by a table of taps, made once when a launch is built: for each step of the sum, how many numbers from a
pixel's first tap the other activation lies, and where the weight. So a convolution, its input gradient at any stride and a linear
layer are one kernel, without a multiplication or a division to find what to read in its inner loops.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.rows import finish
from tinyticket.kernels.cuda.toolkit import cuda

FIELDS = 6
"""Numbers that describe a phase: first and last tap, rows, columns, and where its pixels begin in the source and in the result."""

_ZERO, _LOWEST = np.float32(0), np.float32(-np.inf)


class Product(NamedTuple):
    """What is the same in all phases of a layer's pass; distances in pixels."""

    lanes: int
    channels: int  # of the result
    weight_row: int  # weights between those of a channel of the result and of the next
    source_row: int  # from a pixel's first tap to that of the pixel below
    source_column: int  # and to that of its right neighbour
    result_row: int
    result_column: int
    result_plane: int
    by_row: int = 0  # 1 if weights of neighbouring channels of the result lie beside each other
    biased: int = 0  # 1: add a bias to each channel
    relu: int = 0  # 1: negative results become zero
    add: int = 0  # 1: add to what is there
    x_is_relu_output: int = 0  # 1: zero where `held` is not above zero


class Tile(NamedTuple):
    """Kernels that compute so many rows and columns in a block."""

    threads: int
    rows: int
    columns: int
    correlate: Any
    correlate_all: Any


def make_tile(downs: int, acrosses: int, rows: int, columns: int, depth: int) -> Tile:
    """Make the kernels of a tile: of `downs` by `acrosses` threads, each of `rows` by `columns` sums, of which columns are 2 or 8.

    Of a correlation `depth` steps are in shared memory at a time.
    """
    threads = downs * acrosses
    tile_rows, tile_columns = downs * rows, acrosses * columns
    # Turned on the way in, neighbours should not meet in one bank, and what a thread reads should be vectors of four all the same.
    padded_rows, padded_columns = tile_rows + 4, tile_columns + 4
    group = min(columns, 4)
    lines = threads // WARP

    @cuda.jit(device=True)
    def add_pair(left, right, sums, j, down, across, step):
        """Add one step's products to two columns of a thread's sums."""
        for k in range(j, j + 2):
            column = np.uint64(group) * np.uint64(across) + np.uint64(k // group * group * acrosses + k % group)
            value = right[np.uint64(step), column]
            for i in range(rows):
                sums[i, k] += left[np.uint64(step), np.uint64(rows) * np.uint64(down) + np.uint64(i)] * value

    @cuda.jit(device=True)
    def multiply(left, right, sums, down, across, steps):
        """Add products of two tiles in shared memory, [step][row] and [step][column], to a thread's sums."""
        step = 0
        while step < steps:
            # Written out, as below: the compiler does not unroll a loop over all columns, and registers have no index.
            add_pair(left, right, sums, 0, down, across, step)
            if columns == 8:
                add_pair(left, right, sums, 2, down, across, step)
                add_pair(left, right, sums, 4, down, across, step)
                add_pair(left, right, sums, 6, down, across, step)
            step += 1

    @cuda.jit(device=True)
    def write(result, held, sums, j, column, row, phase, phases, floor, p):
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
                    finish(result, spot, value, held, p.add, p.x_is_relu_output)

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
        down, across = thread // acrosses, thread % acrosses

        # What this thread fetches: one pixel and lane at several taps, and weights of several channels or of several taps.
        fetched, first_step = thread % tile_columns, thread // tile_columns
        column = first_column + fetched
        pixel = column // p.lanes
        start = phases[phase + 4] + pixel // width * p.source_row + pixel % width * p.source_column
        place = start * p.lanes + column % p.lanes
        first_channel, first_weight, channel_step, weight_step = thread // depth, thread % depth, threads // depth, 0
        if p.by_row != 0:
            first_channel, first_weight = thread % tile_rows, thread // tile_rows
            channel_step, weight_step = 0, threads // tile_rows
        first_place, place_step = (first_row + first_channel) * p.weight_row, channel_step * p.weight_row

        for done in range(first_tap, last_tap, depth):
            steps = last_tap - done if last_tap - done < depth else depth
            step = first_step
            while step < depth:
                value = _ZERO
                if step < steps and column < count:
                    value = source[np.uint64(place + taps[np.uint64(2 * (done + step))])]
                right[np.uint64(step), np.uint64(fetched)] = value
                step += threads // tile_columns
            channel, step, weight_place = first_channel, first_weight, first_place
            while channel < tile_rows and step < depth:
                value = _ZERO
                if step < steps and first_row + channel < p.channels:
                    value = weight[np.uint64(weight_place + taps[np.uint64(2 * (done + step) + 1)])]
                left[np.uint64(step), np.uint64(channel)] = value
                channel += channel_step
                step += weight_step
                weight_place += place_step
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
        column, row = first_column + group * across, first_row + down * rows
        write(result, held, sums, 0, column, row, phase, phases, floor, p)
        write(result, held, sums, 1, column + 1, row, phase, phases, floor, p)
        if columns == 8:
            write(result, held, sums, 2, column + 2, row, phase, phases, floor, p)
            write(result, held, sums, 3, column + 3, row, phase, phases, floor, p)
            write(result, held, sums, 4, column + 4 * acrosses, row, phase, phases, floor, p)
            write(result, held, sums, 5, column + 1 + 4 * acrosses, row, phase, phases, floor, p)
            write(result, held, sums, 6, column + 2 + 4 * acrosses, row, phase, phases, floor, p)
            write(result, held, sums, 7, column + 3 + 4 * acrosses, row, phase, phases, floor, p)

    @cuda.jit
    def correlate_all(x, dy, partial, taps, g, chunks):
        """Compute partial[part, output, tap] = sum over the part's pixels and lanes of dy[output] * x[tap].

        A part is so many chunks of 32 lanes of a pixel, taken one at a time, the first factor turned on its way into shared memory.
        """
        left = cuda.shared.array((WARP, padded_rows), np.float32)
        right = cuda.shared.array((WARP, padded_columns), np.float32)
        sums = cuda.local.array((rows, columns), np.float32)
        for i in range(rows):
            for j in range(columns):
                sums[i, j] = _ZERO
        first_row, first_column = cuda.blockIdx.y * tile_rows, cuda.blockIdx.x * tile_columns
        thread = cuda.threadIdx.x
        down, across, line, lane = thread // acrosses, thread % acrosses, thread // WARP, thread % WARP
        x_start = g.x_origin - g.padding * (g.x_row + 1)
        warps, y_step, count = g.lanes // WARP, g.y_plane * g.lanes, g.inputs * g.kernel_height * g.kernel_width
        first, last = cuda.blockIdx.z * chunks, g.height * g.width * warps
        if first + chunks < last:
            last = first + chunks
        for chunk in range(first, last):
            pixel, sample = chunk // warps, chunk % warps * WARP + lane
            h, w = pixel // g.width, pixel % g.width
            x_place = (x_start + (h * g.x_row + w) * g.stride) * g.lanes + sample
            y_place = (g.y_origin + h * g.y_row + w) * g.lanes + sample
            row, y_place = line, y_place + (first_row + line) * y_step
            while row < tile_rows:
                value = _ZERO
                if first_row + row < g.outputs:
                    value = dy[np.uint64(y_place)]
                left[np.uint64(lane), np.uint64(row)] = value
                row += lines
                y_place += lines * y_step
            column = line
            while column < tile_columns:
                value = _ZERO
                if first_column + column < count:
                    value = x[np.uint64(x_place + taps[np.uint64(2 * (first_column + column))])]
                right[np.uint64(lane), np.uint64(column)] = value
                column += lines
            cuda.syncthreads()
            if first_row + down * rows < g.outputs:
                multiply(left, right, sums, down, across, WARP)
            cuda.syncthreads()
        for j in range(columns):
            tap = first_column + group * across + j // group * group * acrosses + j % group
            for i in range(rows):
                output = first_row + down * rows + i
                if output < g.outputs and tap < count:
                    partial[np.uint32((cuda.blockIdx.z * g.outputs + output) * count + tap)] = sums[i, j]

    return Tile(threads, tile_rows, tile_columns, correlate, correlate_all)


LARGE, SMALL = make_tile(8, 8, 8, 8, 16), make_tile(8, 16, 4, 2, 32)
"""64 by 64 results in a block, and 32 by 32 for layers that would leave most of a device idle with the large tile."""
