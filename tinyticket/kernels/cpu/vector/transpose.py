"""Sixteen rows of sixteen values, turned in registers: what brings samples beside each other and back.

Blocks of two, four and eight lanes are exchanged between registers, then halves; each step is one shuffle a register.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I8, I64, VECTOR, floats, instruction
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.streaming import stream_at
from tinyticket.kernels.cpu.vector.tiles import tile_of

SQUARE = tile_of(LANES)
_STARTS = types.CPointer(types.int64)


def turned(builder, rows):
    """Emit the transpose of a list of sixteen vectors."""
    distance = LANES // 2
    while distance:
        low = [lane if not lane & distance else lane - distance + LANES for lane in range(LANES)]
        high = [lane + distance if not lane & distance else lane + LANES for lane in range(LANES)]
        rows = list(rows)
        for i in range(LANES):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                rows[i], rows[i + distance] = (builder.shuffle_vector(*pair, emit.numbers(p)) for p in (low, high))
        distance //= 2
    return rows


def _at_starts(builder, data, starts, offset):
    """Emit the sixteen addresses of data[starts[i] + offset]."""
    for i in range(LANES):
        yield builder.gep(data, [builder.add(builder.load(builder.gep(starts, [I64(i)])), offset)])


@instruction(SQUARE(floats, _STARTS, types.intp, types.intp))
def square_of_rows(builder, data, starts, offset, count):
    """Return the tile of data[starts[i] + offset : ... + count] for sixteen rows, zeros after `count`."""
    present = emit.first_lanes(builder, count)
    return [emit.load_lanes(builder, place, present) for place in _at_starts(builder, data, starts, offset)]


@instruction(SQUARE(types.CPointer(types.uint8), _STARTS, types.intp))
def square_of_pixels(builder, data, starts, offset):
    """Return the tile of data[starts[i] + offset : ... + 16] / 255 for sixteen rows of bytes, correctly rounded.

    The quotient's error is found and taken back with two fused multiply-adds, many times quicker than dividing. Sixteen
    bytes are always read.
    """
    divisor, inverse = emit.splat(255.0), emit.splat(float(np.float32(1) / np.float32(255)))
    rows = []
    for place in _at_starts(builder, data, starts, offset):
        pixels = builder.load(builder.bitcast(place, ir.VectorType(I8, LANES).as_pointer()), align=1)
        pixel = builder.uitofp(pixels, VECTOR)
        quotient = builder.fmul(pixel, inverse)
        error = emit.fused(builder, builder.fneg(quotient), divisor, pixel)
        rows.append(emit.fused(builder, error, inverse, quotient))
    return rows


@instruction(SQUARE(floats, types.intp, types.intp))
def square_of_lines(builder, place, stride, count):
    """Return the tile of place[i * stride : ... + 16] for sixteen rows; from `count` on they repeat the last."""
    rows = (builder.mul(row, stride) for row in emit.clamped(builder, LANES, count))
    return [emit.load(builder, builder.gep(place, [row])) for row in rows]


@instruction(SQUARE(SQUARE, types.intp))
def transposed(builder, square, count):
    """Return the transpose of a square, with lanes from `count` on set to zero."""
    present = emit.first_lanes(builder, count)
    return [builder.select(present, row, emit.ZERO) for row in turned(builder, square)]


def _first_rows(builder, place, stride, square, count):
    """Emit what stores the first `count` rows of a square one by one: yield each row and where it goes."""
    for i, row in enumerate(square):
        with builder.if_then(builder.icmp_signed("<", I64(i), count), likely=True):
            yield row, builder.gep(place, [builder.mul(I64(i), stride)])


def _storing(store):
    """Make place[i * stride : ... + 16] = square[i] for the first `count` rows."""

    @instruction(types.void(floats, types.intp, SQUARE, types.intp))
    def put_square(builder, place, stride, square, count):
        for row, target in _first_rows(builder, place, stride, square, count):
            store(builder, row, target)

    return put_square


store_square, stream_square = _storing(emit.store), _storing(stream_at)  # into the caches, and past them


@instruction(types.void(floats, types.intp, SQUARE, types.intp, types.intp))
def store_corner(builder, place, stride, square, rows, columns):
    """place[i * stride : ... + columns] = square[i, :columns] for the first `rows` rows; nothing else is touched."""
    present = emit.first_lanes(builder, columns)
    for row, target in _first_rows(builder, place, stride, square, rows):
        emit.store_lanes(builder, row, target, present)


@instruction(_STARTS())
def stack_starts(builder):
    """Return the address of sixteen uninitialised int64 on the stack."""
    return cgutils.alloca_once(builder, I64, size=I64(LANES))


@instruction(lambda place, index, value: types.void(place, types.intp, place.dtype))
def put(builder, place, index, value):
    """place[index] = value."""
    builder.store(value, builder.gep(place, [index]))
