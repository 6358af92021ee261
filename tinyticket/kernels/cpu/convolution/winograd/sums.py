"""Winograd's transforms for the gradient of a kernel of three by three: F(3x3, 2x2), on vectors of sixteen.

Along columns and then rows, two numbers of dy become four, as the weights of a kernel of two would, four numbers of x become four,
and the four products of these, summed over all patches and samples, become three weights.
"""

from numba import types

from tinyticket.kernels.cpu.convolution.winograd.transforms import both_ways
from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I64, floats, instruction
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.tiles import tile_of
from tinyticket.kernels.cpu.vector.transpose import SQUARE, turned

SIDE = 4  # of a transformed patch
PLACES = SIDE * SIDE
PATCH = 2  # pixels of dy along each side of a patch


@instruction(SQUARE(floats, floats, types.float32, types.float32, types.intp, types.intp))
def weighted_channels(builder, above, below, a, b, plane, count):
    """Return a * above + b * below for sixteen channels, a vector of channels for each sample; zeros from channel `count` on."""
    a, b = emit.spread(builder, a), emit.spread(builder, b)
    rows = []
    for row in emit.clamped(builder, LANES, count):
        offset = builder.mul(row, plane)
        upper, lower = (emit.load(builder, builder.gep(image, [offset])) for image in (above, below))
        rows.append(emit.fused(builder, b, lower, builder.fmul(a, upper)))
    present = emit.first_lanes(builder, count)
    return [builder.select(present, row, emit.ZERO) for row in turned(builder, rows)]


@instruction(types.void(floats, floats, floats, types.intp))
def transform_columns_x(builder, first, second, out, apart):
    """out[p * apart ...] = what a row of a patch of x becomes for the weight gradient, of two pairs of columns."""
    d = [emit.load(builder, pair, LANES * LANES * j) for pair in (first, second) for j in range(PATCH)]
    middle = builder.fadd(d[1], d[2]), builder.fsub(d[2], d[1])
    for p, value in enumerate((builder.fsub(d[0], d[2]), *middle, builder.fsub(d[3], d[1]))):
        emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(p))]))


@instruction(types.void(floats, floats, types.intp))
def transform_columns_dy(builder, pair, out, apart):
    """out[p * apart ...] = what a row of a patch of dy becomes for the weight gradient, of a pair of columns."""
    half = emit.splat(0.5)
    a, b = (emit.load(builder, pair, LANES * LANES * j) for j in range(PATCH))
    middle = [builder.fmul(half, value) for value in (builder.fadd(a, b), builder.fsub(a, b))]
    for p, value in enumerate((a, *middle, b)):
        emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(p))]))


@instruction(lambda place, count: tile_of(count.literal_value)(floats, count))
def tile_load(builder, place, count):
    """Return the tile of `count` vectors that lie beside each other."""
    return [emit.load(builder, place, LANES * j) for j in range(count)]


@instruction(types.void(floats, types.intp, floats))
def transform_sums(builder, sums, apart, out):
    """out[16 t ...] = the nine vectors t of the gradient of the weights, of the sixteen at sums[p * apart ...]."""

    def along(builder, m):
        middle = builder.fadd(m[1], m[2])
        return [builder.fadd(m[0], middle), builder.fsub(m[1], m[2]), builder.fadd(middle, m[3])]

    held = [emit.load(builder, builder.gep(sums, [builder.mul(apart, I64(p))])) for p in range(PLACES)]
    taps = both_ways(builder, along, [held[SIDE * i : SIDE * (i + 1)] for i in range(SIDE)])
    for t, value in enumerate(tap for row in taps for tap in row):
        emit.store(builder, value, out, LANES * t)
