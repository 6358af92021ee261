"""Products of two activations where a weight survives, and nowhere else: the kernel of a pruned layer's weight gradient.

Each survivor is a dot product of an output's gradient with an input, over pixels and samples (SDDMM). A block has a chunk of the
input's channels, for some tiles one after the other, whose patches come into shared memory as in `sparse_walk`; a warp takes its
lines, rows of the weight, in turn: it holds the line's gradient of the tile in registers, and each survivor reads what it
multiplies from shared memory, one load and one multiply-add for every spot. So every thread has a sum over its lane for sixteen
survivors, which go through shared memory, where a thread adds up half of a survivor's 32: neither atomics nor shuffles, and the
same bits every time. From tile to tile sums go on in the result, which only this warp touches.
"""

import numpy as np
from numba import float32

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.staging import POSITIONS, Tile, make_stage
from tinyticket.kernels.cuda.toolkit import cuda, jit_for

TURN = WARP // 2
"""Survivors at a time."""

PADDED = WARP + 1
SUMS = (TURN + 1) * PADDED
"""Numbers in shared memory, behind the patch, where a warp adds up its sums: turned, so that no two lanes meet in a bank."""

_ZERO = np.float32(0)


def make_tile(rows: int, columns: int, warps: int) -> Tile:
    """Make the kernel for at most so many warps, and for tiles of so many spots."""
    spots, stage = rows * columns, make_stage(8 if rows == 1 else 16)

    @cuda.jit(device=True)
    def add_up(here, sums, lane):
        """Add up what all lanes have of survivor lane % 16; only the first half has the result."""
        survivor, half = lane % TURN, lane // TURN * TURN
        total = _ZERO
        for other in range(TURN):
            total += here[np.uint32(sums + survivor * PADDED + half + other)]
        if half > 0:
            here[np.uint32(sums + TURN * PADDED + survivor)] = total
        cuda.syncwarp()
        return total + here[np.uint32(sums + TURN * PADDED + survivor)]

    @cuda.jit(device=True)
    def segment(places, partial, start, begin, end, going_on):
        """Return this lane's place, and what there is of its sum, of up to 16 survivors."""
        lane = np.uint32(cuda.threadIdx.x % WARP)
        k, place, before = np.uint32(begin + lane), np.int32(0), _ZERO
        if lane < TURN and k < end:
            place = places[k]
            if going_on:
                before = partial[np.uint32(start + k)]
        return place, before

    @cuda.jit(device=True)
    def multiply_line(patch, held, above, partial, start, done, end, first, going_on):
        """Add the products of one line's survivors, from `done` on, to what the result has of them."""
        (here, mine, pitch), (places, held_places, sums) = patch, held
        lane, warp = np.uint32(cuda.threadIdx.x % WARP), np.uint64(cuda.threadIdx.x // WARP)
        place, before = segment(places, partial, start, done, end, going_on)
        while done < end:
            count = np.int32(TURN if end - done > TURN else end - done)
            k, so_far = np.uint32(start + done + lane), before
            cuda.syncwarp()
            if lane < TURN:
                held_places[warp, lane] = np.uint32((place - first) * WARP)
            cuda.syncwarp()
            done = np.int32(done + TURN)
            place, before = segment(places, partial, start, done, end, going_on)
            to = np.uint32(sums + lane)
            for survivor in range(count):
                place_of_first = held_places[warp, np.uint64(survivor)]
                total = _ZERO
                for i in range(rows):
                    for j in range(columns):
                        spot = np.uint64(np.uint32(place_of_first + i * pitch)) + np.uint64(j * WARP)
                        total += above[i * columns + j] * mine[spot]
                here[to] = total
                to = np.uint32(to + PADDED)
            cuda.syncwarp()
            total = add_up(here, sums, lane)
            if lane < count:
                partial[k] = so_far + total

    @jit_for(warps * WARP)
    def multiply(x, dy, places, bounds, order, table, partial, count, s):
        """Compute partial[part, survivor] = sum over the part's tiles and their spots of dy[line] * x[place]."""
        here = cuda.shared.array(0, float32)
        inside = cuda.shared.array(POSITIONS, np.int32)
        held_places = cuda.shared.array((warps, TURN), np.uint32)
        lines = cuda.shared.array((warps, WARP), np.int32)
        begins = cuda.shared.array((warps, WARP), np.int32)
        ends = cuda.shared.array((warps, WARP), np.int32)
        above = cuda.local.array(spots, np.float32)
        thread, chunk, groups = np.uint32(cuda.threadIdx.x), np.uint32(cuda.blockIdx.x), np.uint32(s.groups)
        lane, warp = np.uint32(thread % WARP), np.uint64(thread // WARP)
        hand, mine = np.uint32((cuda.blockIdx.y * cuda.blockDim.x + thread) // WARP * s.held), here[lane:]
        sums = np.uint32(s.channels * s.positions * WARP + thread // WARP * SUMS)
        first, size = np.int32(chunk * s.channels), np.int32(min(s.channels, s.inputs - chunk * s.channels))
        unit, begin_unit = np.uint32(cuda.blockIdx.z * s.part), np.uint32(cuda.blockIdx.z * s.part)
        last_unit = np.uint32(min(unit + s.part, s.tiles * s.groups))
        part, positions, pitch = np.uint32(cuda.blockIdx.z * count), np.uint32(s.positions), np.uint32(s.pitch * WARP)
        skipped = np.int32(first * s.positions)
        while unit < last_unit:
            at = np.uint32(np.uint32(unit // groups) * (1 + s.positions + spots) + 1)
            samples = np.int32(np.uint32(unit % groups) * s.span + lane)
            cuda.syncthreads()
            for position in range(thread, s.positions, cuda.blockDim.x):
                inside[np.uint32(position)] = table[np.uint32(at + position)]
            cuda.syncthreads()
            start = np.int32(samples + first * s.source_plane)
            stage(x, here, inside, start, np.int32(s.source_plane), positions, np.uint32(size * positions))
            cuda.syncthreads()
            spots_at = np.uint32(at + positions)
            for done in range(0, s.held, WARP):
                # Lines and pieces of a hand are looked up side by side, before they are needed.
                cuda.syncwarp()
                line, begin, end = np.int32(-1), np.int32(0), np.int32(0)
                if done + lane < s.held:
                    line = order[np.uint32(hand + done + lane)]
                    if line >= 0:
                        piece = np.uint32(line * s.chunks + chunk)
                        begin, end = bounds[piece], bounds[np.uint32(piece + 1)]
                lines[warp, lane], begins[warp, lane], ends[warp, lane] = line, begin, end
                cuda.syncwarp()
                for k in range(np.int32(min(WARP, s.held - done))):
                    begin, end = begins[warp, np.uint64(k)], ends[warp, np.uint64(k)]
                    if begin < end:
                        from_here = np.int32(lines[warp, np.uint64(k)] * s.result_plane + samples)
                        for spot in range(spots):
                            place = table[np.uint32(spots_at + spot)]
                            value = dy[np.uint32(from_here + max(place, np.int32(0)))]
                            above[spot] = value if place >= 0 else _ZERO
                        patch, held, going_on = (here, mine, pitch), (places, held_places, sums), unit > begin_unit
                        multiply_line(patch, held, above, partial, part, begin, end, skipped, going_on)
            unit = np.uint32(unit + 1)

    used = POSITIONS * 4 + warps * 4 * (TURN + 3 * WARP)
    return Tile(multiply, rows, columns, warps, used, used_by_warp=SUMS * 4)


LINEAR, IMAGE = make_tile(1, 4, 24), make_tile(4, 4, 16)
"""128 samples, or sixteen pixels of 32 samples."""

LINEAR_FEW = make_tile(1, 1, 32)
"""32 samples, where there are not so many."""
