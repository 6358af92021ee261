"""Batches of images: chosen, cropped, mirrored, normalised and packed in one pass.

Sixteen samples by sixteen columns at a time are read, each sample's at its own shift, turned in registers and stored. Columns
and rows outside the image are lanes of a masked load that is never made, so a shifted sample costs what any other does, and a
mirrored one a shuffle.
"""

import numpy as np
from llvmlite import ir
from numba import types

from tinyticket.kernels.cpu.image_common import plane_of, row_of
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import (
    BITS,
    I32,
    I64,
    VECTOR,
    ZERO,
    advance,
    at,
    call,
    floats,
    fused,
    intrinsic,
    splat,
    spread,
)
from tinyticket.kernels.cpu.vector.transpose import SQUARE, put, stack_starts, store_square, transposed

_numbers = ir.Constant(BITS, [I32(lane) for lane in range(LANES)])
_mirror = ir.Constant(BITS, [I32(LANES - 1 - lane) for lane in range(LANES)])
_places = types.CPointer(types.int64)


def _between(builder, low, high):
    """Emit truth for the lanes from `low` to before `high`."""
    bounds = [spread(builder, builder.trunc(bound, I32), I32) for bound in (low, high)]
    return builder.and_(builder.icmp_signed(">=", _numbers, bounds[0]), builder.icmp_signed("<", _numbers, bounds[1]))


def _lines(builder, arguments, read):
    """Emit sixteen samples' values of columns `column` to `column` + 16, zero outside the image.

    A sample's row begins at starts[i], which is negative if there is no such row; firsts[i] is the column that column 0 comes
    from; where flips[i], columns are taken from right to left.
    """
    data, starts, firsts, flips, column, width = arguments
    rows = []
    for i in range(LANES):
        start, shift, flip = (builder.load(builder.gep(place, [I64(i)])) for place in (starts, firsts, flips))
        flipped = builder.icmp_signed("!=", flip, I64(0))
        mirrored = builder.sub(builder.sub(width, I64(LANES)), column)
        left = builder.add(builder.select(flipped, mirrored, column), shift)
        last = builder.select(
            builder.icmp_signed("<", start, I64(0)), builder.neg(I64(LANES)), builder.sub(width, left)
        )
        present = _between(builder, builder.neg(left), last)
        # Formed even where nothing is read, so not inbounds.
        value = read(builder.gep(data, [builder.add(start, left)]), present)
        backwards = builder.shuffle_vector(value, value, _mirror)
        rows.append(builder.select(flipped, backwards, value))
    return rows


@intrinsic
def _square_of_floats(typing, data, starts, firsts, flips, column, width):
    """Return the tile of sixteen samples by sixteen columns."""

    def codegen(context, builder, sig, args):
        def read(place, present):
            place = builder.bitcast(place, VECTOR.as_pointer())
            return call(builder, f"llvm.masked.load.v{LANES}f32.p0", place, I32(4), present, ZERO)

        return context.make_tuple(builder, SQUARE, _lines(builder, args, read))

    return SQUARE(floats, _places, _places, _places, types.intp, types.intp), codegen


@intrinsic
def _square_of_bytes(typing, data, starts, firsts, flips, column, width, mean, std):
    """Return the tile of (pixel / 255 - mean) / std of sixteen samples by sixteen columns, each step correctly rounded.

    The quotient by 255 has its error found and taken back with two fused multiply-adds.
    """

    def codegen(context, builder, sig, args):
        divisor, inverse = splat(255.0), splat(float(np.float32(1) / np.float32(255)))
        mean, std = (spread(builder, arg) for arg in args[6:])
        none = splat(0, ir.IntType(8))

        def read(place, present):
            place = builder.bitcast(place, none.type.as_pointer())
            parts = place, I32(1), present, none
            pixel = builder.uitofp(call(builder, f"llvm.masked.load.v{LANES}i8.p0", *parts, result=none.type), VECTOR)
            quotient = builder.fmul(pixel, inverse)
            error = fused(builder, builder.fneg(quotient), divisor, pixel)
            quotient = fused(builder, error, inverse, quotient)
            return builder.select(present, builder.fdiv(builder.fsub(quotient, mean), std), ZERO)

        return context.make_tuple(builder, SQUARE, _lines(builder, args[:6], read))

    kinds = types.CPointer(types.uint8), _places, _places, _places, types.intp, types.intp
    return SQUARE(*kinds, types.float32, types.float32), codegen


@device
def _find_samples(indices, crops, cropped, bases, downs, rights, flips, sample, samples, size):
    """Write where sixteen samples begin and how they are shifted; beyond the last sample, the last one stands in."""
    for i in range(LANES):
        which = min(sample + i, samples - 1)
        put(bases, i, at(indices, which) * size)
        put(downs, i, at(crops, 3 * which) if cropped else 0)
        put(rights, i, at(crops, 3 * which + 1) if cropped else 0)
        put(flips, i, at(crops, 3 * which + 2) if cropped else 0)


@device
def _find_rows(bases, downs, starts, h, image):
    """Write where row h of sixteen samples begins; negative where it lies outside."""
    for i in range(LANES):
        source = h + at(downs, i)
        inside = 0 <= source < image.height
        put(starts, i, at(bases, i) + source * image.width if inside else -1)


@device
def gather_image_planes(data, indices, crops, x, image, samples, first, last, cropped):
    """Pack planes of the images that `indices` name; only the interior is written, zeros in padded lanes.

    Parameters
    ----------
    data : address of float32 (images, channels, height, width)
    indices : address of int64, one a sample
    crops : address of int64, three a sample: rows down, columns right, and whether to mirror
        A value comes from `rows` further down and `columns` further right of the image (mirrored: of its mirror image's
        origin, see `reference.packed_images.gather_images`), zero where that is outside. Read only if `cropped`.
    x : address of the interior of tile 0
    image : Image
    samples : int64
    first, last : int64
        Planes, tile * channels + channel.
    cropped : boolean
    """
    bases, downs, rights, flips, starts = stack_starts(), stack_starts(), stack_starts(), stack_starts(), stack_starts()
    area = image.height * image.width
    for job in range(first, last):
        tile, channel = job // image.channels, job % image.channels
        sample = tile * LANES
        size = image.channels * area
        _find_samples(indices, crops, cropped, bases, downs, rights, flips, sample, samples, size)
        source = advance(data, channel * area)
        for h in range(image.height):
            _find_rows(bases, downs, starts, h, image)
            place = advance(x, job * plane_of(image) + h * row_of(image))
            for w in range(0, image.width, LANES):
                square = _square_of_floats(source, starts, rights, flips, w, image.width)
                square = transposed(square, samples - sample)
                store_square(advance(place, w * LANES), LANES, square, min(LANES, image.width - w))


@device
def gather_pixel_planes(pixels, indices, crops, mean, std, x, image, samples, first, last, cropped):
    """`gather_image_planes` from bytes, which become (pixel / 255 - mean) / std.

    Parameters
    ----------
    pixels : address of uint8 (images, channels, height, width)
    mean, std : addresses of one float32 a channel
        With 0 and 1 the result is pixel / 255. What lies outside the image is zero after normalising.
    """
    bases, downs, rights, flips, starts = stack_starts(), stack_starts(), stack_starts(), stack_starts(), stack_starts()
    area = image.height * image.width
    for job in range(first, last):
        tile, channel = job // image.channels, job % image.channels
        sample = tile * LANES
        size = image.channels * area
        _find_samples(indices, crops, cropped, bases, downs, rights, flips, sample, samples, size)
        source = advance(pixels, channel * area)
        center, scale = at(mean, channel), at(std, channel)
        for h in range(image.height):
            _find_rows(bases, downs, starts, h, image)
            place = advance(x, job * plane_of(image) + h * row_of(image))
            for w in range(0, image.width, LANES):
                square = _square_of_bytes(source, starts, rights, flips, w, image.width, center, scale)
                square = transposed(square, samples - sample)
                store_square(advance(place, w * LANES), LANES, square, min(LANES, image.width - w))
