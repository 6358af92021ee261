"""Patches: register tiles whose vectors lie in rows: the pixels of an image, or one feature of several tiles.

A patch of rows by columns has its vectors at place + row * row_step + column * step * 16. Rows, columns and step are compile-time
constants, row_step is not. Survivors are taken singly or four together: four share each load of what the patch is paired with, so
that all of them cost hardly more loads than one. Every vector and every sum takes its terms in the same order either way.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import (
    I32,
    I64,
    ZERO,
    call,
    floats,
    fused,
    intrinsic,
    load_at,
    spread,
    store_at,
    vector,
)
from tinyticket.kernels.cpu.vector.streaming import stream_at
from tinyticket.kernels.cpu.vector.tiles import tile_of

TOGETHER = 4
"""Survivors that share the loads of a patch; what `store_sums` adds up at once."""


def _sizes(*literals):
    """Values of compile-time constants; None if one is not."""
    if all(isinstance(literal, types.IntegerLiteral) for literal in literals):
        return [literal.literal_value for literal in literals]
    return None


def _walk(builder, place, row_step, rows, columns, step):
    """Yield (base, offset) of each vector of a patch, in row order."""
    for row in range(rows):
        start = builder.gep(place, [builder.mul(row_step, I64(row))]) if row else place
        for column in range(columns):
            yield start, column * step * LANES


def _survivor(builder, offsets, k, place):
    """Emit the address at which survivor k starts to read."""
    return builder.gep(place, [builder.zext(builder.load(builder.gep(offsets, [k])), I64)])


def _weight(builder, values, k):
    return spread(builder, builder.load(builder.gep(values, [k])))


@intrinsic(prefer_literal=True)
def patch_load(typing, place, row_step, rows, columns, step):
    """Return the patch at `place`."""
    sizes = _sizes(rows, columns, step)
    if sizes is None:
        return None
    tile = tile_of(sizes[0] * sizes[1])

    def codegen(context, builder, sig, args):
        return context.make_tuple(builder, tile, [load_at(builder, *at) for at in _walk(builder, *args[:2], *sizes)])

    return tile(floats, types.intp, rows, columns, step), codegen


def _storing(store):
    """Make the function that stores a patch."""

    @intrinsic(prefer_literal=True)
    def put(typing, place, row_step, rows, columns, step, tile):
        sizes = _sizes(rows, columns, step)
        if sizes is None:
            return None

        def codegen(context, builder, sig, args):
            held = cgutils.unpack_tuple(builder, args[5], tile.count)
            for value, at in zip(held, _walk(builder, *args[:2], *sizes), strict=True):
                store(builder, value, *at)
            return context.get_dummy_value()

        return types.void(floats, types.intp, rows, columns, step, tile), codegen

    return put


patch_store, patch_stream = _storing(store_at), _storing(stream_at)


def _prefetch(write):
    """Make the hint that a patch will soon be read, or written."""

    @intrinsic(prefer_literal=True)
    def prefetch(typing, place, row_step, rows, columns, step):
        sizes = _sizes(rows, columns, step)
        if sizes is None:
            return None

        def codegen(context, builder, sig, args):
            for start, offset in _walk(builder, *args[:2], *sizes):
                target = builder.bitcast(builder.gep(start, [I64(offset)]), ir.IntType(8).as_pointer())
                call(builder, "llvm.prefetch.p0", target, I32(write), I32(3), I32(1), result=ir.VoidType())
            return context.get_dummy_value()

        return types.void(floats, types.intp, rows, columns, step), codegen

    return prefetch


patch_prefetch, patch_prefetch_write = _prefetch(0), _prefetch(1)


def _is_new(builder, row, column, first_row, first_column):
    """Tell whether a vector of a patch lies beyond the rows and columns that an earlier patch covered."""
    below = builder.icmp_signed("<=", first_row, I64(row))
    return builder.and_(below, builder.icmp_signed("<=", first_column, I64(column)))


@intrinsic(prefer_literal=True)
def patch_store_new(typing, place, row_step, rows, columns, step, tile, first_row, first_column):
    """Store the part of a patch that begins at a row and a column, and leave alone what lies before them."""
    sizes = _sizes(rows, columns, step)
    if sizes is None:
        return None

    def codegen(context, builder, sig, args):
        nowhere = cgutils.alloca_once(builder, ZERO.type)
        held = cgutils.unpack_tuple(builder, args[5], tile.count)
        for n, (start, offset) in enumerate(_walk(builder, *args[:2], *sizes)):
            wanted = _is_new(builder, *divmod(n, sizes[1]), *args[6:])
            target = builder.bitcast(builder.gep(start, [I64(offset)]), nowhere.type)
            builder.store(held[n], builder.select(wanted, target, nowhere), align=4)
        return context.get_dummy_value()

    return types.void(floats, types.intp, rows, columns, step, tile, types.intp, types.intp), codegen


@intrinsic(prefer_literal=True)
def patch_load_new(typing, place, row_step, rows, columns, step, first_row, first_column):
    """Return the patch at `place` with zeros before a row and a column."""
    sizes = _sizes(rows, columns, step)
    if sizes is None:
        return None
    tile = tile_of(sizes[0] * sizes[1])

    def codegen(context, builder, sig, args):
        held = []
        for n, at in enumerate(_walk(builder, *args[:2], *sizes)):
            wanted = _is_new(builder, *divmod(n, sizes[1]), *args[5:])
            held.append(builder.select(wanted, load_at(builder, *at), ZERO))
        return context.make_tuple(builder, tile, held)

    return tile(floats, types.intp, rows, columns, step, types.intp, types.intp), codegen


@intrinsic(prefer_literal=True)
def patch_axpy(typing, values, offsets, k, x, row_step, rows, columns, step, tile):
    """Return tile + values[k] * the patch of x at offsets[k]: one multiply-add with a memory operand for each vector."""
    sizes = _sizes(rows, columns, step)
    if sizes is None:
        return None

    def codegen(context, builder, sig, args):
        weight = _weight(builder, args[0], args[2])
        start = _survivor(builder, args[1], args[2], args[3])
        held = cgutils.unpack_tuple(builder, args[8], tile.count)
        places = _walk(builder, start, args[4], *sizes)
        done = [fused(builder, weight, load_at(builder, *at), acc) for acc, at in zip(held, places, strict=True)]
        return context.make_tuple(builder, tile, done)

    return tile(values, offsets, types.intp, x, types.intp, rows, columns, step, tile), codegen


def _pair(count):
    """Make the fused backward step of `count` survivors.

    It returns the tile with values[k] * (the patch of dy at offsets[k]) added, which accumulates the input gradient, and for each
    survivor the vector sum over the patch of x times dy, whose lanes' sum is the survivor's own gradient. Each vector of x and dy
    is loaded once.
    """

    @intrinsic(prefer_literal=True)
    def pair(typing, values, offsets, k, dy, dy_row, x, x_row, rows, columns, step, tile):
        sizes = _sizes(rows, columns, step)
        if sizes is None:
            return None
        result = types.Tuple((tile, *[vector] * count))

        def codegen(context, builder, sig, args):
            values, offsets, k, dy, dy_row, x, x_row = args[:7]
            numbers = [builder.add(k, I64(n)) for n in range(count)]
            weights = [_weight(builder, values, n) for n in numbers]
            places = [
                list(_walk(builder, _survivor(builder, offsets, n, dy), dy_row, sizes[0], sizes[1], 1)) for n in numbers
            ]
            held = cgutils.unpack_tuple(builder, args[10], tile.count)
            totals: list[ir.Value] = []
            for j, at in enumerate(_walk(builder, x, x_row, *sizes)):
                before = load_at(builder, *at)
                above = [load_at(builder, *place[j]) for place in places]
                for weight, g in zip(weights, above, strict=True):
                    held[j] = fused(builder, weight, g, held[j])
                if j == 0:
                    totals = [builder.fmul(before, g) for g in above]
                else:
                    totals = [fused(builder, before, g, total) for g, total in zip(above, totals, strict=True)]
            return context.make_tuple(builder, result, [context.make_tuple(builder, tile, held), *totals])

        arguments = values, offsets, types.intp, dy, types.intp, floats, types.intp, rows, columns, step, tile
        return result(*arguments), codegen

    return pair


patch_pair, patch_pair_four = _pair(1), _pair(TOGETHER)


def _dot(count):
    """Make the vector sums over a patch of tile times x, for `count` survivors; they load each vector of x once."""

    @intrinsic(prefer_literal=True)
    def dot(typing, offsets, k, x, x_row, rows, columns, step, tile):
        sizes = _sizes(rows, columns, step)
        if sizes is None:
            return None
        result = types.UniTuple(vector, count)

        def codegen(context, builder, sig, args):
            offsets, k, x, x_row = args[:4]
            held = cgutils.unpack_tuple(builder, args[7], tile.count)
            places = []
            for n in range(count):
                start = _survivor(builder, offsets, builder.add(k, I64(n)), x)
                places.append(list(_walk(builder, start, x_row, *sizes)))
            totals = [builder.fmul(held[0], load_at(builder, *place[0])) for place in places]
            for j in range(1, tile.count):
                totals = [
                    fused(builder, held[j], load_at(builder, *place[j]), total)
                    for place, total in zip(places, totals, strict=True)
                ]
            return context.make_tuple(builder, result, totals)

        return result(offsets, types.intp, x, types.intp, rows, columns, step, tile), codegen

    return dot


patch_dot, patch_dot_four = _dot(1), _dot(TOGETHER)
