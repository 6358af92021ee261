"""A vector of sixteen float32 lanes as a Numba type, with the few operations that kernels need.

Numba's own loops stop at load, multiply-add, store: what a loop accumulates goes through memory. A value of this type
lives in registers instead, and tuples of it (tiles.py) are the accumulators of register-blocked kernels. Arithmetic
is written with operators; a multiplication followed by an addition is fused only where `muladd` says so. Kernels turn
their arrays into plain addresses (`pointer`) before they call helpers, because passing an array on counts a
reference, twice, each time. Offsets count elements and are not checked: whoever calls a kernel has validated them.
Addresses are formed with getelementptr only, so that LLVM knows what they point into; loads promise no more than the
alignment of a float32, which costs nothing when the buffer is in fact aligned to a cache line.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

from tinyticket.kernels.cpu.vector.machine import LANES

intrinsic: Any = numba_intrinsic  # whose annotations mistake the codegen's arguments for the caller's

FLOAT, I1, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(32), ir.IntType(64)
VECTOR, BITS, CHOICE = (ir.VectorType(kind, LANES) for kind in (FLOAT, I32, I1))


class VectorType(types.Type):
    """Sixteen float32."""

    def __init__(self):
        super().__init__(name=f"float32x{LANES}")


class ChoiceType(types.Type):
    """Sixteen truth values: what comparing vectors gives, for `select`."""

    def __init__(self):
        super().__init__(name=f"boolx{LANES}")


vector, choice, floats = VectorType(), ChoiceType(), types.CPointer(types.float32)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, VECTOR)


@register_model(ChoiceType)
class _ChoiceModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, CHOICE)


def splat(value, kind=FLOAT):
    """Return a constant vector with the same value in every lane."""
    return ir.Constant(ir.VectorType(kind, LANES), [ir.Constant(kind, value)] * LANES)


ZERO = splat(0.0)


def load_at(builder, base, offset=0):
    """Emit a load of the sixteen floats that start `offset` elements (a Python int) after a base address."""
    pointer = builder.gep(base, [I64(offset)]) if offset else base
    return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def store_at(builder, value, base, offset=0):
    """Emit the store that matches `load_at`."""
    pointer = builder.gep(base, [I64(offset)]) if offset else base
    builder.store(value, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def spread(builder, scalar, kind=FLOAT):
    """Emit a broadcast of a scalar to all lanes."""
    undefined = ir.Constant(ir.VectorType(kind, LANES), ir.Undefined)
    first = builder.insert_element(undefined, scalar, I32(0))
    return builder.shuffle_vector(first, undefined, splat(0, I32))


def call(builder, name, *args, result=VECTOR):
    """Emit a call of an LLVM intrinsic."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def fused(builder, x, y, z):
    """Emit x * y + z, fused where the CPU can and never a library call (which llvm.fma would be without FMA units)."""
    return call(builder, f"llvm.fmuladd.v{LANES}f32", x, y, z)


def relu_of(builder, x):
    """Emit the larger of x and zero, NaN where x is: one vmaxps, which returns its second operand when unordered."""
    return builder.select(builder.fcmp_ordered(">", ZERO, x), ZERO, x)


def first_lanes(builder, count):
    """Truth for the lanes below a run-time count."""
    numbers = ir.Constant(BITS, [I32(lane) for lane in range(LANES)])
    return builder.icmp_signed("<", numbers, spread(builder, builder.trunc(count, I32), I32))


def _binary(operation, emit, result):
    @infer_global(operation)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            return signature(result, vector, vector) if args == (vector, vector) else None

    @lower_builtin(operation, vector, vector)
    def lower(context, builder, sig, args):
        return emit(builder, *args)


def _unary(name):
    @intrinsic
    def function(typing, x):
        return vector(vector), lambda context, builder, sig, args: call(builder, name, args[0])

    return function


_binary(operator.add, lambda builder, x, y: builder.fadd(x, y), vector)
_binary(operator.sub, lambda builder, x, y: builder.fsub(x, y), vector)
_binary(operator.mul, lambda builder, x, y: builder.fmul(x, y), vector)
_binary(operator.truediv, lambda builder, x, y: builder.fdiv(x, y), vector)
_binary(operator.lt, lambda builder, x, y: builder.fcmp_ordered("<", x, y), choice)
_binary(operator.le, lambda builder, x, y: builder.fcmp_ordered("<=", x, y), choice)
_binary(operator.eq, lambda builder, x, y: builder.fcmp_ordered("==", x, y), choice)

square_root = _unary(f"llvm.sqrt.v{LANES}f32")
absolute = _unary(f"llvm.fabs.v{LANES}f32")


@intrinsic(prefer_literal=False)
def pointer(typing, array, offset):
    """Return the address of array[offset], which kernels pass on because arrays would be reference-counted."""

    def codegen(context, builder, sig, args):
        return builder.gep(context.make_array(sig.args[0])(context, builder, args[0]).data, [args[1]])

    return types.CPointer(array.dtype)(array, types.intp), codegen


@intrinsic
def advance(typing, place, offset):
    """Return the address of place[offset]."""
    return place(place, types.intp), lambda context, builder, sig, args: builder.gep(args[0], [args[1]])


@intrinsic(prefer_literal=True)
def stack_floats(typing, size):
    """Return the address of uninitialised float32 on the stack, for tiles that are finished vector by vector."""
    if not isinstance(size, types.IntegerLiteral):
        return None

    def codegen(context, builder, sig, args):
        held = cgutils.alloca_once(builder, VECTOR, size=I64(size.literal_value // LANES))
        return builder.bitcast(held, FLOAT.as_pointer())

    return floats(size), codegen


@intrinsic
def prefetch(typing, place, offset):
    """Ask for the cache line of place[offset], which will be read soon."""

    def codegen(context, builder, sig, args):
        where = builder.bitcast(builder.gep(args[0], [args[1]]), ir.IntType(8).as_pointer())
        call(builder, "llvm.prefetch.p0", where, I32(0), I32(3), I32(1), result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(place, types.intp), codegen


@intrinsic
def load(typing, place, offset):
    """place[offset : offset + 16]."""
    return vector(floats, types.intp), lambda context, builder, sig, args: load_at(
        builder, builder.gep(args[0], [args[1]])
    )


@intrinsic
def store(typing, place, offset, value):
    """place[offset : offset + 16] = value."""

    def codegen(context, builder, sig, args):
        store_at(builder, args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(floats, types.intp, vector), codegen


@intrinsic
def load_part(typing, place, offset, count):
    """place[offset : offset + count] followed by zeros; nothing beyond is touched."""

    def codegen(context, builder, sig, args):
        start = builder.bitcast(builder.gep(args[0], [args[1]]), VECTOR.as_pointer())
        return call(builder, f"llvm.masked.load.v{LANES}f32.p0", start, I32(4), first_lanes(builder, args[2]), ZERO)

    return vector(floats, types.intp, types.intp), codegen


@intrinsic
def store_part(typing, place, offset, value, count):
    """place[offset : offset + count] = value[:count]."""

    def codegen(context, builder, sig, args):
        start = builder.bitcast(builder.gep(args[0], [args[1]]), VECTOR.as_pointer())
        parts = args[2], start, I32(4), first_lanes(builder, args[3])
        call(builder, f"llvm.masked.store.v{LANES}f32.p0", *parts, result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(floats, types.intp, vector, types.intp), codegen


@intrinsic
def at(typing, place, index):
    """place[index]; an unsigned integer becomes an intp."""
    integer = isinstance(place.dtype, types.Integer)

    def codegen(context, builder, sig, args):
        value = builder.load(builder.gep(args[0], [args[1]]))
        return builder.zext(value, I64) if integer and value.type.width < 64 else value

    return (types.intp if integer else place.dtype)(place, types.intp), codegen


@intrinsic
def broadcast(typing, scalar):
    """Return a vector with a float32 scalar in every lane."""
    return vector(types.float32), lambda context, builder, sig, args: spread(builder, args[0])


@intrinsic
def zero(typing):
    """Return a vector of zeros."""
    return vector(), lambda context, builder, sig, args: ZERO


@intrinsic
def muladd(typing, x, y, z):
    """X * y + z in one rounding where the CPU has fused multiply-adds."""
    return vector(vector, vector, vector), lambda context, builder, sig, args: fused(builder, *args)


@intrinsic
def select(typing, condition, x, y):
    """Lanes of x where the condition holds, of y elsewhere."""
    return vector(choice, vector, vector), lambda context, builder, sig, args: builder.select(*args)


@intrinsic
def relu(typing, x):
    """Return x with negative lanes set to zero; NaN stays NaN."""
    return vector(vector), lambda context, builder, sig, args: relu_of(builder, args[0])


@intrinsic
def below(typing, count):
    """Truth in the first `count` lanes."""
    return choice(types.intp), lambda context, builder, sig, args: first_lanes(builder, args[0])


@intrinsic
def surviving(typing, mask, offset, count):
    """Truth where a byte of mask[offset : offset + count] is not zero; no more than sixteen."""

    def codegen(context, builder, sig, args):
        none = splat(0, ir.IntType(8))
        start = builder.bitcast(builder.gep(args[0], [args[1]]), none.type.as_pointer())
        parts = start, I32(1), first_lanes(builder, args[2]), none
        held = call(builder, f"llvm.masked.load.v{LANES}i8.p0", *parts, result=none.type)
        return builder.icmp_unsigned("!=", held, none)

    return choice(mask, types.intp, types.intp), codegen
