"""What functions that emit code are made of: LLVM's instructions for sixteen lanes.

Addresses are formed with getelementptr only, so that LLVM knows what they point into; loads promise no more than the alignment of
a float32, which costs nothing when the buffer is in fact aligned.
"""

from llvmlite import ir
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.instruction import FLOAT, I8, I32, I64, VECTOR
from tinyticket.kernels.cpu.vector.machine import LANES


def numbers(values):
    """Return a constant vector of int32."""
    return ir.Constant(ir.VectorType(I32, len(values)), [I32(value) for value in values])


def splat(value, kind=FLOAT):
    """Return a constant vector with the same value in every lane."""
    return ir.Constant(ir.VectorType(kind, LANES), [ir.Constant(kind, value)] * LANES)


ZERO = splat(0.0)


def call(builder, name, *args, result=VECTOR):
    """Emit a call of an LLVM intrinsic."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def element(builder, place, index):
    """Emit the load of one element; a whole number becomes 64 bits wide, without a sign."""
    value = builder.load(builder.gep(place, [index]))
    return builder.zext(value, I64) if isinstance(value.type, ir.IntType) and value.type.width < 64 else value


def place(builder, base, offset=0):
    """Emit the address of the sixteen floats that start `offset` elements (a Python int) after a base address."""
    return builder.bitcast(builder.gep(base, [I64(offset)]) if offset else base, VECTOR.as_pointer())


def load(builder, base, offset=0):
    """Emit a load of the sixteen floats at a `place`."""
    return builder.load(place(builder, base, offset), align=4)


def store(builder, value, base, offset=0):
    """Emit a store of sixteen floats at a `place`."""
    builder.store(value, place(builder, base, offset), align=4)


def load_lanes(builder, base, present):
    """Emit a load of the lanes that are present, and zeros elsewhere."""
    return call(builder, f"llvm.masked.load.v{LANES}f32.p0", place(builder, base), I32(4), present, ZERO)


def store_lanes(builder, value, base, present):
    """Emit a store of the lanes that are present."""
    parts = value, place(builder, base), I32(4), present
    call(builder, f"llvm.masked.store.v{LANES}f32.p0", *parts, result=ir.VoidType())


def prefetch(builder, address, write=0):
    """Emit the hint that a cache line will soon be read, or written."""
    line = builder.bitcast(address, I8.as_pointer())
    call(builder, "llvm.prefetch.p0", line, I32(write), I32(3), I32(1), result=ir.VoidType())


def spread(builder, scalar, kind=FLOAT, lanes=LANES):
    """Emit a broadcast of a scalar to all lanes."""
    undefined = ir.Constant(ir.VectorType(kind, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, I32(0))
    return builder.shuffle_vector(first, undefined, numbers([0] * lanes))


def fused(builder, x, y, z):
    """Emit x * y + z, fused where the CPU can and never a library call (which llvm.fma would be without FMA units)."""
    return call(builder, f"llvm.fmuladd.v{LANES}f32", x, y, z)


def relu(builder, x):
    """Emit the larger of x and zero, NaN where x is: one vmaxps, which returns its second operand when unordered."""
    return builder.select(builder.fcmp_ordered(">", ZERO, x), ZERO, x)


def first_lanes(builder, count):
    """Emit truth for the lanes below a run-time count."""
    return builder.icmp_signed("<", numbers(range(LANES)), spread(builder, builder.trunc(count, I32), I32))


def clamped(builder, size, count):
    """Emit the numbers from 0 to `size`, of which those from `count` on repeat the last."""
    last = builder.sub(count, I64(1))
    return [builder.select(builder.icmp_signed("<", I64(i), last), I64(i), last) for i in range(size)]


def halved(builder, vector, size):
    """Emit the sums of lanes half the vector's length apart, again and again until `size` are left."""
    count = vector.type.count
    while count > size:
        count //= 2
        halves = (builder.shuffle_vector(vector, vector, numbers(range(start, start + count))) for start in (0, count))
        vector = builder.fadd(*halves)
    return vector
