"""From rows of a data set to the packed layout, in one pass over the batch, and from packed activations back to samples.

Packing at the edge of a network is part of its cost, so a batch is packed while it is gathered: sixteen rows by sixteen features
are read, perhaps left behind sample by sample (what a dense first layer's weight gradient wants), turned in registers and stored;
pixels are turned as bytes.
`transpose_samples` is the way back, for hidden layers whose weight gradient is dense, and `unpack_logits` that of results.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import batch_of, check_examples, chosen, even_shares, flat
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.gather_sparse import gather_rows
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty, packed_shape
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, prefetch
from tinyticket.kernels.cpu.vector.streaming import drain, streams
from tinyticket.kernels.cpu.vector.transpose import (
    columns_of_pixels,
    put,
    square_of_lines,
    square_of_pixels,
    square_of_rows,
    stack_places,
    store_corner,
    store_square,
    stream_square,
    transposed,
)
from tinyticket.kernels.geometry import Shape, whole_vectors

TOGETHER = 64
"""Samples whose features are packed block by block, as many as `lanes_for` gives a tile: stores fill neighbouring lines in turn."""


@device
def _find_rows(indices, starts, features, sample, samples):
    """Write where 64 samples begin; beyond the last sample, the last one stands in."""
    for i in range(TOGETHER):
        put(starts, i, at(indices, min(sample + i, samples - 1)) * features)


@device
def _fetch_quarter(pixels, starts, f):
    """Ask for what four of sixteen rows hold around their byte f: a cache line is four vectors of pixels."""
    first = f // 4 % LANES
    for i in range(first, first + 4):
        prefetch(pixels, at(starts, i) + f)


@device
def gather_blocks(data, indices, x, x_samples, both, shape, samples, first, last, pixels=None):
    """Pack features 16 * first to 16 * last of the samples that `indices` name; arguments are addresses.

    Data are floats, or None where there are pixels, which are divided by 255; sixteen beyond the last are read.
    """
    features, lanes, padded = shape.inputs, shape.lanes, shape.tiles * shape.lanes
    width = (features + LANES - 1) // LANES * LANES
    starts, ahead, places = stack_places(TOGETHER), stack_places(TOGETHER), stack_places(LANES)
    streamed = streams(x, padded * features)
    for begin in range(0, padded, TOGETHER):
        _find_rows(indices, starts, features, begin, samples)
        if pixels is not None:
            _find_rows(indices, ahead, features, begin + TOGETHER, samples)
        vectors = min(TOGETHER, padded - begin) // LANES
        for i in range(vectors):
            sample = begin + i * LANES
            put(places, i, sample // lanes * features * lanes + sample % lanes)
        for f in range(first * LANES, last * LANES, LANES):
            count = min(LANES, features - f)
            for i in range(vectors):
                sample, rows = begin + i * LANES, advance(starts, i * LANES)
                if pixels is not None:
                    _fetch_quarter(pixels, advance(ahead, i * LANES), f)
                    turned = columns_of_pixels(pixels, rows, f, samples - sample)
                    if both:
                        square = square_of_pixels(pixels, rows, f)
                if data is not None:
                    square = square_of_rows(data, rows, f, count)
                    turned = transposed(square, samples - sample)
                if both:
                    store_square(advance(x_samples, sample * width + f), width, square, LANES)
                place = advance(x, at(places, i) + f * lanes)
                if streamed:
                    stream_square(place, lanes, turned, count)
                else:
                    store_square(place, lanes, turned, count)
    if streamed:
        drain()


class Gather(NamedTuple):
    """The job of `gather`, whose share are blocks of sixteen features."""

    x: Floats
    x_samples: Floats
    sample_major: bool  # whether x_samples is written
    shape: Shape
    feed: Fed  # samples, indices, and examples, pixels, which are divided by 255, or a CSR matrix


@kernel(Gather)
def _gather(job, first, last):
    x, x_samples, both, shape, feed = job.x, job.x_samples, job.sample_major, job.shape, job.feed
    indices, samples = feed.indices, feed.samples
    if feed.as_sparse:
        gather_rows(feed, x, x_samples, both, shape, np.int64(0), shape.tiles, first, last)
    elif feed.as_pixels:
        gather_blocks(None, indices, x, x_samples, both, shape, samples, first, last, feed.pixels)
    else:
        gather_blocks(feed.examples, indices, x, x_samples, both, shape, samples, first, last)


class GatherLabels(NamedTuple):
    """The job of `gather_labels`, whose share are vectors of sixteen samples; the last sample's label fills the padding."""

    labels: Floats
    feed: Fed  # samples, indices, labels


@kernel(GatherLabels)
def _gather_labels(job, first, last):
    labels, feed = job.labels, job.feed
    known, indices, samples = feed.labels, feed.indices, feed.samples
    for sample in range(first * LANES, last * LANES):
        put(labels, sample, at(known, at(indices, min(sample, samples - 1))))


class TransposeSamples(NamedTuple):
    """The job of `transpose_samples`, whose share are blocks of sixteen features."""

    x: Floats
    x_samples: Floats
    shape: Shape


@kernel(TransposeSamples)
def _transpose_samples(job, first, last):
    x, x_samples, shape = job.x, job.x_samples, job.shape
    features, lanes = shape.inputs, shape.lanes
    width = (features + LANES - 1) // LANES * LANES
    streamed = streams(x_samples, shape.tiles * lanes * width)
    for sample in range(0, shape.tiles * lanes, LANES):
        base = sample // lanes * features * lanes + sample % lanes
        for block in range(first, last):
            f = block * LANES
            count = min(LANES, features - f)
            square = transposed(square_of_lines(advance(x, base + f * lanes), lanes, count), count)
            if streamed:
                stream_square(advance(x_samples, sample * width + f), width, square, LANES)
            else:
                store_square(advance(x_samples, sample * width + f), width, square, LANES)
    if streamed:
        drain()


class Unpack(NamedTuple):
    """The job of `unpack_logits`, whose share are tiles; nothing is written beyond the feed's samples."""

    x: Floats
    shape: Shape  # whose outputs are the classes
    feed: Fed  # samples, logits


@kernel(Unpack)
def _unpack_logits(job, first, last):
    x, shape, feed = job.x, job.shape, job.feed
    classes, lanes, samples, logits = shape.outputs, shape.lanes, feed.samples, feed.logits
    for tile in range(first, last):
        packed = advance(x, tile * classes * lanes)
        for sample in range(tile * lanes, min((tile + 1) * lanes, samples), LANES):
            rows, lane = min(LANES, samples - sample), sample - tile * lanes
            for c in range(0, classes, LANES):
                count = min(LANES, classes - c)
                square = transposed(square_of_lines(advance(packed, c * lanes + lane), lanes, count), count)
                store_corner(advance(logits, sample * classes + c), classes, square, rows, count)


# -- functions of arrays


def gather(
    data: np.ndarray,
    indices: np.ndarray,
    *,
    lanes: int | None = None,
    sample_major: bool = False,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Take samples of a data set into the packed layout.

    Parameters
    ----------
    data : array of shape (examples, features)
        float32, or uint8, which is taken for pixels and divided by 255.
    indices : integer array of shape (samples,)
        Which examples, in which order; repeats are allowed.
    lanes : int, optional
        Chosen by `lanes_for` if not given.
    sample_major : bool
        Leave a copy sample by sample too.
    threads : int, optional

    Returns
    -------
    x : array of shape (tiles, features, lanes), zeros in padded lanes
    x_samples : array of shape (tiles * lanes, features rounded up to whole vectors), or None
        Rows of padded lanes hold no particular sample.
    """
    indices = chosen(indices, check_examples(data, "examples, features"))
    shape, x, x_samples = batch_of(indices.size, data.shape[1], lanes, sample_major)
    if data.dtype == np.uint8:
        # The kernel reads whole vectors of bytes, also past the last: give it these samples alone, with room behind them.
        pixels = np.append(data[indices].reshape(-1), np.zeros(LANES, np.uint8))
        feed = Feed(indices.size, pixels=pixels, as_pixels=True, indices=np.arange(indices.size))
    else:
        examples = flat(data, data.shape, "data")
        feed = Feed(indices.size, examples=examples, indices=indices)
    job = Gather(x, x_samples if sample_major else 0, bool(sample_major), shape, feed)
    run(job, even_shares(whole_vectors(shape.inputs) // LANES, threads))
    if x_samples is not None:
        x_samples[:, shape.inputs :] = 0  # where pixels of the next example were
    return x, x_samples


def transpose_samples(x: np.ndarray, *, threads: int | None = None) -> np.ndarray:
    """Bring packed activations into the sample-major layout of the dense weight gradient.

    That is (tiles * lanes, features rounded up to whole vectors), with zeros in the columns beyond.
    """
    shape = packed_shape(x, "x")
    blocks = -(-shape.inputs // LANES)
    x_samples = empty(shape.tiles * shape.lanes, blocks * LANES)
    run(TransposeSamples(flat(x, x.shape, "x"), x_samples, shape), even_shares(blocks, threads))
    return x_samples
