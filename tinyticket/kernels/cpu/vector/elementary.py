"""Exponential, hyperbolic tangent, sigmoid and logarithm of sixteen values at once, where Numba would go lane by lane.

All reduce their argument by powers of two and evaluate a minimax polynomial on the remainder, with coefficients fitted for this
file; the errors are below two units in the last place, of tangent and sigmoid below three.
"""

import math

import numpy as np

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import BITS, I32, VECTOR, instruction, vector
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import absolute, broadcast, muladd, select, zero


def _polynomial(*coefficients):
    """Make the polynomial of x with these coefficients, the constant first."""

    @instruction(vector(vector))
    def evaluate(builder, x):
        *lower, total = (emit.splat(float(np.float32(c))) for c in coefficients)
        for coefficient in reversed(lower):
            total = emit.fused(builder, total, x, coefficient)
        return total

    return evaluate


# exp(r) = 1 + r + r^2 P(r) for |r| <= log(2) / 2
_exp_polynomial = _polynomial(0.49999994, 0.16666521, 0.04166839, 0.0083687166, 0.0013814599)
# log(1 + f) = f - f^2 / 2 + f^3 P(f) for sqrt(1/2) <= 1 + f <= sqrt(2)
_log_polynomial = _polynomial(0.33333910, -0.25001338, 0.19963063, -0.16577585, 0.14914769, -0.14267486, 0.087004304)

_signed = instruction(vector(vector, vector))(
    lambda builder, size, x: emit.call(builder, "llvm.copysign.v16f32", size, x)
)

_LOG2_E, _ONE, _HALF = np.float32(1 / math.log(2)), np.float32(1), np.float32(0.5)
_LOG_2_HIGH = np.float32(0.693359375)  # few bits, so that a whole number times it is exact
_LOG_2_LOW = np.float32(math.log(2) - 0.693359375)
_SMALLEST = np.float32(-87.0)  # exp of it is still a normal number
_ROOT_2 = np.float32(math.sqrt(2))
_ROUNDER = np.float32(1.5 * 2**23)
"""Added to a small number, it leaves the nearest whole number in the last bits."""


@instruction(vector(vector))
def _power_of_two(builder, rounded):
    """2 ** n, given n + _ROUNDER."""
    exponent = builder.shl(builder.bitcast(rounded, BITS), emit.splat(23, I32))
    return builder.bitcast(builder.add(exponent, emit.splat(127 << 23, I32)), VECTOR)


@instruction(vector(vector))
def _exponent(builder, x):
    """Return the whole e with 2**e <= x < 2**(e + 1), for normal positive x."""
    biased = builder.lshr(builder.bitcast(x, BITS), emit.splat(23, I32))
    return builder.sitofp(builder.sub(biased, emit.splat(127, I32)), VECTOR)


@instruction(vector(vector))
def _mantissa(builder, x):
    """Return x / 2**exponent(x), which is in [1, 2)."""
    fraction = builder.and_(builder.bitcast(x, BITS), emit.splat((1 << 23) - 1, I32))
    return builder.bitcast(builder.or_(fraction, emit.splat(127 << 23, I32)), VECTOR)


@device
def _reduced(x):
    """Return r, P(r) and 2**n, with exp(x) = (1 + r + r**2 P(r)) * 2**n and |r| <= log(2) / 2."""
    smallest = broadcast(_SMALLEST)
    x = select(x < smallest, smallest, x)
    rounded = muladd(x, broadcast(_LOG2_E), broadcast(_ROUNDER))
    n = rounded - broadcast(_ROUNDER)
    r = muladd(n, broadcast(-_LOG_2_HIGH), x)
    r = muladd(n, broadcast(-_LOG_2_LOW), r)
    return r, _exp_polynomial(r), _power_of_two(rounded)


@device
def exponential(x):
    """exp(x) for x <= 0, as a softmax needs it; never less than about the smallest normal number. NaN stays NaN."""
    r, p, power = _reduced(x)
    return muladd(p, r * r, r + broadcast(_ONE)) * power


@device
def hyperbolic_tangent(x):
    """tanh(x), by exp(-2|x|) - 1, in which nothing cancels however small x is. NaN stays NaN."""
    r, p, power = _reduced(absolute(x) * broadcast(np.float32(-2)))
    off = muladd(muladd(p, r * r, r), power, power - broadcast(_ONE))  # exp(-2|x|) - 1
    return _signed((zero() - off) / (off + broadcast(np.float32(2))), x)


@device
def logistic(x):
    """Return 1 / (1 + exp(-x)), by exp(-|x|); 0 where exp(x) is no normal number. NaN stays NaN."""
    one, size = broadcast(_ONE), absolute(x)
    e = select(broadcast(-_SMALLEST) < size, zero(), exponential(zero() - size))
    return select(x < zero(), e, one) / (one + e)


@device
def logarithm(x):
    """log(x) for finite normal x > 0; NaN stays NaN."""
    m, e = _mantissa(x), _exponent(x)
    large = broadcast(_ROOT_2) < m
    m = select(large, m * broadcast(_HALF), m)
    e = select(large, e + broadcast(_ONE), e)
    f = m - broadcast(_ONE)
    p = _log_polynomial(f)
    square = f * f
    low = muladd(e, broadcast(_LOG_2_LOW), muladd(p * f, square, square * broadcast(-_HALF)))
    return select(x == x, muladd(e, broadcast(_LOG_2_HIGH), f + low), x)
