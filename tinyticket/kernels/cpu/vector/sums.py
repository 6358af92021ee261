"""Sums over a whole channel: rows in float32, several at once, and what they give in float64.

Added up one after the other in float32, a channel's hundred thousand values would lose three digits; a row of an image loses
nothing worth the name, and widening one vector a row costs little. All orders are fixed: within a row four sums take turns, rows
follow each other, lanes fall by halves.
"""

from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import DOUBLE, I32, instruction, vector, wide
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import below, load, muladd, select, zero


@instruction(wide())
def wide_zero(builder):
    """Return sixteen float64 zeros."""
    return emit.splat(0.0, DOUBLE)


@instruction(wide(wide, vector))
def widened(builder, total, x):
    """Return total + x, in float64."""
    return builder.fadd(total, builder.fpext(x, wide.llvm))


@instruction(types.float64(wide))
def lane_sum(builder, total):
    """Return the sum of sixteen float64, halves first."""
    return builder.extract_element(emit.halved(builder, total, 1), I32(0))


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
