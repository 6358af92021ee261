"""Register tiles of convolutions: some channels by some pixels, whose places in memory are held in registers too.

The pixels of a tile need not lie beside each other: each has a place, its distance from the image's origin, and all
take the same steps from there. So a tile goes on where a row of pixels ends, into the next row or the next sixteen
samples, and images of seven pixels a row waste no more than those of thirty-two.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.simd import FLOAT, I64, floats, fused, intrinsic, load_at, spread, store_at
from tinyticket.kernels.cpu.vector.tiles import sum_of_four, tile_of


def _smaller(builder, a, b):
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _rows(builder, height, left, distance):
    """Emit where the rows of a tile begin; those beyond the last that exists repeat it."""
    last = builder.sub(left, I64(1))
    return [builder.mul(_smaller(builder, I64(i), last), distance) for i in range(height)]


@intrinsic(prefer_literal=True)
def held_places(typing, places, count):
    """Return `count` integers from memory as a tuple, which stays in registers."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    held = types.UniTuple(types.int64, count.literal_value)

    def codegen(context, builder, sig, args):
        loaded = [builder.load(builder.gep(args[0], [I64(j)])) for j in range(held.count)]
        return context.make_tuple(builder, held, loaded)

    return held(places, count), codegen


@intrinsic
def tile_convolve(typing, weights, x, places, tile):
    """Return tile[i][j] + weights[i] * x[places[j] ...], the rows of a tile sharing each load of x."""
    height = tile.count // places.count

    def codegen(context, builder, sig, args):
        weights, x = args[:2]
        loaded = [load_at(builder, builder.gep(x, [place])) for place in cgutils.unpack_tuple(builder, args[2])]
        held = cgutils.unpack_tuple(builder, args[3], tile.count)
        done = []
        for i in range(height):
            w = spread(builder, builder.load(builder.gep(weights, [I64(i)])))
            done += [fused(builder, w, x, held[i * len(loaded) + j]) for j, x in enumerate(loaded)]
        return context.make_tuple(builder, tile, done)

    return tile(floats, floats, places, tile), codegen


@intrinsic
def tile_correlate(typing, dy, distance, left, x, places, tile):
    """Return tile[i][j] + dy[i * distance ...] * x[places[j] ...] lane by lane; rows beyond `left` repeat the last."""
    height = tile.count // places.count

    def codegen(context, builder, sig, args):
        dy, distance, left, x = args[:4]
        loaded = [load_at(builder, builder.gep(x, [place])) for place in cgutils.unpack_tuple(builder, args[4])]
        held = cgutils.unpack_tuple(builder, args[5], tile.count)
        done = []
        for i, row in enumerate(_rows(builder, height, left, distance)):
            g = load_at(builder, builder.gep(dy, [row]))
            done += [fused(builder, g, x, held[i * len(loaded) + j]) for j, x in enumerate(loaded)]
        return context.make_tuple(builder, tile, done)

    return tile(floats, types.intp, types.intp, floats, places, tile), codegen


@intrinsic(prefer_literal=True)
def tile_of_rows(typing, scalars, left, height, width):
    """Return a tile with scalars[i] in all of row i; rows beyond `left` repeat the last."""
    if not (isinstance(height, types.IntegerLiteral) and isinstance(width, types.IntegerLiteral)):
        return None
    tile = tile_of(height.literal_value * width.literal_value)

    def codegen(context, builder, sig, args):
        rows = _rows(builder, height.literal_value, args[1], I64(1))
        spreads = [spread(builder, builder.load(builder.gep(args[0], [row]))) for row in rows]
        return context.make_tuple(builder, tile, [value for value in spreads for _ in range(width.literal_value)])

    return tile(floats, types.intp, height, width), codegen


@intrinsic(prefer_literal=True)
def tile_gather(typing, image, distance, left, places, height):
    """Return the tile of image[i * distance + places[j] ...]; rows beyond `left` repeat the last, places below 0 are 0."""
    if not isinstance(height, types.IntegerLiteral):
        return None
    tile = tile_of(height.literal_value * places.count)

    def codegen(context, builder, sig, args):
        columns = cgutils.unpack_tuple(builder, args[3])
        columns = [builder.select(builder.icmp_signed("<", c, I64(0)), I64(0), c) for c in columns]
        rows = [builder.gep(args[0], [row]) for row in _rows(builder, height.literal_value, args[2], args[1])]
        loaded = [load_at(builder, builder.gep(row, [column])) for row in rows for column in columns]
        return context.make_tuple(builder, tile, loaded)

    return tile(floats, types.intp, types.intp, places, height), codegen


@intrinsic
def tile_scatter(typing, image, distance, left, places, tile):
    """image[i * distance + places[j] ...] = tile[i][j] for i < left, where places[j] is not negative."""
    height = tile.count // places.count

    def codegen(context, builder, sig, args):
        image, distance, left = args[:3]
        held = cgutils.unpack_tuple(builder, args[4], tile.count)
        for j, place in enumerate(cgutils.unpack_tuple(builder, args[3])):
            with builder.if_then(builder.icmp_signed(">=", place, I64(0)), likely=True):
                start = builder.gep(image, [place])
                for i in range(height):
                    with builder.if_then(builder.icmp_signed("<", I64(i), left), likely=True):
                        row = builder.gep(start, [builder.mul(I64(i), distance)])
                        store_at(builder, held[i * places.count + j], row)
        return context.get_dummy_value()

    return types.void(floats, types.intp, types.intp, places, tile), codegen


@intrinsic
def tile_sums(typing, place, tile):
    """place[k] = the sum over the lanes of vector k, for all of a tile, in the order of `store_sums`."""

    def codegen(context, builder, sig, args):
        held = cgutils.unpack_tuple(builder, args[1], tile.count)
        held += [held[-1]] * (-tile.count % 4)
        for k in range(0, len(held), 4):
            total = sum_of_four(builder, *held[k : k + 4])
            address = builder.bitcast(builder.gep(args[0], [I64(k)]), ir.VectorType(FLOAT, 4).as_pointer())
            builder.store(total, address, align=4)
        return context.get_dummy_value()

    return types.void(floats, tile), codegen
