"""Register tiles of convolutions: some channels by some pixels, whose places in memory are held in registers too.

Each pixel has a place, its distance from the image's origin, and all take the same steps from there: a tile goes on where a row of
pixels ends, into the next row or the next sixteen samples, and images of seven pixels a row waste no more than those of thirty-two.
"""

from llvmlite import ir
from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import FLOAT, I64, floats, instruction
from tinyticket.kernels.cpu.vector.tiles import outer, sum_of_four, tile_of


def _rows(builder, height, left, distance):
    """Emit where the rows of a tile begin; those beyond the last that exists repeat it."""
    return [builder.mul(row, distance) for row in emit.clamped(builder, height, left)]


@instruction(lambda places, count: types.UniTuple(types.int64, count.literal_value)(places, count))
def held_places(builder, places, count):
    """Return `count` integers from memory as a tuple, which stays in registers."""
    return [builder.load(builder.gep(places, [I64(j)])) for j in range(count)]


@instruction(lambda weights, x, places, tile: tile(floats, floats, places, tile))
def tile_convolve(builder, weights, x, places, tile):
    """Return tile[i][j] + weights[i] * x[places[j] ...], the rows of a tile sharing each load of x."""
    pixels = [emit.load(builder, builder.gep(x, [place])) for place in places]
    height = len(tile) // len(places)
    return outer(
        builder, (emit.spread(builder, emit.element(builder, weights, I64(i))) for i in range(height)), pixels, tile
    )


@instruction(lambda dy, distance, left, x, places, tile: tile(floats, types.intp, types.intp, floats, places, tile))
def tile_correlate(builder, dy, distance, left, x, places, tile):
    """Return tile[i][j] + dy[i * distance ...] * x[places[j] ...] lane by lane; rows beyond `left` repeat the last."""
    pixels = [emit.load(builder, builder.gep(x, [place])) for place in places]
    rows = _rows(builder, len(tile) // len(places), left, distance)
    return outer(builder, (emit.load(builder, builder.gep(dy, [row])) for row in rows), pixels, tile)


@instruction(lambda scalars, left, h, w: tile_of(h.literal_value * w.literal_value)(floats, types.intp, h, w))
def tile_of_rows(builder, scalars, left, height, width):
    """Return a tile with scalars[i] in all of row i; rows beyond `left` repeat the last."""
    values = (emit.spread(builder, emit.element(builder, scalars, row)) for row in emit.clamped(builder, height, left))
    return [value for value in values for _ in range(width)]


def _gathered(image, distance, left, places, height):
    return tile_of(height.literal_value * places.count)(floats, types.intp, types.intp, places, height)


@instruction(_gathered)
def tile_gather(builder, image, distance, left, places, height):
    """Return the tile of image[i * distance + places[j] ...]; rows beyond `left` repeat the last, places below 0 are 0."""
    columns = [builder.select(builder.icmp_signed("<", c, I64(0)), I64(0), c) for c in places]
    rows = [builder.gep(image, [row]) for row in _rows(builder, height, left, distance)]
    return [emit.load(builder, builder.gep(row, [column])) for row in rows for column in columns]


@instruction(lambda image, distance, left, places, tile: types.void(floats, types.intp, types.intp, places, tile))
def tile_scatter(builder, image, distance, left, places, tile):
    """image[i * distance + places[j] ...] = tile[i][j] for i < left, where places[j] is not negative."""
    for j, place in enumerate(places):
        with builder.if_then(builder.icmp_signed(">=", place, I64(0)), likely=True):
            start = builder.gep(image, [place])
            for i, value in enumerate(tile[j :: len(places)]):
                with builder.if_then(builder.icmp_signed("<", I64(i), left), likely=True):
                    emit.store(builder, value, builder.gep(start, [builder.mul(I64(i), distance)]))


@instruction(lambda place, tile: types.void(floats, tile))
def tile_sums(builder, place, tile):
    """place[k] = the sum over the lanes of vector k, for all of a tile, in the order of `store_sums`."""
    held = tile + [tile[-1]] * (-len(tile) % 4)
    for k in range(0, len(held), 4):
        address = builder.bitcast(builder.gep(place, [I64(k)]), ir.VectorType(FLOAT, 4).as_pointer())
        builder.store(sum_of_four(builder, *held[k : k + 4]), address, align=4)
