"""Vectors of fewer than sixteen lanes, for batches of a few samples: 2, 4, 8 or 16 float32 as a Numba type."""

import functools

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import FLOAT, floats, instruction

WIDTHS = (2, 4, 8, 16)
"""Lanes that there are."""


class NarrowType(types.Type):
    """So many float32 beside each other."""

    def __init__(self, lanes: int):
        self.lanes, self.llvm = lanes, ir.VectorType(FLOAT, lanes)
        super().__init__(name=f"narrow_float32x{lanes}")


@register_model(NarrowType)
class _NarrowModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, fe_type.llvm)


narrow = functools.cache(NarrowType)
"""From a number of lanes to the type."""


def _place(builder, base, index, lanes):
    """Emit the address of the index-th vector of so many lanes behind a base address."""
    return builder.gep(builder.bitcast(base, ir.VectorType(FLOAT, lanes).as_pointer()), [index])


@instruction(lambda scalar, lanes: narrow(lanes.literal_value)(types.float32, lanes))
def narrow_fill(builder, scalar, lanes):
    """Return a vector with a scalar in every lane."""
    return emit.spread(builder, scalar, lanes=lanes)


@instruction(lambda base, index, lanes: narrow(lanes.literal_value)(floats, types.intp, lanes))
def narrow_load(builder, base, index, lanes):
    """The index-th vector behind an address."""
    return builder.load(_place(builder, base, index, lanes), align=4)


@instruction(lambda base, index, value: types.void(floats, types.intp, value))
def narrow_store(builder, base, index, value):
    """Make it the index-th vector behind an address."""
    builder.store(value, _place(builder, base, index, value.type.count), align=4)


@instruction(lambda scalar, value, total: total(types.float32, value, total))
def narrow_axpy(builder, scalar, value, total):
    """total + scalar * value, fused where the CPU can."""
    lanes = value.type.count
    spread = emit.spread(builder, scalar, lanes=lanes)
    return emit.call(builder, f"llvm.fmuladd.v{lanes}f32", spread, value, total, result=value.type)


@instruction(lambda one, other: types.float32(one, other))
def narrow_dot(builder, one, other):
    """The sum over the lanes of one * other, by halves."""
    total = emit.halved(builder, builder.fmul(one, other), 1)
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))


@instruction(lambda one: types.float32(one))
def narrow_sum(builder, one):
    """The sum over the lanes, by halves."""
    return builder.extract_element(emit.halved(builder, one, 1), ir.Constant(ir.IntType(32), 0))


@instruction(lambda value: value(value))
def narrow_relu(builder, value):
    """The larger of each lane and zero; NaN stays NaN."""
    zero = ir.Constant(value.type, None)
    return builder.select(builder.fcmp_ordered(">", zero, value), zero, value)


@instruction(lambda condition, value: value(condition, value))
def narrow_where_positive(builder, condition, value):
    """Zero in every lane in which `condition`, the output of a ReLU, is zero."""
    zero = ir.Constant(value.type, None)
    return builder.select(builder.fcmp_ordered("<=", condition, zero), zero, value)
