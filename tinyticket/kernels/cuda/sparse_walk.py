"""Lines of survivors times activations: the kernel of a pruned layer's forward pass and of its input gradient.

A line is a row of the pruned weight, or a column of it; a survivor is a scalar times 32 samples of some spots. A warp has a hand of
lines and holds the sums of their spots in registers. The block walks through the channels of the source: a chunk of them comes into
shared memory, then each warp works through what survives of its lines there, 32 survivors at a time, whose values and places come
into shared memory too, side by side, and nobody waits for another warp until the chunk is done.

What limits it. A survivor costs a warp one load of 128 bytes from shared memory for every spot, and as many multiply-adds; a
multiprocessor does one such load a cycle and four multiply-adds, so a quarter of the peak is all there is. Value and place are two
more loads for four survivors: with sixteen spots of an image they cost nothing, with the single spot of a linear layer a third.
Activations come from the second-level cache once for each block of lines. docs/cuda.md has what an H100 took.
"""

import numpy as np
from numba import float32

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.rows import finish
from tinyticket.kernels.cuda.staging import POSITIONS, Tile, make_stage
from tinyticket.kernels.cuda.toolkit import cuda, jit_for

_ZERO, _LOWEST = np.float32(0), np.float32(-np.inf)


def make_tile(lines: int, rows: int, columns: int, warps: int) -> Tile:
    """Compile the kernel for at most so many warps, each of which has `lines` lines, 1, 2, 4 or 8, by so many spots."""
    spots, threads, one_more = rows * columns, warps * WARP, lines + 1
    at_once = 4 if spots <= 2 else 1
    stage = make_stage(8 if spots <= 2 else 16)

    @cuda.jit(device=True)
    def add_one(mine, place, value, sums, line, pitch):
        for i in range(rows):
            for j in range(columns):
                spot = np.uint64(np.uint32(place + i * pitch)) + np.uint64(j * WARP)
                sums[line, i * columns + j] += value * mine[spot]

    @cuda.jit(device=True)
    def segment(values, places, begin, end):
        """Return this lane's value and place of up to 32 survivors."""
        k, value, place = np.uint32(begin + cuda.threadIdx.x % WARP), _ZERO, np.int32(0)
        if k < end:
            value, place = values[k], places[k]
        return value, place

    @cuda.jit(device=True)
    def add_line(patch, survivors, held, sums, line, first, ahead):
        """Add what survives in this chunk of one line to its sums.

        Its first segment has been read `ahead`, and the next line's is returned.
        """
        (mine, pitch), (values, places), (held_values, held_places, begins, ends) = patch, survivors, held
        lane, warp = np.uint32(cuda.threadIdx.x % WARP), np.uint64(cuda.threadIdx.x // WARP)
        done, end = begins[warp, line], ends[warp, line]
        value, place = ahead
        if done >= end:
            return segment(values, places, begins[warp, line + 1], ends[warp, line + 1])
        while done < end:
            count = np.int32(WARP if end - done > WARP else end - done)
            cuda.syncwarp()
            held_values[warp, lane] = value
            held_places[warp, lane] = np.uint32((place - first) * WARP)
            cuda.syncwarp()
            done = np.int32(done + WARP)
            if done < end:
                value, place = segment(values, places, done, end)
            else:
                value, place = segment(values, places, begins[warp, line + 1], ends[warp, line + 1])
            whole = np.int32(count // at_once)
            for step in range(whole):
                for i in range(at_once):
                    k = np.uint64(at_once * step) + np.uint64(i)  # so that four values, and places, are read in one go
                    add_one(mine, held_places[warp, k], held_values[warp, k], sums, line, pitch)
            for left in range(np.int32(at_once * whole), count):
                k = np.uint64(left)
                add_one(mine, held_places[warp, k], held_values[warp, k], sums, line, pitch)
        return value, place

    @cuda.jit(device=True)
    def write_line(result, bias, held, sums, line, order, hand, table, at, start, s, floor):
        """Write the spots of one line."""
        number = order[np.uint32(hand * s.held + line)] if line < s.held else np.int32(-1)
        if number < 0:
            return
        channel = np.int32(number // np.int32(s.phases))
        shift = bias[np.uint32(channel)] if s.biased != 0 else _ZERO
        for spot in range(spots):
            place = table[np.uint32(at + spot)]
            if place >= 0:
                value = sums[line, spot] + shift
                if value < floor:
                    value = floor
                to = np.uint32(start + channel * s.result_plane + place)
                finish(result, to, value, held, s.add, s.x_is_relu_output)

    @jit_for(threads)
    def walk(source, values, places, bounds, order, table, bias, held, result, s):
        """Compute result[line, spot] = sum over the line's survivors of value * source[spot + place], in each lane."""
        here = cuda.shared.array(0, float32)
        inside = cuda.shared.array(POSITIONS, np.int32)
        held_values = cuda.shared.array((warps, WARP), np.float32)
        held_places = cuda.shared.array((warps, WARP), np.uint32)
        begins = cuda.shared.array((warps, one_more), np.int32)
        ends = cuda.shared.array((warps, one_more), np.int32)
        sums = cuda.local.array((lines, spots), np.float32)
        thread, groups = np.uint32(cuda.threadIdx.x), np.uint32(s.groups)
        lane, warp = np.uint32(thread % WARP), np.uint64(thread // WARP)
        tile, group = np.uint32(np.uint32(cuda.blockIdx.x) // groups), np.uint32(np.uint32(cuda.blockIdx.x) % groups)
        at = np.uint32(tile * (1 + s.positions + spots))
        for position in range(thread, s.positions, cuda.blockDim.x):
            inside[np.uint32(position)] = table[np.uint32(at + 1 + position)]
        hand = np.uint32(table[at] * s.hands + (cuda.blockIdx.y * cuda.blockDim.x + thread) // WARP)
        number = order[np.uint32(hand * s.held + lane)] if lane < s.held else np.int32(-1)
        for line in range(lines):
            for spot in range(spots):
                sums[line, spot] = _ZERO
        start, mine = np.int32(group * s.span + lane), here[lane:]

        patch, survivors = (mine, np.uint32(s.pitch * WARP)), (values, places)
        held_by_warp = held_values, held_places, begins, ends
        chunk, from_here, first = np.int32(0), start, np.int32(0)
        while chunk < s.chunks:
            cuda.syncthreads()
            if lane <= lines:
                begin, end = np.int32(0), np.int32(0)
                if number >= 0:
                    piece = np.uint32(number * s.chunks + chunk)
                    begin, end = bounds[piece], bounds[np.uint32(piece + 1)]
                begins[warp, lane], ends[warp, lane] = begin, end
            cuda.syncwarp()
            ahead = segment(values, places, begins[warp, 0], ends[warp, 0])
            size = np.uint32(min(s.channels, s.inputs - chunk * s.channels) * s.positions)
            stage(source, here, inside, from_here, np.int32(s.source_plane), np.uint32(s.positions), size)
            cuda.syncthreads()
            # Written out: the compiler does not unroll a loop over all of it, and registers have no index.
            ahead = add_line(patch, survivors, held_by_warp, sums, 0, first, ahead)
            if lines >= 2:
                ahead = add_line(patch, survivors, held_by_warp, sums, 1, first, ahead)
            if lines >= 4:
                ahead = add_line(patch, survivors, held_by_warp, sums, 2, first, ahead)
                ahead = add_line(patch, survivors, held_by_warp, sums, 3, first, ahead)
            if lines == 8:
                ahead = add_line(patch, survivors, held_by_warp, sums, 4, first, ahead)
                ahead = add_line(patch, survivors, held_by_warp, sums, 5, first, ahead)
                ahead = add_line(patch, survivors, held_by_warp, sums, 6, first, ahead)
                ahead = add_line(patch, survivors, held_by_warp, sums, 7, first, ahead)
            chunk = np.int32(chunk + 1)
            from_here = np.int32(from_here + s.channels * s.source_plane)
            first = np.int32(first + s.channels * s.positions)

        floor, at = _ZERO if s.relu != 0 else _LOWEST, np.uint32(at + 1 + s.positions)
        write_line(result, bias, held, sums, 0, order, hand, table, at, start, s, floor)
        if lines >= 2:
            write_line(result, bias, held, sums, 1, order, hand, table, at, start, s, floor)
        if lines >= 4:
            write_line(result, bias, held, sums, 2, order, hand, table, at, start, s, floor)
            write_line(result, bias, held, sums, 3, order, hand, table, at, start, s, floor)
        if lines == 8:
            write_line(result, bias, held, sums, 4, order, hand, table, at, start, s, floor)
            write_line(result, bias, held, sums, 5, order, hand, table, at, start, s, floor)
            write_line(result, bias, held, sums, 6, order, hand, table, at, start, s, floor)
            write_line(result, bias, held, sums, 7, order, hand, table, at, start, s, floor)

    used = POSITIONS * 4 + warps * 8 * (WARP + one_more)
    return Tile(walk, rows, columns, warps, used, lines=lines)


LINEAR, LINEAR_WIDE, LINEAR_FEW = make_tile(8, 1, 1, 32), make_tile(4, 1, 2, 32), make_tile(2, 1, 1, 32)
"""256, 128 or 64 lines by 32 or 64 samples."""

IMAGE, IMAGE_FEW = make_tile(4, 4, 4, 16), make_tile(1, 4, 4, 16)
"""64 or 16 lines by sixteen pixels of 32 samples."""
