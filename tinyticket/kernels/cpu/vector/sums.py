"""Sums over a whole channel: rows in float32, several at once, and what they give in float64.

A channel of a batch has a hundred thousand values. Added up one after the other in float32 they would lose three digits; a row
of an image, a dozen values a register, loses nothing worth the name, and widening one vector a row costs little. All orders
are fixed: within a row four sums take turns, rows follow each other, lanes fall by halves.
"""

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import I32, below, intrinsic, load, muladd, select, vector, zero

DOUBLE = ir.DoubleType()
DOUBLES = ir.VectorType(DOUBLE, LANES)


class WideType(types.Type):
    """Sixteen float64."""

    def __init__(self):
        super().__init__(name=f"float64x{LANES}")


wide = WideType()


@register_model(WideType)
class _WideModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, DOUBLES)


@intrinsic
def wide_zero(typing):
    """Return sixteen float64 zeros."""
    return wide(), lambda context, builder, sig, args: ir.Constant(DOUBLES, [DOUBLE(0.0)] * LANES)


@intrinsic
def widened(typing, total, x):
    """Return total + x, in float64."""
    return wide(wide, vector), lambda context, builder, sig, args: builder.fadd(
        args[0], builder.fpext(args[1], DOUBLES)
    )


@intrinsic
def lane_sum(typing, total):
    """Return the sum of sixteen float64, halves first."""

    def codegen(context, builder, sig, args):
        value, size = args[0], LANES
        while size > 1:
            size //= 2
            halves = [[I32(start + i) for i in range(size)] for start in (0, size)]
            patterns = [ir.Constant(ir.VectorType(I32, size), half) for half in halves]
            value = builder.fadd(*(builder.shuffle_vector(value, value, pattern) for pattern in patterns))
        return builder.extract_element(value, I32(0))

    return types.float64(wide), codegen


@device
def valid_lanes(samples, tile):
    """Count the lanes of a tile that hold samples."""
    return min(max(samples - tile * LANES, 0), LANES)


@device
def masked(x, lanes):
    """Return x with the lanes beyond the last sample set to zero, whatever they held."""
    return x if lanes == LANES else select(below(lanes), x, zero())


@device
def row_sum(place, width):
    """Sum the vectors of one row, `width` pixels."""
    a, b, c, d = zero(), zero(), zero(), zero()
    w, end = 0, width * LANES
    while w + 4 * LANES <= end:
        a, b = a + load(place, w), b + load(place, w + LANES)
        c, d = c + load(place, w + 2 * LANES), d + load(place, w + 3 * LANES)
        w += 4 * LANES
    while w < end:
        a = a + load(place, w)
        w += LANES
    return (a + b) + (c + d)


@device
def row_moments(place, width, center):
    """Sum one row's deviations from `center`, a vector, and their squares."""
    a, b, c, d = zero(), zero(), zero(), zero()
    e, f, g, h = zero(), zero(), zero(), zero()
    w, end = 0, width * LANES
    while w + 4 * LANES <= end:
        p, q = load(place, w) - center, load(place, w + LANES) - center
        r, s = load(place, w + 2 * LANES) - center, load(place, w + 3 * LANES) - center
        a, b, c, d = a + p, b + q, c + r, d + s
        e, f, g, h = muladd(p, p, e), muladd(q, q, f), muladd(r, r, g), muladd(s, s, h)
        w += 4 * LANES
    while w < end:
        p = load(place, w) - center
        a, e = a + p, muladd(p, p, e)
        w += LANES
    return (a + b) + (c + d), (e + f) + (g + h)
