"""Sixteen numbers from anywhere, each at a place that two bytes tell, times sixteen others that lie beside each other.

Only AVX-512's gathers are used. AVX2's take about as long as loads one by one, and much longer where microcode keeps them from
leaking what was in registers before; NEON has none.
"""

from llvmlite import ir
from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import BITS, FLOAT, I1, I32, I64, floats, instruction, vector
from tinyticket.kernels.cpu.vector.machine import LANES, target

GATHERS = "+avx512f" in target()[1].split(",")
"""Whether the CPU gathers a vector faster than it loads sixteen numbers."""

HALVES = ir.VectorType(ir.IntType(16), LANES)
_halves, _counts = types.CPointer(types.uint16), types.CPointer(types.uint32)


def _gathered(builder, columns, i, x, shift):
    """Emit the loads of x[columns[16 * i + lane] << shift]."""
    if not GATHERS:
        numbers = ir.Constant(emit.ZERO.type, ir.Undefined)
        for lane in range(LANES):
            column = emit.element(builder, columns, builder.add(builder.mul(i, I64(LANES)), I64(lane)))
            number = builder.load(builder.gep(x, [builder.shl(column, shift)]))
            numbers = builder.insert_element(numbers, number, I32(lane))
        return numbers
    found = builder.load(builder.gep(builder.bitcast(columns, HALVES.as_pointer()), [i]), align=2)
    offsets = builder.shl(builder.zext(found, BITS), emit.spread(builder, builder.trunc(shift, I32), I32))
    places = builder.gep(x, [offsets], source_etype=FLOAT)
    places.type = ir.VectorType(FLOAT.as_pointer(), LANES)  # which llvmlite takes for a single address
    return emit.call(
        builder, f"llvm.masked.gather.v{LANES}f32.v{LANES}p0", places, I32(4), emit.splat(1, I1), emit.ZERO
    )


@instruction(vector(floats, _halves, types.intp, floats, types.intp, _counts, types.intp, vector))
def gathered_axpy(builder, values, columns, i, x, shift, counts, step, total):
    """total + vector i of values * x[column << shift], by vector i of columns; total in lanes whose count is not above `step`."""
    weights = emit.load(builder, builder.gep(values, [builder.mul(i, I64(LANES))]))
    added = emit.fused(builder, weights, _gathered(builder, columns, i, x, shift), total)
    held = builder.load(builder.bitcast(counts, BITS.as_pointer()), align=4)
    there = builder.icmp_unsigned(">", held, emit.spread(builder, builder.trunc(step, I32), I32))
    return builder.select(there, added, total)
