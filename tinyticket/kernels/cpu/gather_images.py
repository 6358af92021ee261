"""Batches of images: chosen, turned, cropped, mirrored, normalised and packed in one pass.

Sixteen samples by sixteen columns at a time are read, each sample's at its own shift, turned in registers and stored. What lies
outside the image are lanes of a masked load that are never read: a shifted sample costs what others do, a mirrored one a shuffle.
Sixteen of which one is turned or filled with its edge are read number by number: `gather_turned`.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import check_examples, chosen, even_shares, flat
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.gather_sparse import gather_rows
from tinyticket.kernels.cpu.gather_turned import find_turns, turned_plane
from tinyticket.kernels.cpu.image_common import plane_of, row_of
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.cpu.vector.emit import ZERO, call, fused, splat, spread
from tinyticket.kernels.cpu.vector.instruction import BITS, I32, I64, VECTOR, floats, intrinsic
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.vector.transpose import SQUARE, put, stack_places, store_square, transposed
from tinyticket.kernels.geometry import DRAWN, SINE_OF_ONE, Image, Shape, tiles_for

_numbers = ir.Constant(BITS, [I32(lane) for lane in range(LANES)])
_mirror = ir.Constant(BITS, [I32(LANES - 1 - lane) for lane in range(LANES)])
_places = types.CPointer(types.int64)


def _between(builder, low, high):
    """Emit truth for the lanes from `low` to before `high`."""
    bounds = [spread(builder, builder.trunc(bound, I32), I32) for bound in (low, high)]
    return builder.and_(builder.icmp_signed(">=", _numbers, bounds[0]), builder.icmp_signed("<", _numbers, bounds[1]))


def _float(builder, place, present, mean, std):
    """Emit the read of sixteen floats, zero where they are not present."""
    place = builder.bitcast(place, VECTOR.as_pointer())
    return call(builder, f"llvm.masked.load.v{LANES}f32.p0", place, I32(4), present, ZERO)


def _pixel(builder, place, present, mean, std):
    """Emit (byte / 255 - mean) / std; the quotient by 255 has its error found and taken back with fused multiply-adds."""
    divisor, inverse, none = splat(255.0), splat(float(np.float32(1) / np.float32(255))), splat(0, ir.IntType(8))
    parts = builder.bitcast(place, none.type.as_pointer()), I32(1), present, none
    pixel = builder.uitofp(call(builder, f"llvm.masked.load.v{LANES}i8.p0", *parts, result=none.type), VECTOR)
    quotient = builder.fmul(pixel, inverse)
    error = fused(builder, builder.fneg(quotient), divisor, pixel)
    quotient = fused(builder, error, inverse, quotient)
    return builder.select(present, builder.fdiv(builder.fsub(quotient, mean), std), ZERO)


@intrinsic
def _square_of_lines(typing, data, starts, firsts, flips, column, width, mean, std):
    """Return the tile of columns `column` to `column` + 16 of sixteen samples, zero outside the image.

    A sample's row begins at starts[i], which is negative if there is no such row; firsts[i] is the column that column 0 comes
    from; where flips[i], columns are taken from right to left. Floats are taken as they are, bytes as pixels.
    """
    read = _float if data == floats else _pixel

    def codegen(context, builder, sig, args):
        data, starts, firsts, flips, column, width = args[:6]
        mean, std = (spread(builder, arg) for arg in args[6:])
        rows = []
        for i in range(LANES):
            start, shift, flip = (builder.load(builder.gep(place, [I64(i)])) for place in (starts, firsts, flips))
            flipped = builder.icmp_signed("!=", flip, I64(0))
            mirrored = builder.sub(builder.sub(width, I64(LANES)), column)
            left = builder.add(builder.select(flipped, mirrored, column), shift)
            missing = builder.icmp_signed("<", start, I64(0))
            last = builder.select(missing, builder.neg(I64(LANES)), builder.sub(width, left))
            present = _between(builder, builder.neg(left), last)
            # Formed even where nothing is read, so not inbounds.
            value = read(builder, builder.gep(data, [builder.add(start, left)]), present, mean, std)
            rows.append(builder.select(flipped, builder.shuffle_vector(value, value, _mirror), value))
        return context.make_tuple(builder, SQUARE, rows)

    return SQUARE(data, _places, _places, _places, types.intp, types.intp, types.float32, types.float32), codegen


@device
def _find_samples(feed, bases, downs, rights, flips, sample, size):
    """Write where sixteen samples begin, how they are shifted and whether mirrored; the last stands in for those beyond."""
    for i in range(LANES):
        which = min(sample + i, feed.samples - 1)
        put(bases, i, at(feed.indices, which) * size)
        put(downs, i, at(feed.draws, DRAWN * which) if feed.augmented else 0)
        put(rights, i, at(feed.draws, DRAWN * which + 1) if feed.augmented else 0)
        put(flips, i, at(feed.draws, DRAWN * which + 2) if feed.augmented else 0)


@device
def _find_rows(bases, downs, starts, h, image):
    """Write where row h of sixteen samples begins; negative where it lies outside."""
    for i in range(LANES):
        source = h + at(downs, i)
        inside = 0 <= source < image.height
        put(starts, i, at(bases, i) + source * image.width if inside else -1)


class GatherImages(NamedTuple):
    """The job of `gather_images`, whose share are planes: tile * channels + channel.

    Only the interior is written, zeros in padded lanes. Pixels become (pixel / 255 - mean) / std; outside the image is zero.
    """

    x: Floats  # the interior of tile 0
    image: Image
    feed: Fed  # samples, examples or pixels with mean and std, indices, draws


@kernel(GatherImages)
def _gather_images(job, first, last):
    feed, image = job.feed, job.image
    # Sparse data are features, each an image of one pixel: a row of columns is then the packed layout of sixteen lanes.
    if feed.as_sparse:
        shape, blocks = Shape(last, image.width, image.width, LANES), (image.width + LANES - 1) // LANES
        gather_rows(feed, job.x, job.x, False, shape, first, last, np.int64(0), blocks)
        return
    as_pixels, samples = feed.as_pixels, feed.samples
    bases, downs, rights = stack_places(LANES), stack_places(LANES), stack_places(LANES)
    flips, starts = stack_places(LANES), stack_places(LANES)
    sines, cosines, edges = stack_places(LANES), stack_places(LANES), stack_places(LANES)
    area, center, scale = image.height * image.width, np.float32(0), np.float32(1)
    for plane in range(first, last):
        sample, channel = plane // image.channels * LANES, plane % image.channels
        _find_samples(feed, bases, downs, rights, flips, sample, image.channels * area)
        examples, pixels = advance(feed.examples, channel * area), advance(feed.pixels, channel * area)
        if as_pixels:
            center, scale = at(feed.mean, channel), at(feed.std, channel)
        if find_turns(feed, sines, cosines, edges, sample):
            moved, there = (bases, downs, rights, flips, sines, cosines, edges), samples - sample
            place = advance(job.x, plane * plane_of(image))
            turned_plane(examples, pixels, as_pixels, center, scale, *moved, there, place, image)
            continue
        for h in range(image.height):
            _find_rows(bases, downs, starts, h, image)
            place = advance(job.x, plane * plane_of(image) + h * row_of(image))
            for w in range(0, image.width, LANES):
                if as_pixels:
                    square = _square_of_lines(pixels, starts, rights, flips, w, image.width, center, scale)
                else:
                    square = _square_of_lines(examples, starts, rights, flips, w, image.width, center, scale)
                square = transposed(square, samples - sample)
                store_square(advance(place, w * LANES), LANES, square, min(LANES, image.width - w))


# -- function of arrays


def gather_images(
    data: np.ndarray,
    indices: np.ndarray,
    *,
    draws: np.ndarray | None = None,
    mean: np.ndarray | None = None,
    std: np.ndarray | None = None,
    border: int = 0,
    threads: int | None = None,
) -> Images:
    """Take images of a data set into the packed layout, perhaps turned, cropped and mirrored, with zeros in padded lanes.

    Parameters
    ----------
    data : array of shape (images, channels, height, width)
        float32, or uint8, which becomes (pixel / 255 - mean) / std.
    indices : integer array of shape (samples,)
        Which images, in which order; repeats are allowed.
    draws : integer array of shape (samples, 5), optional
        How each sample is shifted, mirrored, turned and filled: `data.augmentation.augment`.
    mean, std : arrays of shape (channels,), optional
        For uint8 only; 0 and 1 if not given.
    border, threads
        As in `kernels.cpu`.

    Raises
    ------
    InputError
        If there is no image with such an index.
    """
    indices = chosen(indices, check_examples(data, "images, channels, height, width"))
    samples, (channels, height, width) = indices.size, data.shape[1:]
    batch: dict[str, Any] = {"samples": samples, "indices": indices}
    if draws is not None:
        if draws.shape != (samples, DRAWN) or draws.dtype.kind not in "iub":
            expected = f"integers of ({samples}, {DRAWN}) were expected"
            raise InputError(f"draws is {draws.dtype} of shape {draws.shape}, but {expected}")
        farthest = 2 * max(height, width)  # a shift so far leaves nothing of an image, and a longer one no more
        bounds = [farthest, farthest, 1, SINE_OF_ONE, 1]
        batch |= {"draws": np.ascontiguousarray(draws, np.int64).clip(np.negative(bounds), bounds), "augmented": True}
    if data.dtype == np.uint8:
        center = np.zeros(channels, np.float32) if mean is None else flat(mean, (channels,), "mean")
        scale = np.ones(channels, np.float32) if std is None else flat(std, (channels,), "std")
        batch |= {"pixels": np.ascontiguousarray(data), "as_pixels": True, "mean": center, "std": scale}
    elif mean is not None or std is not None:
        raise InputError(f"mean and std are applied to pixels (uint8), but data is {data.dtype}")
    else:
        batch["examples"] = np.ascontiguousarray(data, np.float32)
    x = Images.zeros(tiles_for(samples, LANES), Image(channels, height, width, border))
    run(GatherImages(x.interior, x.geometry, Feed(**batch)), even_shares(x.tiles * channels, threads))
    return x
