"""Winograd's transforms on vectors of sixteen: F(4x4, 3x3), by the matrices A, B and G of `reference.winograd`.

Along columns and then rows, six numbers of x become six, three of a kernel become six, and the six products of these become four
pixels of y.
"""

from llvmlite import ir
from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I32, I64, floats, instruction, vector
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.tiles import tile_of

KERNEL = 3  # rows and columns of the kernel
TAPS = KERNEL * KERNEL
SIDE = 6  # of a transformed patch
PLACES = SIDE * SIDE
PATCH = 4  # pixels of y along each side of a patch


def scaled(builder, factor, x, y):
    """Emit factor * x + y, the factor a number."""
    return emit.fused(builder, emit.splat(factor), x, y)


def before(builder, d):
    """Emit B'd of six vectors of x."""
    a, b = scaled(builder, -4.0, d[2], d[4]), scaled(builder, -4.0, d[1], d[3])
    c, e = builder.fsub(d[4], d[2]), builder.fsub(d[3], d[1])
    first = scaled(builder, 4.0, d[0], scaled(builder, -5.0, d[2], d[4]))
    last = scaled(builder, 4.0, d[1], scaled(builder, -5.0, d[3], d[5]))
    middle = builder.fadd(a, b), builder.fsub(a, b), scaled(builder, 2.0, e, c), scaled(builder, -2.0, e, c)
    return [first, *middle, last]


def _after(builder, m):
    """Emit A'm of six vectors of products."""
    p, q = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
    r, s = builder.fadd(m[3], m[4]), builder.fsub(m[3], m[4])
    ends = builder.fadd(m[0], builder.fadd(p, r)), scaled(builder, 8.0, s, builder.fadd(q, m[5]))
    return [ends[0], scaled(builder, 2.0, s, q), scaled(builder, 4.0, r, p), ends[1]]


def both_ways(builder, transform, rows):
    """Emit a transform of columns, then of rows; return the rows of the result."""
    columns = [transform(builder, column) for column in zip(*rows, strict=True)]
    return [transform(builder, row) for row in zip(*columns, strict=True)]  # of what columns have become


@instruction(types.void(floats, types.intp, floats, types.intp))
def transform_x(builder, x, row, out, apart):
    """out[p * apart ...] = the vectors p of B'dB, d the patch of x at an address."""
    starts = [builder.gep(x, [builder.mul(row, I64(i))]) for i in range(SIDE)]
    patch = [[emit.load(builder, start, LANES * j) for j in range(SIDE)] for start in starts]
    for i, transformed in enumerate(both_ways(builder, before, patch)):
        for j, value in enumerate(transformed):
            emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(SIDE * i + j))]))


@instruction(tile_of(PATCH * PATCH)(floats, types.intp))
def transform_products(builder, products, apart):
    """Return the tile of A'mA, four by four pixels of y, m the vectors at products[p * apart ...]."""
    held = [emit.load(builder, builder.gep(products, [builder.mul(apart, I64(p))])) for p in range(PLACES)]
    pixels = both_ways(builder, _after, [held[SIDE * i : SIDE * (i + 1)] for i in range(SIDE)])
    return [pixel for row in pixels for pixel in row]


@instruction(lambda place, count: tile_of(count.literal_value)(floats, count))
def tile_load(builder, place, count):
    """Return the tile of `count` vectors that lie beside each other."""
    return [emit.load(builder, place, LANES * j) for j in range(count)]


@instruction(lambda place, apart, rows, tile: types.void(floats, types.intp, rows, tile))
def tile_store_rows(builder, place, apart, rows, tile):
    """place[i * apart : ...] = row i of a tile of so many rows."""
    width = len(tile) // rows
    for i in range(rows):
        start = builder.gep(place, [builder.mul(apart, I64(i))])
        for j in range(width):
            emit.store(builder, tile[i * width + j], start, LANES * j)


@instruction(lambda a, b: a(a, b))
def tile_sum(builder, a, b):
    """Return the sum of two tiles."""
    return [builder.fadd(x, y) for x, y in zip(a, b, strict=True)]


@instruction(types.UniTuple(vector, TAPS)(floats, types.intp))
def gather_kernels(builder, weights, count):
    """Return the taps of the kernels of sixteen inputs, a vector of inputs each; from input `count` on the last is repeated."""
    last = emit.spread(builder, builder.trunc(builder.sub(count, I64(1)), I32), I32)
    lanes = emit.numbers(range(LANES))
    inputs = builder.select(builder.icmp_signed("<", lanes, last), lanes, last)
    offsets = builder.mul(inputs, emit.splat(TAPS, I32))
    return [_gathered(builder, builder.gep(weights, [I64(t)]), offsets) for t in range(TAPS)]


@instruction(lambda taps, turned: tile_of(PLACES)(taps, turned))
def transform_kernels(builder, g, turned):
    """Return the vectors of GgG', g the taps of kernels, turned by half a circle if `turned` is 1."""

    def along(builder, g):
        def times(factor, x):
            return builder.fmul(emit.splat(factor), x)

        u, v = times(-1 / 6, builder.fadd(g[0], g[2])), times(-1 / 6, g[1])
        w, z = builder.fadd(times(1 / 24, g[0]), times(1 / 6, g[2])), times(1 / 12, g[1])
        middle = builder.fadd(u, v), builder.fsub(u, v), builder.fadd(w, z), builder.fsub(w, z)
        return [times(1 / 4, g[0]), *middle, g[2]]

    g = g[::-1] if turned else g
    places = both_ways(builder, along, [g[KERNEL * i : KERNEL * (i + 1)] for i in range(KERNEL)])
    return [value for row in places for value in row]


def _gathered(builder, base, offsets):
    """Emit the vector of the floats at base[offsets]."""
    vector = emit.ZERO
    for lane in range(LANES):
        offset = builder.sext(builder.extract_element(offsets, I32(lane)), I64)
        vector = builder.insert_element(vector, builder.load(builder.gep(base, [offset])), I32(lane))
    return vector


_APART = types.intp, types.intp


@instruction(lambda tile, place, between, apart, size, *left: types.void(tile, floats, *_APART, size, *_APART))
def store_blocks(builder, tile, place, between, apart, size, rows_left, blocks_left):
    """place[i * between + b * apart : ... + size] = part b of vector i of a tile, for parts of `size` lanes of those that exist."""
    for block in range(LANES // size):
        with builder.if_then(builder.icmp_signed("<", I64(block), blocks_left)):
            start = builder.gep(place, [builder.mul(apart, I64(block))])
            part = emit.numbers(range(block * size, (block + 1) * size))
            for i, value in enumerate(tile):
                with builder.if_then(builder.icmp_signed("<", I64(i), rows_left), likely=True):
                    target = builder.gep(start, [builder.mul(between, I64(i))])
                    target = builder.bitcast(target, ir.VectorType(ir.FloatType(), size).as_pointer())
                    builder.store(builder.shuffle_vector(value, value, part), target, align=4)
