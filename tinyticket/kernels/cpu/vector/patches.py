"""Patches: register tiles whose vectors lie in rows: the pixels of an image, features of several tiles, or one feature's samples.

A patch's shape is a compile-time constant (rows, columns, step): its vectors are at place + row * row_step + column * step * 16.
Four survivors taken together share each load of what the patch is paired with, so that all of them cost hardly more loads than
one; every vector and every sum takes its terms in the same order either way.
"""

from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I64, floats, instruction, vector
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.streaming import stream_at
from tinyticket.kernels.cpu.vector.tiles import tile_of

TOGETHER = 4
"""Survivors that share the loads of a patch; what `store_sums` adds up at once."""


def _patch_of(shape):
    """Return the type of a patch, given its shape's."""
    rows, columns, _ = shape
    return tile_of(rows.literal_value * columns.literal_value)


def _walk(builder, place, row_step, shape):
    """Yield (base, offset) of each vector of a patch, in row order."""
    rows, columns, step = shape
    for row in range(rows):
        start = builder.gep(place, [builder.mul(row_step, I64(row))]) if row else place
        for column in range(columns):
            yield start, column * step * LANES


def _survivor(builder, offsets, k, place):
    """Emit the address at which survivor k starts to read."""
    return builder.gep(place, [emit.element(builder, offsets, k)])


def _weight(builder, values, k):
    return emit.spread(builder, emit.element(builder, values, k))


@instruction(lambda place, row_step, shape: _patch_of(shape)(floats, types.intp, shape))
def load(builder, place, row_step, shape):
    """Return the patch at `place`."""
    return [emit.load(builder, *at) for at in _walk(builder, place, row_step, shape)]


def _storing(store):
    """Make the function that stores a patch."""

    @instruction(lambda place, row_step, shape, tile: types.void(floats, types.intp, shape, tile))
    def put(builder, place, row_step, shape, tile):
        for value, at in zip(tile, _walk(builder, place, row_step, shape), strict=True):
            store(builder, value, *at)

    return put


store, stream = _storing(emit.store), _storing(stream_at)


def _prefetch(write):
    """Make the hint that a patch will soon be read, or written."""

    @instruction(lambda place, row_step, shape: types.void(floats, types.intp, shape))
    def fetch(builder, place, row_step, shape):
        for start, offset in _walk(builder, place, row_step, shape):
            emit.prefetch(builder, builder.gep(start, [I64(offset)]), write)

    return fetch


prefetch, prefetch_write = _prefetch(0), _prefetch(1)


def _news(builder, shape, first_row, first_column):
    """Tell for each vector of a patch whether it lies beyond the rows and columns that an earlier patch covered."""
    rows, columns, _ = shape
    for row in range(rows):
        for column in range(columns):
            below = builder.icmp_signed("<=", first_row, I64(row))
            yield builder.and_(below, builder.icmp_signed("<=", first_column, I64(column)))


@instruction(lambda p, row, shape, tile, *first: types.void(floats, types.intp, shape, tile, types.intp, types.intp))
def store_new(builder, place, row_step, shape, tile, first_row, first_column):
    """Store the part of a patch that begins at a row and a column, and leave alone what lies before them."""
    nowhere = cgutils.alloca_once(builder, emit.ZERO.type)
    places = _walk(builder, place, row_step, shape)
    for value, at, new in zip(tile, places, _news(builder, shape, first_row, first_column), strict=True):
        emit.store(builder, value, builder.select(new, emit.place(builder, *at), nowhere))


@instruction(lambda place, row_step, shape, *first: _patch_of(shape)(floats, types.intp, shape, types.intp, types.intp))
def load_new(builder, place, row_step, shape, first_row, first_column):
    """Return the patch at `place` with zeros before a row and a column."""
    places = zip(_walk(builder, place, row_step, shape), _news(builder, shape, first_row, first_column), strict=True)
    return [builder.select(new, emit.load(builder, *at), emit.ZERO) for at, new in places]


@instruction(lambda v, offsets, k, x, row, shape, tile: tile(v, offsets, types.intp, x, types.intp, shape, tile))
def axpy(builder, values, offsets, k, x, row_step, shape, tile):
    """Return tile + values[k] * the patch of x at offsets[k]: one multiply-add with a memory operand for each vector."""
    weight = _weight(builder, values, k)
    places = _walk(builder, _survivor(builder, offsets, k, x), row_step, shape)
    return [emit.fused(builder, weight, emit.load(builder, *at), acc) for acc, at in zip(tile, places, strict=True)]


def _dotted(builder, x, others, totals):
    """Emit x times each of the others, which begin the totals or are added to them."""
    if not totals:
        return [builder.fmul(x, other) for other in others]
    return [emit.fused(builder, x, other, total) for other, total in zip(others, totals, strict=True)]


def _paired(builder, weights, before, above, tile):
    """Emit the fused backward step of some survivors, given their weights and, for each vector of x, that and theirs of dy.

    It returns the tile plus each weight times its patch of dy, which accumulates the input gradient, and for each survivor the
    vector sum over the patch of x times dy, whose lanes' sum is the survivor's own gradient.
    """
    totals: list = []
    for j, (x, gradients) in enumerate(zip(before, above, strict=True)):
        for weight, g in zip(weights, gradients, strict=True):
            tile[j] = emit.fused(builder, weight, g, tile[j])
        totals = _dotted(builder, x, gradients, totals)
    return tile, *totals


def _pair(count):
    """Make the fused backward step of `count` survivors, which loads each vector of x and dy once."""

    def typed(values, offsets, k, places, shape, tile):
        return types.Tuple((tile, *[vector] * count))(values, offsets, types.intp, places, shape, tile)

    @instruction(typed)
    def paired(builder, values, offsets, k, places, shape, tile):
        dy, dy_row, x, x_row = places  # with the steps of their rows
        numbers = [builder.add(k, I64(n)) for n in range(count)]
        weights = [_weight(builder, values, n) for n in numbers]
        dense = *shape[:2], 1
        reads = [_walk(builder, _survivor(builder, offsets, n, dy), dy_row, dense) for n in numbers]
        before = (emit.load(builder, *at) for at in _walk(builder, x, x_row, shape))
        above = ([emit.load(builder, *at) for at in each] for each in zip(*reads, strict=True))
        return _paired(builder, weights, before, above, tile)

    return paired


pair, pair_four = _pair(1), _pair(TOGETHER)


@instruction(lambda v, offsets, k, g, x, tile: types.Tuple((tile, vector))(v, offsets, types.intp, g, tile, tile))
def held_pair(builder, values, offsets, k, dy, x, tile):
    """Take the step of `pair` with vectors beside each other, of which those of x are held in registers."""
    start = _survivor(builder, offsets, k, dy)
    above = ([emit.load(builder, start, LANES * j)] for j in range(len(tile)))
    return _paired(builder, [_weight(builder, values, k)], x, above, tile)


def _dot(count):
    """Make the vector sums over a patch of tile times x, for `count` survivors; they load each vector of x once."""

    @instruction(
        lambda offsets, k, x, row, shape, tile: tile_of(count)(offsets, types.intp, x, types.intp, shape, tile)
    )
    def dotted(builder, offsets, k, x, x_row, shape, tile):
        starts = [_survivor(builder, offsets, builder.add(k, I64(n)), x) for n in range(count)]
        totals: list = []
        for held, *places in zip(tile, *(_walk(builder, start, x_row, shape) for start in starts), strict=True):
            totals = _dotted(builder, held, (emit.load(builder, *at) for at in places), totals)
        return totals

    return dotted


dot, dot_four = _dot(1), _dot(TOGETHER)
