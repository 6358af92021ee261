"""Lines of survivors times activations: the kernel behind the forward pass and the input gradient of `sparse`.

A line is a row of the pruned weight, or a column of it; a survivor is a scalar times 32 samples of one pixel. A warp holds the sums
of `lines` lines by `spots` times 32 samples (lanes of one pixel, then of the next) in registers. The block walks through all its
lines 32 survivors at a time: values and offsets come into shared memory, side by side, then each warp multiplies.

What limits it. A survivor costs a warp `spots` loads of 128 bytes and as many multiply-adds. The first-level cache and shared
memory deliver one such load a cycle, the units do four multiply-adds: a quarter of the peak at most. Four values and four offsets
are two more loads of shared memory, so of that quarter 4 / 4.5 are left with four spots, 2 / 2.5 with two, 1 / 1.5 with one; with
an addition and a multiplication for each address, instructions take about as long to be issued.

That pays only if the loads hit the first-level cache, so activations must be used again there. Lines of a block have nearly the
same length (`order`) and are always at the same place of it: chunk by chunk, and within a chunk a warp's lines take turns. So at
any time they read about the same stretch of the source, turn / density pixels of 128 * spots bytes, wider by what random lines
drift apart, and the block fetches it about once: many lines by few samples share most.

Take a matrix of 4096 by 4096 at batch 256: 2^32 multiply-adds are 254 thousand cycles of 132 multiprocessors if dense and at the
peak, which cuBLAS does not quite reach. With 128 lines by 64 samples (`DEEP`) the loads take 127 thousand cycles at 90% sparsity,
62 at 95% and 25 at 98%. In a simulation of a cache of 160 KiB, least recently used first out, 9%, 23% and 49% of them miss it; at
24 bytes a cycle and multiprocessor the second level takes 50, 60 and 53 thousand cycles for these. With 64 lines by 128 samples
(`WIDE`) a third misses at 90%, so that is for denser layers, and for those with no more than 64 lines. These are bounds of a model:
no device has timed them. Layers with few lines and samples get small blocks (`NARROW`), so that there are enough of them; there
latency is what is left.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda.finish import finish
from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.toolkit import cuda, jit_for

_ZERO, _LOWEST = np.float32(0), np.float32(-np.inf)


class Sweep(NamedTuple):
    """Where results lie, and where their lines begin to read.

    With `phases` p, line (channel * p + i) * p + j computes the pixels of a channel whose row and column leave the remainders i
    and j; each phase is an image of its own. Distances are in pixels.
    """

    lanes: int
    turn: int  # survivors of a line, 4, 8, 16 or 32, before it is the turn of a warp's next line
    channels: int  # of the result
    phases: int
    height: int  # of the result
    width: int
    source_row: int  # in the source, from a pixel of a phase to the one below
    source_column: int
    row: int  # of the result
    plane: int
    biased: int
    relu: int
    add: int
    rectified: int


class Tile(NamedTuple):
    """A block's share, and the kernel for it."""

    lines: int
    spots: int  # times 32 samples
    threads: int
    walk: Callable[..., Any]


def make_tile(warps: int, lines: int, spots: int) -> Tile:
    """Compile the kernel for blocks of so many warps, each of which has `lines` lines, 1, 4 or 8, by `spots` times 32 samples."""
    slots = warps * lines
    half = min(lines, 4)

    @cuda.jit(device=True)
    def multiply(source, values, places, sums, line, slot, four, left, reads):
        # From the survivor 4 * four of the chunk on, so many as are left, if any.
        whole = np.int32(left >> 2) if left > 0 else np.int32(0)
        read = cuda.local.array((4, spots), np.float32)
        for step in range(four, np.int32(four + whole)):
            for i in range(
                4
            ):  # places, and values, are read as vectors, and all reads are under way before the first is needed
                place = places[np.uint64(slot), np.uint64(4 * step) + np.uint64(i)]
                for spot in range(spots):
                    read[i, spot] = source[np.uint32(place + reads[spot])]
            for i in range(4):
                value = values[np.uint64(slot), np.uint64(4 * step) + np.uint64(i)]
                for spot in range(spots):
                    sums[line, spot] += value * read[i, spot]
        for i in range(np.int32(4 * (four + whole)), np.int32(4 * four + left)):
            value, place = values[np.uint64(slot), np.uint64(i)], places[np.uint64(slot), np.uint64(i)]
            for spot in range(spots):
                sums[line, spot] += value * source[np.uint32(place + reads[spot])]

    @jit_for(warps * WARP)
    def walk(source, source_origin, values, starts, offsets, order, bias, held, result, result_origin, s):
        """Compute result[line, pixel] = sum over the line's survivors of value * source[pixel + offset], in each lane."""
        held_values = cuda.shared.array((slots, WARP), np.float32)
        held_places = cuda.shared.array((slots, WARP), np.uint32)
        begins = cuda.shared.array(slots, np.int32)
        counts = cuda.shared.array(slots, np.int32)
        sums = cuda.local.array((lines, spots), np.float32)
        reads = cuda.local.array(spots, np.uint32)
        phase = cuda.blockIdx.z
        down, across = phase // s.phases, phase % s.phases
        height, width = (s.height - down + s.phases - 1) // s.phases, (s.width - across + s.phases - 1) // s.phases
        pixels, first_unit = height * width, cuda.blockIdx.x * spots
        units = pixels * (s.lanes // WARP)  # 32 samples of a pixel each, pixels of the same samples beside each other
        if first_unit >= units:
            return
        thread = cuda.threadIdx.x
        lane, first_slot = thread % WARP, thread // WARP * lines
        first_line = cuda.blockIdx.y * slots
        for line in range(lines):
            for spot in range(spots):
                sums[line, spot] = _ZERO
        for spot in range(spots):
            unit = first_unit + spot if first_unit + spot < units else first_unit
            pixel = unit % pixels
            start = source_origin + pixel // width * s.source_row + pixel % width * s.source_column
            reads[spot] = np.uint32(start * s.lanes + unit // pixels * WARP + lane)
        for slot in range(thread, slots, warps * WARP):
            begin, count = 0, 0
            if first_line + slot < s.channels:
                line = order[np.uint32(phase * s.channels + first_line + slot)]
                begin = starts[np.uint32(line)]
                count = starts[np.uint32(line + 1)] - begin
            begins[slot] = begin
            counts[slot] = count
        cuda.syncthreads()

        for done in range(0, counts[0], WARP):  # the first line is the longest
            for line in range(lines):
                slot = first_slot + line
                if done + lane < counts[slot]:
                    k = np.uint32(begins[slot] + done + lane)
                    held_values[slot, lane] = values[k]
                    held_places[slot, lane] = np.uint32(offsets[k] * s.lanes)
            cuda.syncthreads()
            for turn in range(0, WARP, s.turn):
                four = np.int32(turn >> 2)
                for line in range(half):
                    left = counts[first_slot + line] - done - turn
                    left = np.int32(left if left < s.turn else s.turn)
                    multiply(source, held_values, held_places, sums, line, first_slot + line, four, left, reads)
                if lines == 8:  # apart, since the compiler unrolls no longer loop, and registers have no index
                    for line in range(4, lines):
                        left = counts[first_slot + line] - done - turn
                        left = np.int32(left if left < s.turn else s.turn)
                        multiply(source, held_values, held_places, sums, line, first_slot + line, four, left, reads)
            cuda.syncthreads()

        floor = _ZERO if s.relu != 0 else _LOWEST
        for spot in range(spots):
            unit = first_unit + spot
            if unit < units:
                pixel = unit % pixels
                h, w = pixel // width * s.phases + down, pixel % width * s.phases + across
                start = (result_origin + h * s.row + w) * s.lanes + unit // pixels * WARP + lane
                for line in range(lines):
                    if first_line + first_slot + line < s.channels:
                        channel = order[np.uint32(phase * s.channels + first_line + first_slot + line)]
                        channel = channel // (s.phases * s.phases)
                        value = sums[line, spot]
                        if s.biased != 0:
                            value += bias[np.uint32(channel)]
                        if value < floor:
                            value = floor
                        place = np.uint32(start + channel * s.plane * s.lanes)
                        finish(result, place, value, held, s.add, s.rectified)

    return Tile(slots, spots, warps * WARP, walk)


WIDE, DEEP, NARROW = make_tile(16, 4, 4), make_tile(16, 8, 2), make_tile(4, 1, 1)
"""64 lines by 128 samples; 128 lines by 64 samples, where survivors are few; 4 lines by 32 samples, for small layers."""
