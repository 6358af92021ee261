"""The few operations on vectors of sixteen float32 that kernels need.

Arithmetic is written with operators; a multiplication followed by an addition is fused only where `muladd` says so. Kernels turn
their arrays into plain addresses (`pointer`) before they call helpers, because passing an array on counts a reference, twice, each
time. Offsets count elements and are not checked: whoever calls a kernel has validated them.
"""

import functools
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.emit import call
from tinyticket.kernels.cpu.vector.instruction import I8, I32, I64, choice, floats, instruction, intrinsic, vector
from tinyticket.kernels.cpu.vector.machine import LANES


def _binary(operation, emitted, result=vector):
    @infer_global(operation)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            return signature(result, vector, vector) if args == (vector, vector) else None

    @lower_builtin(operation, vector, vector)
    def lower(context, builder, sig, args):
        return emitted(builder, *args)


_binary(operator.add, ir.IRBuilder.fadd)
_binary(operator.sub, ir.IRBuilder.fsub)
_binary(operator.mul, ir.IRBuilder.fmul)
_binary(operator.truediv, ir.IRBuilder.fdiv)
_binary(operator.lt, lambda builder, x, y: builder.fcmp_ordered("<", x, y), choice)
_binary(operator.le, lambda builder, x, y: builder.fcmp_ordered("<=", x, y), choice)
_binary(operator.eq, lambda builder, x, y: builder.fcmp_ordered("==", x, y), choice)

zero = instruction(vector())(lambda builder: emit.ZERO)
broadcast = instruction(vector(types.float32))(lambda builder, scalar: emit.spread(builder, scalar))
select = instruction(vector(choice, vector, vector))(lambda builder, condition, x, y: builder.select(condition, x, y))
muladd = instruction(vector(vector, vector, vector))(emit.fused)
relu = instruction(vector(vector))(emit.relu)
below = instruction(choice(types.intp))(emit.first_lanes)
square_root = instruction(vector(vector))(lambda builder, x: call(builder, f"llvm.sqrt.v{LANES}f32", x))
absolute = instruction(vector(vector))(lambda builder, x: call(builder, f"llvm.fabs.v{LANES}f32", x))


@intrinsic(prefer_literal=False)
def pointer(typing, array, offset):
    """Return the address of array[offset], which kernels pass on because arrays would be reference-counted."""

    def codegen(context, builder, sig, args):
        return builder.gep(context.make_array(sig.args[0])(context, builder, args[0]).data, [args[1]])

    return types.CPointer(array.dtype)(array, types.intp), codegen


@instruction(lambda place, offset: place(place, types.intp))
def advance(builder, place, offset):
    """Return the address of place[offset]."""
    return builder.gep(place, [offset])


@instruction(lambda size: floats(size))
def stack_floats(builder, size):
    """Return the address of uninitialised float32 on the stack, for tiles that are finished vector by vector."""
    held = cgutils.alloca_once(builder, emit.ZERO.type, size=I64(size // LANES))
    return builder.bitcast(held, emit.FLOAT.as_pointer())


@instruction(lambda size: types.CPointer(types.uint32)(size))
def stack_numbers(builder, size):
    """Return the address of uninitialised uint32 on the stack."""
    return cgutils.alloca_once(builder, I32, size=I64(size))


@instruction(lambda place, offset, count: types.intp(place, types.intp, count))
def any_of(builder, place, offset, count):
    """Return 1 if one of the `count` vectors at place[offset] is not zero in one of its lanes, else 0."""
    start, bits = builder.gep(place, [offset]), ir.VectorType(I32, LANES)
    found = [builder.bitcast(emit.load(builder, start, LANES * j), bits) for j in range(count)]
    together = builder.shl(functools.reduce(builder.or_, found), emit.splat(1, I32))  # without the signs
    present = builder.icmp_unsigned("!=", together, emit.splat(0, I32))
    lanes = builder.bitcast(present, ir.IntType(LANES))
    return builder.zext(builder.icmp_unsigned("!=", lanes, ir.Constant(lanes.type, 0)), I64)


@instruction(lambda place, offset: types.void(place, types.intp))
def prefetch(builder, place, offset):
    """Ask for the cache line of place[offset], which will be read soon."""
    emit.prefetch(builder, builder.gep(place, [offset]))


@instruction(vector(floats, types.intp))
def load(builder, place, offset):
    """place[offset : offset + 16]."""
    return emit.load(builder, builder.gep(place, [offset]))


@instruction(types.void(floats, types.intp, vector))
def store(builder, place, offset, value):
    """place[offset : offset + 16] = value."""
    emit.store(builder, value, builder.gep(place, [offset]))


@instruction(vector(floats, types.intp, types.intp))
def load_part(builder, place, offset, count):
    """place[offset : offset + count] followed by zeros; nothing beyond is touched."""
    return emit.load_lanes(builder, builder.gep(place, [offset]), emit.first_lanes(builder, count))


@instruction(types.void(floats, types.intp, vector, types.intp))
def store_part(builder, place, offset, value, count):
    """place[offset : offset + count] = value[:count]."""
    emit.store_lanes(builder, value, builder.gep(place, [offset]), emit.first_lanes(builder, count))


@instruction(lambda p, index: (types.intp if isinstance(p.dtype, types.Integer) else p.dtype)(p, types.intp))
def at(builder, place, index):
    """place[index]; an unsigned integer becomes an intp."""
    return emit.element(builder, place, index)


@instruction(lambda mask, offset, count: choice(mask, types.intp, types.intp))
def surviving(builder, mask, offset, count):
    """Truth where a byte of mask[offset : offset + count] is not zero; no more than sixteen."""
    none = emit.splat(0, I8)
    start = builder.bitcast(builder.gep(mask, [offset]), none.type.as_pointer())
    parts = start, I32(1), emit.first_lanes(builder, count), none
    held = call(builder, f"llvm.masked.load.v{LANES}i8.p0", *parts, result=none.type)
    return builder.icmp_unsigned("!=", held, none)
