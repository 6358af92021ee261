"""Winograd's transforms for the gradient of a kernel of three by three: F(3x3, 4x4), on vectors of sixteen.

They are those of F(4x4, 3x3) the other way round, by the matrices A, B and G of `reference.winograd`: along rows and then columns,
four numbers of dy become six, A dy, six numbers of x become six, B'x, and the six products of these, summed over all patches and
samples, become three weights, G'm.
"""

import numpy as np
from numba import types

from tinyticket.kernels.cpu.convolution.winograd.transforms import PATCH, PLACES, SIDE, before, both_ways, scaled
from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I64, floats, instruction
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.transpose import SQUARE, turned


def _weights(*rows):
    return tuple(tuple(np.float32(weight) for weight in row) for row in rows)


WEIGHTS_X = _weights((4, -5, 1, 0), (-4, -4, 1, 1), (4, -4, -1, 1), (-2, -1, 2, 1), (2, -1, -2, 1), (4, -5, 1, 0))
WEIGHTS_DY = _weights((1, 0, 0, 0), (1, 1, 1, 1), (1, -1, 1, -1), (1, 2, 4, 8), (1, -2, 4, -8), (1, 0, 0, 0))
"""Those of B' and of A that a row of places gives to rows of pixels ..."""

FIRST_ROWS_X = ((0, 2, 3), (1, 1, 4), (1, 1, 4), (1, 1, 4), (1, 1, 4), (1, 2, 3))
FIRST_ROWS_DY = ((0, 1), (0, 4), (0, 4), (0, 4), (0, 4), (3, 1))
"""... of x from the first on, at a distance, so many; and of dy from the first on, so many."""


AHEAD = PATCH * LANES


@instruction(SQUARE(floats, types.intp, types.intp, types.UniTuple(types.float32, 4), types.intp, types.intp))
def weighted_channels(builder, image, row, present, weights, plane, count):
    """Return the weighted sum of four rows of sixteen channels, a vector of channels for each sample.

    Rows from `present` on repeat the last; from channel `count` on there are zeros.
    """
    weights = [emit.spread(builder, weight) for weight in weights]
    starts = [builder.gep(image, [builder.mul(i, row)]) for i in emit.clamped(builder, 4, present)]
    rows = []
    for channel in emit.clamped(builder, LANES, count):
        offset = builder.mul(channel, plane)
        total = None
        for weight, start in zip(weights, starts, strict=True):
            value = emit.load(builder, builder.gep(start, [offset]))
            total = builder.fmul(weight, value) if total is None else emit.fused(builder, weight, value, total)
        rows.append(total)
    there = emit.first_lanes(builder, count)
    return [builder.select(there, row, emit.ZERO) for row in turned(builder, rows)]


@instruction(types.void(floats, floats, floats, types.intp))
def transform_columns_x(builder, first, second, out, apart):
    """out[p * apart ...] = what a row of a patch of x becomes for the weight gradient, of four columns and two."""
    d = [emit.load(builder, first, LANES * LANES * j) for j in range(PATCH)]
    d += [emit.load(builder, second, LANES * LANES * j) for j in range(SIDE - PATCH)]
    for p, value in enumerate(before(builder, d)):
        emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(p))]))


@instruction(types.void(floats, floats, types.intp))
def transform_columns_dy(builder, columns, out, apart):
    """out[p * apart ...] = what a row of a patch of dy becomes for the weight gradient, of four columns."""
    y = [emit.load(builder, columns, LANES * LANES * j) for j in range(PATCH)]
    even, odd = builder.fadd(y[0], y[2]), builder.fadd(y[1], y[3])
    far, away = scaled(builder, 4.0, y[2], y[0]), scaled(builder, 4.0, y[3], y[1])
    pairs = (
        builder.fadd(even, odd),
        builder.fsub(even, odd),
        scaled(builder, 2.0, away, far),
        scaled(builder, -2.0, away, far),
    )
    for p, value in enumerate((y[0], *pairs, y[3])):
        emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(p))]))


@instruction(types.void(floats, types.intp, floats))
def transform_sums(builder, sums, apart, out):
    """out[16 t ...] = the nine vectors t of the gradient of the weights, G'mG, of m at sums[p * apart ...]."""

    def along(builder, m):
        p, q = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
        r, s = builder.fadd(m[3], m[4]), builder.fsub(m[3], m[4])
        first = scaled(builder, 6.0, m[0], scaled(builder, -4.0, p, r))
        middle = scaled(builder, -4.0, q, builder.fadd(s, s))
        last = scaled(builder, 24.0, m[5], builder.fmul(emit.splat(4.0), builder.fsub(r, p)))
        return [builder.fmul(emit.splat(1 / 24), value) for value in (first, middle, last)]

    held = [emit.load(builder, builder.gep(sums, [builder.mul(apart, I64(p))])) for p in range(PLACES)]
    taps = both_ways(builder, along, [held[SIDE * i : SIDE * (i + 1)] for i in range(SIDE)])
    for t, value in enumerate(tap for row in taps for tap in row):
        emit.store(builder, value, out, LANES * t)
