"""A vector of sixteen float32 lanes as a Numba type, with the few operations that kernels need.

Numba's own loops stop at load, multiply-add, store: what a loop accumulates goes through memory. A value of this type lives in registers instead,
and tuples of it (tiles.py) are the accumulators of register-blocked kernels. Arithmetic is written with operators; a multiplication followed by an
addition is fused only where `muladd` says so. Offsets count array elements and are not checked: whoever calls a kernel has validated them.

Addresses are formed with getelementptr only, so that LLVM knows what they point into; loads promise no more than the alignment of a float32, which
costs nothing when the buffer is in fact aligned to a cache line.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.arrayobj import populate_array

from tinyticket.kernels.cpu.machine import LANES

FLOAT, I1, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(32), ir.IntType(64)
VECTOR, BITS, CHOICE = (ir.VectorType(kind, LANES) for kind in (FLOAT, I32, I1))


class VectorType(types.Type):
    """Sixteen float32."""

    def __init__(self):
        super().__init__(name=f"float32x{LANES}")


class ChoiceType(types.Type):
    """Sixteen truth values: what comparing vectors gives, for `select` and `store_where`."""

    def __init__(self):
        super().__init__(name=f"boolx{LANES}")


vector, choice = VectorType(), ChoiceType()


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


def address(context, builder, array_type, array, offset):
    """Address of one element of a flat array."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


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
    """x * y + z, fused where the CPU can and never a library call (which llvm.fma would be without FMA units)."""
    return call(builder, f"llvm.fmuladd.v{LANES}f32", x, y, z)


def relu_of(builder, x):
    """The larger of x and zero; NaN stays NaN. One instruction, vmaxps, which returns its second operand when unordered."""
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


@intrinsic
def load(typing, array, offset):
    """array[offset : offset + 16]."""

    def codegen(context, builder, sig, args):
        return load_at(builder, address(context, builder, sig.args[0], *args))

    return vector(array, types.intp), codegen


@intrinsic
def store(typing, array, offset, value):
    """array[offset : offset + 16] = value."""

    def codegen(context, builder, sig, args):
        store_at(builder, args[2], address(context, builder, sig.args[0], *args[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def load_part(typing, array, offset, count):
    """array[offset : offset + count] followed by zeros; nothing beyond is touched."""

    def codegen(context, builder, sig, args):
        pointer = builder.bitcast(address(context, builder, sig.args[0], *args[:2]), VECTOR.as_pointer())
        name = f"llvm.masked.load.v{LANES}f32.p0"
        return call(builder, name, pointer, I32(4), first_lanes(builder, args[2]), ZERO)

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def store_part(typing, array, offset, value, count):
    """array[offset : offset + count] = value[:count]."""

    def codegen(context, builder, sig, args):
        pointer = builder.bitcast(address(context, builder, sig.args[0], *args[:2]), VECTOR.as_pointer())
        name = f"llvm.masked.store.v{LANES}f32.p0"
        call(builder, name, args[2], pointer, I32(4), first_lanes(builder, args[3]), result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, types.intp), codegen


@intrinsic
def at(typing, array, index):
    """array[index] without wrap-around or checks; an unsigned integer becomes an intp."""
    result = types.intp if isinstance(array.dtype, types.Integer) else array.dtype

    def codegen(context, builder, sig, args):
        value = builder.load(address(context, builder, sig.args[0], *args))
        return builder.zext(value, I64) if isinstance(value.type, ir.IntType) and value.type.width < 64 else value

    return result(array, types.intp), codegen


@intrinsic
def broadcast(typing, scalar):
    """Return a vector with a float32 scalar in every lane."""
    return vector(types.float32), lambda context, builder, sig, args: spread(builder, args[0])


@intrinsic
def muladd(typing, x, y, z):
    """x * y + z in one rounding where the CPU has fused multiply-adds."""
    return vector(vector, vector, vector), lambda context, builder, sig, args: fused(builder, *args)


@intrinsic
def select(typing, condition, x, y):
    """Lanes of x where the condition holds, of y elsewhere."""
    return vector(choice, vector, vector), lambda context, builder, sig, args: builder.select(*args)


@intrinsic
def below(typing, count):
    """Truth in the first `count` lanes."""
    return choice(types.intp), lambda context, builder, sig, args: first_lanes(builder, args[0])


@intrinsic
def surviving(typing, mask, offset, count):
    """Truth where a byte of mask[offset : offset + count] is not zero; no more than sixteen."""

    def codegen(context, builder, sig, args):
        bytes16 = ir.VectorType(ir.IntType(8), LANES)
        pointer = builder.bitcast(address(context, builder, sig.args[0], *args[:2]), bytes16.as_pointer())
        name = f"llvm.masked.load.v{LANES}i8.p0"
        none = splat(0, ir.IntType(8))
        held = call(builder, name, pointer, I32(1), first_lanes(builder, args[2]), none, result=bytes16)
        return builder.icmp_unsigned("!=", held, none)

    return choice(mask, types.intp, types.intp), codegen


@intrinsic
def view(typing, array, start, size):
    """Return array[start : start + size] without counting a reference: the array must outlive the view, as an arena does."""
    result = types.Array(array.dtype, 1, "C")

    def codegen(context, builder, sig, args):
        return _flat_array(context, builder, result, address(context, builder, sig.args[0], *args[:2]), args[2])

    return result(array, types.intp, types.intp), codegen


@intrinsic(prefer_literal=True)
def stack_array(typing, size):
    """Return an uninitialised float32 array on the stack, for tiles that are finished vector by vector."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    result = types.Array(types.float32, 1, "C")

    def codegen(context, builder, sig, args):
        held = cgutils.alloca_once(builder, VECTOR, size=I64(size.literal_value // LANES))
        return _flat_array(context, builder, result, builder.bitcast(held, FLOAT.as_pointer()), I64(size.literal_value))

    return result(size), codegen


def _flat_array(context, builder, array_type, data, size):
    array = context.make_array(array_type)(context, builder)
    itemsize = I64(array_type.dtype.bitwidth // 8)
    populate_array(array, data, [size], [itemsize], itemsize, meminfo=None)
    return array._getvalue()
