"""Vectors of sixteen lanes as Numba types, and how operations on them are made.

Numba's own loops stop at load, multiply-add, store: what a loop accumulates goes through memory. A value of these types
lives in registers instead, and tuples of it (tiles.py) are the accumulators of register-blocked kernels.
"""

import functools
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

from tinyticket.kernels.cpu.vector.machine import LANES

intrinsic: Any = numba_intrinsic  # whose annotations mistake the codegen's arguments for the caller's
types: Any = numba.types  # whose annotations do not know that types of tuples can be iterated

FLOAT, DOUBLE, I1, I8, I32, I64 = ir.FloatType(), ir.DoubleType(), *(ir.IntType(bits) for bits in (1, 8, 32, 64))
VECTOR, BITS = ir.VectorType(FLOAT, LANES), ir.VectorType(I32, LANES)


class LanesType(types.Type):
    """Sixteen values beside each other."""

    def __init__(self, name, kind):
        self.llvm = ir.VectorType(kind, LANES)
        super().__init__(name=f"{name}x{LANES}")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, fe_type.llvm)


vector, wide = LanesType("float32", FLOAT), LanesType("float64", DOUBLE)
choice = LanesType("bool", I1)  # what comparing vectors gives
floats = types.CPointer(types.float32)


def instruction(types_of: Any) -> Any:
    """Make an operation of compiled code from a function that emits it, given a builder and the arguments.

    `types_of` is its signature, or a function that returns one for the types of the arguments. A tuple is given and returned as
    the list of its values, and a whole number that is a constant as Python's.
    """

    def make(emit):
        @functools.wraps(emit)
        def typed(typing, *given):
            def codegen(context, builder, sig, args):
                emitted = emit(builder, *(_given(builder, *each) for each in zip(sig.args, args, strict=True)))
                return _returned(context, builder, sig.return_type, emitted)

            return types_of(*given) if callable(types_of) else types_of, codegen

        return intrinsic(prefer_literal=True)(typed)

    return make


def _given(builder, kind, value):
    if isinstance(kind, types.IntegerLiteral):
        return kind.literal_value
    if isinstance(kind, types.BaseTuple):
        parts = cgutils.unpack_tuple(builder, value, kind.count)
        return [_given(builder, *each) for each in zip(kind, parts, strict=True)]
    return value


def _returned(context, builder, kind, value):
    if isinstance(kind, types.BaseTuple):
        parts = [_returned(context, builder, *each) for each in zip(kind, value, strict=True)]
        return context.make_tuple(builder, kind, parts)
    return context.get_dummy_value() if value is None else value
