"""Register tiles: tuples of vectors that a loop accumulates into, and what kernels do with them.

A tile's size is a compile-time constant, so that LLVM sees straight-line code over named registers. Where a tile reaches over the
edge of a matrix, the rows or columns beyond repeat the last one that exists; they are computed and not stored, which is cheaper
than a second version of the loop. Sums over the lanes of a vector always follow one tree, so that grouping never changes bits.
"""

from llvmlite import ir
from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import FLOAT, I32, I64, floats, instruction, vector
from tinyticket.kernels.cpu.vector.machine import LANES


def tile_of(count):
    """Type of a tile of `count` vectors."""
    return types.UniTuple(vector, count)


@instruction(lambda scalar, count: tile_of(count.literal_value)(types.float32, count))
def tile_fill(builder, scalar, count):
    """Return a tile of `count` vectors, a float32 scalar in every lane."""
    return [emit.spread(builder, scalar)] * count


@instruction(lambda place, offset, tile: types.void(floats, types.intp, tile))
def tile_store(builder, place, offset, tile):
    """place[offset : offset + 16 * count] = tile."""
    base = builder.gep(place, [offset])
    for j, value in enumerate(tile):
        emit.store(builder, value, base, LANES * j)


@instruction(lambda tile: tile(tile))
def tile_relu(builder, tile):
    """Return the tile with negative lanes set to zero; NaN stays NaN."""
    return [emit.relu(builder, x) for x in tile]


@instruction(lambda condition, tile: tile(tile, tile))
def tile_where_positive(builder, condition, tile):
    """Return the tile with zero in every lane in which `condition`, the output of a ReLU, is zero."""
    pairs = zip(condition, tile, strict=True)
    return [builder.select(builder.fcmp_ordered("<=", c, emit.ZERO), emit.ZERO, x) for c, x in pairs]


def outer(builder, rows, columns, tile):
    """Emit tile[i][j] + rows[i] * columns[j]; rows may be emitted one by one."""
    held = iter(tile)
    return [emit.fused(builder, row, column, next(held)) for row in rows for column in columns]


def _outer_product(builder, scalars, stride, rows_left, x, between, columns_left, rows, tile):
    """Emit the rank-one update tile[i][j] += scalars[i * stride] * x[j * between ...] of a tile of `rows` rows."""
    columns = [builder.mul(j, between) for j in emit.clamped(builder, len(tile) // rows, columns_left)]
    loaded = [emit.load(builder, builder.gep(x, [column])) for column in columns]
    places = (builder.gep(scalars, [builder.mul(i, stride)]) for i in emit.clamped(builder, rows, rows_left))
    return outer(builder, (emit.spread(builder, builder.load(place)) for place in places), loaded, tile)


_OUTER = floats, types.intp, types.intp, floats  # scalars, stride, rows_left, x


@instruction(lambda *given: given[-1](*_OUTER, types.intp, *given[-2:]))
def tile_outer(builder, scalars, stride, rows_left, x, columns_left, rows, tile):
    """Rank-one update tile[i][j] += scalars[i * stride] * x[16 j ...] of a tile of `rows` rows.

    Only rows_left rows and columns_left vectors exist; the tile's others repeat the last of them.
    """
    return _outer_product(builder, scalars, stride, rows_left, x, I64(LANES), columns_left, rows, tile)


@instruction(lambda *given: given[-1](*_OUTER, types.intp, types.intp, *given[-2:]))
def tile_outer_apart(builder, scalars, stride, rows_left, x, between, columns_left, rows, tile):
    """Take the update of `tile_outer` with vectors of x that lie `between` floats apart."""
    return _outer_product(builder, scalars, stride, rows_left, x, between, columns_left, rows, tile)


def sum_of_four(builder, a, b, c, d):
    """Emit the sums over the lanes of four vectors, as one vector of four floats."""

    def pick(x, y, pattern):
        lanes = [(lane // 4) * 4 + p % 4 + (LANES if p >= 4 else 0) for lane in range(0, LANES, 4) for p in pattern]
        return builder.shuffle_vector(x, y, emit.numbers(lanes))

    ab = builder.fadd(pick(a, b, (0, 4, 1, 5)), pick(a, b, (2, 6, 3, 7)))
    cd = builder.fadd(pick(c, d, (0, 4, 1, 5)), pick(c, d, (2, 6, 3, 7)))
    return emit.halved(builder, builder.fadd(pick(ab, cd, (0, 1, 4, 5)), pick(ab, cd, (2, 3, 6, 7))), 4)


@instruction(types.void(floats, types.intp, *[vector] * 4, types.intp, types.boolean))
def store_sums(builder, place, offset, a, b, c, d, count, add):
    """place[offset : offset + count] = the sums over the lanes of up to four vectors, added to what is there if `add`."""
    four = ir.VectorType(FLOAT, 4)
    zeros = ir.Constant(four, [FLOAT(0.0)] * 4)
    address = builder.bitcast(builder.gep(place, [offset]), four.as_pointer())
    indices = ir.Constant(ir.VectorType(I64, 4), [I64(i) for i in range(4)])
    present = builder.icmp_signed("<", indices, emit.spread(builder, count, I64, 4))
    total = sum_of_four(builder, a, b, c, d)
    before = emit.call(builder, "llvm.masked.load.v4f32.p0", address, I32(4), present, zeros, result=four)
    total = builder.fadd(builder.select(add, before, zeros), total)
    emit.call(builder, "llvm.masked.store.v4f32.p0", total, address, I32(4), present, result=ir.VoidType())
