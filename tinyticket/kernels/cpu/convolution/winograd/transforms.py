"""Winograd's transforms on vectors of sixteen, in the forward direction and, for the gradient of the weights, F(3x3, 2x2).

`reference.winograd` has the matrices. Along rows and then columns, four numbers of x become four, three of a kernel become four,
and the four products of these become two of y.
"""

from llvmlite import ir
from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I32, I64, floats, instruction
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.tiles import tile_of
from tinyticket.kernels.cpu.vector.transpose import SQUARE, turned

KERNEL = 3  # rows and columns of the kernel
SIDE = 4  # of a transformed patch
PLACES = SIDE * SIDE
PATCH = 2  # pixels of y along each side of a patch


def _before(builder, d):
    """Emit B'd of four vectors of x."""
    return [builder.fsub(d[0], d[2]), builder.fadd(d[1], d[2]), builder.fsub(d[2], d[1]), builder.fsub(d[1], d[3])]


def _after(builder, m):
    """Emit A'm of four vectors of products."""
    middle, difference = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
    return [builder.fadd(m[0], middle), builder.fsub(difference, m[3])]


def _both(builder, transform, rows):
    """Emit a transform of columns, then of rows; return the rows of the result."""
    columns = [transform(builder, column) for column in zip(*rows, strict=True)]
    return [transform(builder, row) for row in zip(*columns, strict=True)]  # of what columns have become


@instruction(types.void(floats, types.intp, floats, types.intp))
def transform_x(builder, x, row, out, apart):
    """out[p * apart ...] = the sixteen vectors p of B'dB, d the patch of x at an address."""
    starts = [builder.gep(x, [builder.mul(row, I64(i))]) for i in range(SIDE)]
    patch = [[emit.load(builder, start, LANES * j) for j in range(SIDE)] for start in starts]
    for i, transformed in enumerate(_both(builder, _before, patch)):
        for j, value in enumerate(transformed):
            emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(SIDE * i + j))]))


@instruction(tile_of(PATCH * PATCH)(floats, types.intp))
def transform_products(builder, products, apart):
    """Return the tile of A'mA, two by two pixels of y, m the sixteen vectors at products[p * apart ...]."""
    held = [emit.load(builder, builder.gep(products, [builder.mul(apart, I64(p))])) for p in range(PLACES)]
    pixels = _both(builder, _after, [held[SIDE * i : SIDE * (i + 1)] for i in range(SIDE)])
    return [pixel for row in pixels for pixel in row]


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


@instruction(tile_of(PLACES)(floats, types.intp))
def transform_kernels(builder, weights, count):
    """Return the sixteen vectors of GgG', g the kernels of sixteen inputs; from `count` on the last is repeated."""

    def along(builder, g):
        half = emit.splat(0.5)
        outer, middle = builder.fmul(half, builder.fadd(g[0], g[2])), builder.fmul(half, g[1])
        return [g[0], builder.fadd(outer, middle), builder.fsub(outer, middle), g[2]]

    taps = KERNEL * KERNEL
    last = emit.spread(builder, builder.trunc(builder.sub(count, I64(1)), I32), I32)
    lanes = emit.numbers(range(LANES))
    inputs = builder.select(builder.icmp_signed("<", lanes, last), lanes, last)
    offsets = builder.mul(inputs, emit.splat(taps, I32))
    g = [_gathered(builder, builder.gep(weights, [I64(t)]), offsets) for t in range(taps)]
    places = _both(builder, along, [g[KERNEL * i : KERNEL * (i + 1)] for i in range(KERNEL)])
    return [value for row in places for value in row]


def _gathered(builder, base, offsets):
    """Emit the vector of the floats at base[offsets]."""
    vector = emit.ZERO
    for lane in range(LANES):
        offset = builder.sext(builder.extract_element(offsets, I32(lane)), I64)
        vector = builder.insert_element(vector, builder.load(builder.gep(base, [offset])), I32(lane))
    return vector


_APART = types.intp, types.intp


@instruction(tile_of(PLACES)(tile_of(PLACES)))
def turned_kernels(builder, tile):
    """Return what `transform_kernels` does for kernels turned by half a circle: their first and last places are exchanged."""
    other = 3, 1, 2, 0
    return [tile[SIDE * other[i] + other[j]] for i in range(SIDE) for j in range(SIDE)]


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


@instruction(SQUARE(floats, floats, types.float32, types.float32, types.intp, types.intp))
def weighted_channels(builder, above, below, a, b, plane, count):
    """Return a * above + b * below for sixteen channels, a vector of channels for each sample; zeros from channel `count` on."""
    a, b = emit.spread(builder, a), emit.spread(builder, b)
    rows = []
    for row in emit.clamped(builder, LANES, count):
        offset = builder.mul(row, plane)
        upper, lower = (emit.load(builder, builder.gep(image, [offset])) for image in (above, below))
        rows.append(emit.fused(builder, b, lower, builder.fmul(a, upper)))
    present = emit.first_lanes(builder, count)
    return [builder.select(present, row, emit.ZERO) for row in turned(builder, rows)]


@instruction(types.void(floats, floats, floats, types.intp))
def transform_columns_x(builder, first, second, out, apart):
    """out[p * apart ...] = what a row of a patch of x becomes for the weight gradient, of two pairs of columns."""
    d = [emit.load(builder, pair, LANES * LANES * j) for pair in (first, second) for j in range(PATCH)]
    for p, value in enumerate((*_before(builder, d)[:3], builder.fsub(d[3], d[1]))):
        emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(p))]))


@instruction(types.void(floats, floats, types.intp))
def transform_columns_dy(builder, pair, out, apart):
    """out[p * apart ...] = what a row of a patch of dy becomes for the weight gradient, of a pair of columns."""
    half = emit.splat(0.5)
    a, b = (emit.load(builder, pair, LANES * LANES * j) for j in range(PATCH))
    middle = [builder.fmul(half, value) for value in (builder.fadd(a, b), builder.fsub(a, b))]
    for p, value in enumerate((a, *middle, b)):
        emit.store(builder, value, builder.gep(out, [builder.mul(apart, I64(p))]))


@instruction(lambda place, count: tile_of(count.literal_value)(floats, count))
def tile_load(builder, place, count):
    """Return the tile of `count` vectors that lie beside each other."""
    return [emit.load(builder, place, LANES * j) for j in range(count)]


@instruction(types.void(floats, types.intp, floats))
def transform_sums(builder, sums, apart, out):
    """out[16 t ...] = the nine vectors t of the gradient of the weights, of the sixteen at sums[p * apart ...]."""

    def along(builder, m):
        middle = builder.fadd(m[1], m[2])
        return [builder.fadd(m[0], middle), builder.fsub(m[1], m[2]), builder.fadd(middle, m[3])]

    held = [emit.load(builder, builder.gep(sums, [builder.mul(apart, I64(p))])) for p in range(PLACES)]
    taps = _both(builder, along, [held[SIDE * i : SIDE * (i + 1)] for i in range(SIDE)])
    for t, value in enumerate(tap for row in taps for tap in row):
        emit.store(builder, value, out, LANES * t)
