"""Products of two activations where a weight survives, and nowhere else: the kernel behind the weight gradient of `sparse`.

Each survivor is a dot product of an output's gradient with an input, over pixels and samples (SDDMM). A warp has four lines, rows
of the weight, and eight survivors of each at a time: 32 sums a thread, in registers, over every 32nd sample. For two spots (32
samples of a pixel each) it reads the lines' gradients once and uses them for eight survivors; so 64 multiply-adds take 64 loads of
x, 8 of the gradient and 8 broadcasts of offsets, four offsets each, and the first-level cache, one load a cycle against four
multiply-adds, limits it to a fifth of the peak. At the end the 32 partial sums of each survivor go through shared memory, where
one thread adds them up in order: neither atomics nor shuffles, and the same bits every time.

The 64 lines of a block are about as long as each other and walk in step, as in `sparse_tiles`, so that they find in the cache what
others of them have read; a linear layer is cut into 64 samples at a time for that. In the example given there the loads take 127
thousand cycles at 90% sparsity and 25 at 98%. In a simulation of the cache 16% and 61% of those of x miss it, which the second
level needs 88 and 66 thousand cycles for, beside 254 thousand of a dense product at the peak. No device has timed it.
"""

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.toolkit import cuda, jit_for

WARPS, ROWS, TURN, SPOTS = 16, 4, 8, 2
"""Warps of a block, and of a warp: lines, survivors of each at a time, and spots at a time."""

SLOTS, THREADS = WARPS * ROWS, WARPS * WARP
HALF, PADDED = THREADS // 2, WARP + 1

_ZERO = np.float32(0)


@cuda.jit(device=True)
def multiply(x, dy, places, sums, row, slot, start, x_spots, y_spots, held):
    """Add the products of some spots to the sums of a line's survivors."""
    above = cuda.local.array(SPOTS, np.float32)
    for spot in range(SPOTS):
        above[spot] = _ZERO
        if spot < held:
            above[spot] = dy[np.uint32(start + y_spots[spot])]
    for i in range(TURN):
        place = places[np.uint64(slot), np.uint64(i)]
        for spot in range(SPOTS):
            sums[row, i] += above[spot] * x[np.uint32(place + x_spots[spot])]


@cuda.jit(device=True)
def add_up(tile, partial, begins, counts, start, turn, first_row):
    """Add up a survivor's sums in every thread of the first half, and write them."""
    thread = cuda.threadIdx.x
    if thread < HALF:
        line, i = thread // TURN, turn + thread % TURN
        slot = line // 2 * ROWS + first_row + line % 2
        if i < counts[slot]:
            total = _ZERO
            for other in range(WARP):
                total += tile[thread, other]
            partial[np.uint32(start + begins[slot] + i)] = total


@jit_for(THREADS)
def multiply_survivors(x, dy, starts, offsets, order, spots, partial, lines, lanes, plane, stripes, part):
    """Compute partial[split, survivor] = sum over the split's spots of dy[line] * x[offset].

    `spots` has two numbers for each spot: where it is in x, from an offset of zero, and in dy, from the line's first pixel.
    """
    places = cuda.shared.array((SLOTS, TURN), np.uint32)
    begins = cuda.shared.array(SLOTS, np.int32)
    counts = cuda.shared.array(SLOTS, np.int32)
    planes = cuda.shared.array(SLOTS, np.uint32)
    tile = cuda.shared.array((HALF, PADDED), np.float32)
    sums = cuda.local.array((ROWS, TURN), np.float32)
    x_spots = cuda.local.array(SPOTS, np.uint32)
    y_spots = cuda.local.array(SPOTS, np.uint32)
    thread = cuda.threadIdx.x
    lane, warp = thread % WARP, thread // WARP
    slot, first_line = warp * ROWS, cuda.blockIdx.x * SLOTS
    first_spot, end = cuda.blockIdx.z * part, spots.size // 2
    last_spot = first_spot + part if first_spot + part < end else end
    if thread < SLOTS:
        line, begin, count = 0, 0, 0
        if first_line + thread < lines:
            line = order[np.uint32(first_line + thread)]
            begin = starts[np.uint32(line)]
            count = starts[np.uint32(line + 1)] - begin
        begins[thread] = begin
        counts[thread] = count
        planes[thread] = np.uint32(line * plane * lanes)
    cuda.syncthreads()

    start = cuda.blockIdx.z * starts[np.uint32(lines)]
    stripe = (counts[0] + stripes * TURN - 1) // (stripes * TURN) * TURN  # the first line is the longest
    first_turn = cuda.blockIdx.y * stripe
    last_turn = first_turn + stripe if first_turn + stripe < counts[0] else counts[0]
    for turn in range(first_turn, last_turn, TURN):
        mine, k = thread // TURN, turn + thread % TURN
        place = 0  # where a line has ended, something is multiplied, and thrown away
        if k < counts[mine]:
            place = offsets[np.uint32(begins[mine] + k)] * lanes
        places[mine, thread % TURN] = np.uint32(place)
        cuda.syncthreads()
        for row in range(ROWS):
            for i in range(TURN):
                sums[row, i] = _ZERO
        for first in range(first_spot, last_spot, SPOTS):
            held = last_spot - first
            for spot in range(SPOTS):
                at = 2 * (first + spot if spot < held else first)
                x_spots[spot] = np.uint32(spots[np.uint32(at)] + lane)
                y_spots[spot] = np.uint32(spots[np.uint32(at + 1)] + lane)
            # Written out: the compiler does not unroll a loop over all of it, and registers have no index.
            multiply(x, dy, places, sums, 0, slot, planes[slot], x_spots, y_spots, held)
            multiply(x, dy, places, sums, 1, slot + 1, planes[slot + 1], x_spots, y_spots, held)
            multiply(x, dy, places, sums, 2, slot + 2, planes[slot + 2], x_spots, y_spots, held)
            multiply(x, dy, places, sums, 3, slot + 3, planes[slot + 3], x_spots, y_spots, held)
        # Half of the lines at a time: shared memory holds no more.
        for row in range(2):
            for i in range(TURN):
                tile[(warp * 2 + row) * TURN + i, lane] = sums[row, i]
        cuda.syncthreads()
        add_up(tile, partial, begins, counts, start, turn, 0)
        cuda.syncthreads()
        for row in range(2):
            for i in range(TURN):
                tile[(warp * 2 + row) * TURN + i, lane] = sums[2 + row, i]
        cuda.syncthreads()
        add_up(tile, partial, begins, counts, start, turn, 2)
        cuda.syncthreads()
