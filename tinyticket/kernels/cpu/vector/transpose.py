"""Sixteen rows of sixteen values, turned in registers: what brings samples beside each other and back.

Blocks of two, four and eight lanes are exchanged between registers, then halves; each step is one shuffle a register.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import (
    I32,
    I64,
    VECTOR,
    ZERO,
    first_lanes,
    floats,
    fused,
    intrinsic,
    load_at,
    splat,
    store_at,
)
from tinyticket.kernels.cpu.vector.simd import call as call_llvm
from tinyticket.kernels.cpu.vector.streaming import stream_at
from tinyticket.kernels.cpu.vector.tiles import tile_of

SQUARE = tile_of(LANES)


def turned(builder, rows):
    """Emit the transpose of a list of sixteen vectors."""
    distance = LANES // 2
    while distance:
        low = [lane if not lane & distance else lane - distance + LANES for lane in range(LANES)]
        high = [lane + distance if not lane & distance else lane + LANES for lane in range(LANES)]
        patterns = [ir.Constant(ir.VectorType(I32, LANES), [I32(lane) for lane in lanes]) for lanes in (low, high)]
        rows = list(rows)
        for i in range(LANES):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                rows[i], rows[i + distance] = (builder.shuffle_vector(*pair, pattern) for pattern in patterns)
        distance //= 2
    return rows


@intrinsic
def square_of_rows(typing, data, starts, offset, count):
    """Return the tile of data[starts[i] + offset : ... + count] for sixteen rows, zeros after `count`."""

    def codegen(context, builder, sig, args):
        present = first_lanes(builder, args[3])
        rows = []
        for i in range(LANES):
            start = builder.add(builder.load(builder.gep(args[1], [I64(i)])), args[2])
            place = builder.bitcast(builder.gep(args[0], [start]), VECTOR.as_pointer())
            rows.append(call_llvm(builder, f"llvm.masked.load.v{LANES}f32.p0", place, I32(4), present, ZERO))
        return context.make_tuple(builder, SQUARE, rows)

    return SQUARE(floats, types.CPointer(types.int64), types.intp, types.intp), codegen


@intrinsic
def square_of_pixels(typing, data, starts, offset):
    """Return the tile of data[starts[i] + offset : ... + 16] / 255 for sixteen rows of bytes, correctly rounded.

    The quotient's error is found and taken back with two fused multiply-adds, many times quicker than dividing. Sixteen
    bytes are always read.
    """

    def codegen(context, builder, sig, args):
        divisor, inverse = splat(255.0), splat(float(np.float32(1) / np.float32(255)))
        rows = []
        for i in range(LANES):
            start = builder.add(builder.load(builder.gep(args[1], [I64(i)])), args[2])
            place = builder.bitcast(builder.gep(args[0], [start]), ir.VectorType(ir.IntType(8), LANES).as_pointer())
            pixel = builder.uitofp(builder.load(place, align=1), VECTOR)
            quotient = builder.fmul(pixel, inverse)
            error = fused(builder, builder.fneg(quotient), divisor, pixel)
            rows.append(fused(builder, error, inverse, quotient))
        return context.make_tuple(builder, SQUARE, rows)

    return SQUARE(types.CPointer(types.uint8), types.CPointer(types.int64), types.intp), codegen


@intrinsic
def square_of_lines(typing, place, stride, count):
    """Return the tile of place[i * stride : ... + 16] for sixteen rows; from `count` on they repeat the last."""

    def codegen(context, builder, sig, args):
        last = builder.sub(args[2], I64(1))
        rows = []
        for i in range(LANES):
            row = builder.select(builder.icmp_signed("<", I64(i), last), I64(i), last)
            rows.append(load_at(builder, builder.gep(args[0], [builder.mul(row, args[1])])))
        return context.make_tuple(builder, SQUARE, rows)

    return SQUARE(floats, types.intp, types.intp), codegen


@intrinsic
def transposed(typing, square, count):
    """Return the transpose of a square, with lanes from `count` on set to zero."""

    def codegen(context, builder, sig, args):
        present = first_lanes(builder, args[1])
        rows = turned(builder, cgutils.unpack_tuple(builder, args[0], LANES))
        return context.make_tuple(builder, SQUARE, [builder.select(present, row, ZERO) for row in rows])

    return SQUARE(SQUARE, types.intp), codegen


def _storing(store):
    """Make the function that stores a square's first rows."""

    @intrinsic
    def put_square(typing, place, stride, square, count):
        def codegen(context, builder, sig, args):
            for i, row in enumerate(cgutils.unpack_tuple(builder, args[2], LANES)):
                with builder.if_then(builder.icmp_signed("<", I64(i), args[3]), likely=True):
                    store(builder, row, builder.gep(args[0], [builder.mul(I64(i), args[1])]))
            return context.get_dummy_value()

        return types.void(floats, types.intp, SQUARE, types.intp), codegen

    return put_square


store_square, stream_square = _storing(store_at), _storing(stream_at)
"""place[i * stride : ... + 16] = square[i] for the first `count` rows; or the same past the caches."""


@intrinsic
def store_corner(typing, place, stride, square, rows, columns):
    """place[i * stride : ... + columns] = square[i, :columns] for the first `rows` rows; nothing else is touched."""

    def codegen(context, builder, sig, args):
        present = first_lanes(builder, args[4])
        for i, row in enumerate(cgutils.unpack_tuple(builder, args[2], LANES)):
            with builder.if_then(builder.icmp_signed("<", I64(i), args[3]), likely=True):
                start = builder.bitcast(builder.gep(args[0], [builder.mul(I64(i), args[1])]), VECTOR.as_pointer())
                parts = row, start, I32(4), present
                call_llvm(builder, f"llvm.masked.store.v{LANES}f32.p0", *parts, result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(floats, types.intp, SQUARE, types.intp, types.intp), codegen


@intrinsic
def stack_starts(typing):
    """Return the address of sixteen uninitialised int64 on the stack."""

    def codegen(context, builder, sig, args):
        return cgutils.alloca_once(builder, I64, size=I64(LANES))

    return types.CPointer(types.int64)(), codegen


@intrinsic
def put(typing, place, index, value):
    """place[index] = value."""

    def codegen(context, builder, sig, args):
        builder.store(args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(place, types.intp, place.dtype), codegen
