"""Sixteen rows of sixteen values, turned in registers: what brings samples beside each other and back.

Blocks of two, four and eight lanes are exchanged between registers, then halves; each step is one shuffle a register.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I8, I32, I64, VECTOR, floats, instruction
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.streaming import stream_at
from tinyticket.kernels.cpu.vector.tiles import tile_of

SQUARE = tile_of(LANES)
_STARTS = types.CPointer(types.int64)
_BYTES = types.CPointer(types.uint8)
_PIXELS = ir.VectorType(I8, LANES)
_INTERLEAVED = [  # of two registers of four quarters: the first halves of their quarters, byte by byte, and the second ones
    [16 * quarter + half + i + 64 * which for quarter in range(4) for i in range(8) for which in (0, 1)]
    for half in (0, 8)
]


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


def _joined(builder, parts):
    """Emit one vector of the elements of several, two or four of a kind, one after the other."""
    if len(parts) == 1:
        return parts[0]
    pair = [_joined(builder, half) for half in (parts[: len(parts) // 2], parts[len(parts) // 2 :])]
    return builder.shuffle_vector(*pair, emit.numbers(range(2 * pair[0].type.count)))


def _pixel_rows(builder, data, starts, offset):
    """Emit the loads of data[starts[i] + offset : ... + 16] for sixteen rows of bytes."""
    for place in _at_starts(builder, data, starts, offset):
        yield builder.load(builder.bitcast(place, _PIXELS.as_pointer()), align=1)


def _divided(builder, pixel):
    """Emit pixel / 255, correctly rounded for all whole numbers below 256, many times quicker than dividing.

    1 / 255 is added up from two float32, of which the first has all but the last bits.
    """
    inverse = float(np.float32(1) / np.float32(255))
    rest = emit.splat(float(np.float32(1 / 255 - inverse)))
    return emit.fused(builder, pixel, emit.splat(inverse), builder.fmul(pixel, rest))


@instruction(SQUARE(_BYTES, _STARTS, types.intp))
def square_of_pixels(builder, data, starts, offset):
    """Return the tile of data[starts[i] + offset : ... + 16] / 255 for sixteen rows of bytes, which are always read."""
    rows = _pixel_rows(builder, data, starts, offset)
    return [_divided(builder, builder.uitofp(row, VECTOR)) for row in rows]


@instruction(SQUARE(_BYTES, _STARTS, types.intp, types.intp))
def columns_of_pixels(builder, data, starts, offset, count):
    """Return the transpose of `square_of_pixels`, with lanes from `count` on set to zero.

    Bytes are turned instead of numbers, which takes less than half as many shuffles. Row 4 i + k is the i-th quarter of the k-th of
    four registers; two steps bring the four rows of a quarter beside each other, and what widens a byte picks the column.
    """
    rows = list(_pixel_rows(builder, data, starts, offset))
    registers = [_joined(builder, rows[k::4]) for k in range(4)]
    for k, other in ((0, 2), (1, 3), (0, 1), (2, 3)):
        pair = registers[k], registers[other]
        registers[k], registers[other] = (builder.shuffle_vector(*pair, emit.numbers(p)) for p in _INTERLEAVED)
    present, none = emit.first_lanes(builder, count), ir.Constant(registers[0].type, None)
    columns = []
    for column in range(LANES):
        bytes_of = [16 * (lane // 4) + 4 * (column % 4) + lane % 4 for lane in range(LANES)]
        widened = emit.numbers([byte for place in bytes_of for byte in (place, 64, 64, 64)])
        numbers = builder.bitcast(
            builder.shuffle_vector(registers[column // 4], none, widened), ir.VectorType(I32, LANES)
        )
        columns.append(builder.select(present, _divided(builder, builder.sitofp(numbers, VECTOR)), emit.ZERO))
    return columns


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


@instruction(lambda size: _STARTS(size))
def stack_places(builder, size):
    """Return the address of so many uninitialised int64 on the stack."""
    return cgutils.alloca_once(builder, I64, size=I64(size))


@instruction(lambda place, index, value: types.void(place, types.intp, place.dtype))
def put(builder, place, index, value):
    """place[index] = value."""
    builder.store(value, builder.gep(place, [index]))
