"""Register tiles: tuples of vectors that a loop accumulates into, and what kernels do with them.

A tile's size is a compile-time constant, so that LLVM sees straight-line code over named registers. Each operation
here is the inner step of one family of kernels: `tile_axpy` of the sparse forward pass, `tile_pair` of the fused
sparse backward pass, `tile_dot` of the sparse weight gradient, `tile_outer` of everything dense. Where a tile reaches
over the edge of a matrix, the rows or columns beyond repeat the last one that exists; they are computed and not
stored, which is cheaper than a second version of the loop.

Sums over the lanes of a vector always follow one tree, whether they come alone or four together, so that grouping
never changes bits.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import (
    FLOAT,
    I32,
    I64,
    ZERO,
    call,
    floats,
    fused,
    intrinsic,
    load_at,
    relu_of,
    spread,
    store_at,
    vector,
)


def tile_of(count):
    """Type of a tile of `count` vectors."""
    return types.UniTuple(vector, count)


def _size(literal):
    return literal.literal_value if isinstance(literal, types.IntegerLiteral) else None


def _element(builder, base, index):
    """Load one element; an index becomes 64 bits wide, without a sign."""
    value = builder.load(builder.gep(base, [index]))
    return builder.zext(value, I64) if isinstance(value.type, ir.IntType) else value


@intrinsic(prefer_literal=True)
def tile_fill(typing, scalar, count):
    """Return a tile of `count` vectors, a float32 scalar in every lane."""
    if _size(count) is None:
        return None
    tile = tile_of(_size(count))

    def codegen(context, builder, sig, args):
        return context.make_tuple(builder, tile, [spread(builder, args[0])] * tile.count)

    return tile(types.float32, count), codegen


@intrinsic(prefer_literal=True)
def tile_load(typing, place, offset, count):
    """Return place[offset : offset + 16 * count] as a tile."""
    if _size(count) is None:
        return None
    tile = tile_of(_size(count))

    def codegen(context, builder, sig, args):
        base = builder.gep(args[0], [args[1]])
        return context.make_tuple(builder, tile, [load_at(builder, base, LANES * j) for j in range(tile.count)])

    return tile(floats, types.intp, count), codegen


@intrinsic
def tile_store(typing, place, offset, tile):
    """place[offset : offset + 16 * count] = tile."""

    def codegen(context, builder, sig, args):
        base = builder.gep(args[0], [args[1]])
        for j, value in enumerate(cgutils.unpack_tuple(builder, args[2], tile.count)):
            store_at(builder, value, base, LANES * j)
        return context.get_dummy_value()

    return types.void(floats, types.intp, tile), codegen


@intrinsic
def tile_relu(typing, tile):
    """Return the tile with negative lanes set to zero; NaN stays NaN."""

    def codegen(context, builder, sig, args):
        held = cgutils.unpack_tuple(builder, args[0], tile.count)
        return context.make_tuple(builder, tile, [relu_of(builder, x) for x in held])

    return tile(tile), codegen


@intrinsic
def tile_where_positive(typing, condition, tile):
    """Return the tile with zero in every lane in which `condition`, the output of a ReLU, is zero."""

    def codegen(context, builder, sig, args):
        tests, held = (cgutils.unpack_tuple(builder, arg, tile.count) for arg in args)
        kept = [builder.select(builder.fcmp_ordered("<=", c, ZERO), ZERO, x) for c, x in zip(tests, held, strict=True)]
        return context.make_tuple(builder, tile, kept)

    return tile(tile, tile), codegen


@intrinsic
def tile_axpy(typing, values, offsets, k, x, tile):
    """Return tile + values[k] * x[offsets[k] ...]: one multiply-add with a memory operand for each vector."""

    def codegen(context, builder, sig, args):
        weight = spread(builder, _element(builder, args[0], args[2]))
        offset = _element(builder, args[1], args[2])
        start = builder.gep(args[3], [offset])
        held = cgutils.unpack_tuple(builder, args[4], tile.count)
        done = [fused(builder, weight, load_at(builder, start, LANES * j), acc) for j, acc in enumerate(held)]
        return context.make_tuple(builder, tile, done)

    return tile(values, offsets, types.intp, x, tile), codegen


@intrinsic
def tile_dot(typing, offsets, k, x, tile):
    """Return the vector sum over j of tile[j] * x[offsets[k] + 16 j ...]; its lanes' sum is a weight's gradient."""

    def codegen(context, builder, sig, args):
        offset = _element(builder, args[0], args[1])
        start = builder.gep(args[2], [offset])
        held = cgutils.unpack_tuple(builder, args[3], tile.count)
        total = builder.fmul(held[0], load_at(builder, start))
        for j in range(1, tile.count):
            total = fused(builder, held[j], load_at(builder, start, LANES * j), total)
        return total

    return vector(offsets, types.intp, x, tile), codegen


@intrinsic
def tile_pair(typing, values, offsets, k, dy, inputs, tile):
    """Take the fused backward step of survivor k: one load of the outputs' gradient, two multiply-adds.

    Returns tile + values[k] * dy[offsets[k] ...], which accumulates the input gradient, and the vector sum over j of
    inputs[j] * dy[offsets[k] + 16 j ...], whose lanes' sum is the survivor's own gradient.
    """
    result = types.Tuple((tile, vector))

    def codegen(context, builder, sig, args):
        weight = spread(builder, _element(builder, args[0], args[2]))
        offset = _element(builder, args[1], args[2])
        start = builder.gep(args[3], [offset])
        held_inputs, held = (cgutils.unpack_tuple(builder, arg, tile.count) for arg in args[4:])
        gradients = [load_at(builder, start, LANES * j) for j in range(tile.count)]
        total = builder.fmul(held_inputs[0], gradients[0])
        for x, g in zip(held_inputs[1:], gradients[1:], strict=True):
            total = fused(builder, x, g, total)
        done = [fused(builder, weight, g, acc) for g, acc in zip(gradients, held, strict=True)]
        return context.make_tuple(builder, result, [context.make_tuple(builder, tile, done), total])

    return result(values, offsets, types.intp, dy, tile, tile), codegen


def _outer(builder, tile, height, place, between, columns_left, held):
    """Emit the rank-one update of a tile; return its vectors."""

    def clamp(i, left):
        last = builder.sub(left, I64(1))
        return builder.select(builder.icmp_signed("<", I64(i), last), I64(i), last)

    scalars, stride, rows_left, x = place
    width = tile.count // height
    columns = [builder.mul(clamp(j, columns_left), between) for j in range(width)]
    loaded = [load_at(builder, builder.gep(x, [column])) for column in columns]
    held = cgutils.unpack_tuple(builder, held, tile.count)
    done = []
    for i in range(height):
        w = spread(builder, builder.load(builder.gep(scalars, [builder.mul(clamp(i, rows_left), stride)])))
        done += [fused(builder, w, loaded[j], held[i * width + j]) for j in range(width)]
    return done


@intrinsic(prefer_literal=True)
def tile_outer(typing, scalars, stride, rows_left, x, columns_left, rows, tile):
    """Rank-one update tile[i][j] += scalars[i * stride] * x[16 j ...] of a tile of `rows` rows.

    Only rows_left rows and columns_left vectors exist; the tile's others repeat the last of them.
    """
    if _size(rows) is None:
        return None

    def codegen(context, builder, sig, args):
        done = _outer(builder, tile, _size(rows), args[:4], I64(LANES), args[4], args[6])
        return context.make_tuple(builder, tile, done)

    return tile(floats, types.intp, types.intp, floats, types.intp, rows, tile), codegen


@intrinsic(prefer_literal=True)
def tile_outer_apart(typing, scalars, stride, rows_left, x, between, columns_left, rows, tile):
    """Take the update of `tile_outer` with vectors of x that lie `between` floats apart."""
    if _size(rows) is None:
        return None

    def codegen(context, builder, sig, args):
        done = _outer(builder, tile, _size(rows), args[:4], args[4], args[5], args[7])
        return context.make_tuple(builder, tile, done)

    return tile(floats, types.intp, types.intp, floats, types.intp, types.intp, rows, tile), codegen


def sum_of_four(builder, a, b, c, d):
    """Emit the sums over the lanes of four vectors, as one vector of four floats."""

    def pick(x, y, pattern):
        lanes = [(lane // 4) * 4 + p % 4 + (LANES if p >= 4 else 0) for lane in range(0, LANES, 4) for p in pattern]
        return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, LANES), [I32(lane) for lane in lanes]))

    ab = builder.fadd(pick(a, b, (0, 4, 1, 5)), pick(a, b, (2, 6, 3, 7)))
    cd = builder.fadd(pick(c, d, (0, 4, 1, 5)), pick(c, d, (2, 6, 3, 7)))
    total = builder.fadd(pick(ab, cd, (0, 1, 4, 5)), pick(ab, cd, (2, 3, 6, 7)))
    size = LANES
    while size > 4:
        size //= 2
        halves = [ir.Constant(ir.VectorType(I32, size), [I32(start + i) for i in range(size)]) for start in (0, size)]
        total = builder.fadd(*(builder.shuffle_vector(total, total, half) for half in halves))
    return total


@intrinsic
def store_sums(typing, place, offset, a, b, c, d, count, add):
    """place[offset : offset + count] = the sums over the lanes of up to four vectors, added to what is there if `add`."""

    def codegen(context, builder, sig, args):
        four = ir.VectorType(FLOAT, 4)
        zeros = ir.Constant(four, [FLOAT(0.0)] * 4)
        address = builder.bitcast(builder.gep(args[0], [args[1]]), four.as_pointer())
        numbers = ir.Constant(ir.VectorType(I64, 4), [I64(i) for i in range(4)])
        first = builder.insert_element(ir.Constant(numbers.type, ir.Undefined), args[6], I32(0))
        counts = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, 4), [I32(0)] * 4))
        present = builder.icmp_signed("<", numbers, counts)
        total = sum_of_four(builder, *args[2:6])
        before = call(builder, "llvm.masked.load.v4f32.p0", address, I32(4), present, zeros, result=four)
        total = builder.fadd(builder.select(args[7], before, zeros), total)
        call(builder, "llvm.masked.store.v4f32.p0", total, address, I32(4), present, result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(floats, types.intp, *[vector] * 4, types.intp, types.boolean), codegen
