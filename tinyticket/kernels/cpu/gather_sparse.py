"""From rows of a CSR matrix to the packed layout: a batch of examples most of whose numbers are zero, which are stored nowhere.

The batch is cleared piece by piece, and the entries that fall into a piece are put there while the second-level cache holds it.
Entries of a row rise by column, so that a thread finds those of its features by bisection.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, store, zero
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Shape, lanes_for, tiles_for, whole_vectors

PIECE = 1 << 17
"""Floats that are cleared at a time: half a megabyte."""


@device
def _clear(place, count):
    """Write zeros over so many floats, whole vectors."""
    for i in range(0, count, LANES):
        store(place, i, zero())


@device
def _first_entry(columns, entry, end, column):
    """Return the first of a row's entries in this column or a later one, or the end."""
    while entry < end:
        middle = (entry + end) // 2
        if at(columns, middle) < column:
            entry = middle + 1
        else:
            end = middle
    return entry


@device
def _put_entries(feed, sample, x, stride, first, last):
    """Put the entries of a sample's columns `first` to `last` to x, `stride` floats from each column to the next."""
    row = at(feed.indices, sample)
    end = at(feed.starts, row + 1)
    entry = _first_entry(feed.columns, at(feed.starts, row), end, first)
    while entry < end and at(feed.columns, entry) < last:
        put(x, at(feed.columns, entry) * stride, at(feed.values, entry))
        entry += 1


@device
def gather_rows(feed, x, x_samples, both, shape, first_tile, last_tile, first, last):
    """Pack features 16 * first to 16 * last of the samples of some tiles, and leave them sample by sample too if `both`."""
    features, lanes, samples = shape.inputs, shape.lanes, feed.samples
    width, step = (features + LANES - 1) // LANES * LANES, max(PIECE // lanes // LANES, 1) * LANES
    for tile in range(first_tile, last_tile):
        sample, packed = tile * lanes, advance(x, tile * features * lanes)
        for f in range(first * LANES, min(last * LANES, features), step):
            end = min(f + step, last * LANES, features)
            _clear(advance(packed, f * lanes), (end - f) * lanes)
            for lane in range(min(lanes, samples - sample)):
                _put_entries(feed, sample + lane, advance(packed, lane), lanes, f, end)
            for lane in range(lanes if both else 0):
                by_sample = advance(x_samples, (sample + lane) * width)
                _clear(advance(by_sample, f), (end - f + LANES - 1) // LANES * LANES)
                # As where dense data are gathered, the last sample stands in for those beyond.
                _put_entries(feed, min(sample + lane, samples - 1), by_sample, 1, f, end)


class GatherSparse(NamedTuple):
    """The job of `gather_sparse`, whose share are blocks of sixteen features."""

    x: Floats
    x_samples: Floats
    sample_major: bool  # whether x_samples is written
    shape: Shape
    feed: Fed  # samples, indices and a CSR matrix


@kernel(GatherSparse)
def _gather_sparse(job, first, last):
    gather_rows(job.feed, job.x, job.x_samples, job.sample_major, job.shape, np.int64(0), job.shape.tiles, first, last)


# -- function of arrays


def gather_sparse(
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    features: int,
    indices: np.ndarray,
    *,
    lanes: int | None = None,
    sample_major: bool = False,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Take rows of a CSR matrix (examples, features) into the packed layout.

    Parameters
    ----------
    starts : integer array of shape (examples + 1,)
        Where the entries of each row begin, and where those of the last row end.
    columns : integer array of shape (entries,)
        Rising within a row.
    values : array of shape (entries,)
    features : int
    indices : integer array of shape (samples,)
        Which examples, in which order; repeats are allowed.
    lanes, sample_major, threads, and what is returned
        As of `gather`.

    Raises
    ------
    InputError
        If the arrays are no such matrix, or there is no example with such an index.
    """
    entries = _checked_entries(starts, columns, values, features)
    if indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu":
        raise InputError(f"indices are whole numbers, not {indices.dtype} of shape {indices.shape}")
    if indices.min() < 0 or indices.max() >= starts.size - 1:
        raise InputError(f"indices must be from 0 to {starts.size - 2}, not {indices.min()} to {indices.max()}")
    lanes = lanes_for(indices.size, lanes)
    tiles, width = tiles_for(indices.size, lanes), whole_vectors(features)
    x = empty(tiles, features, lanes)
    x_samples = empty(tiles * lanes, width) if sample_major else None
    feed = Feed(indices.size, as_sparse=True, indices=np.ascontiguousarray(indices, np.int64), **entries)
    job = GatherSparse(x, x_samples if sample_major else 0, sample_major, Shape(tiles, features, features, lanes), feed)
    run(job, even_shares(width // LANES, threads))
    return x, x_samples


def _checked_entries(starts: np.ndarray, columns: np.ndarray, values: np.ndarray, features: int) -> dict:
    """Return the arrays of a CSR matrix as kernels read them, by the names that a feed has for them."""
    whole = starts.dtype.kind in "iu" and columns.dtype.kind in "iu" and starts.ndim == columns.ndim == 1
    if not whole or starts.size < 2 or not 0 < features < 2**31:
        given = f"{starts.dtype} {starts.shape} and {columns.dtype} {columns.shape} of {features} features"
        raise InputError(
            f"a CSR matrix needs starts and columns, whole numbers, and 1 to 2^31 - 1 features, not {given}"
        )
    starts = np.ascontiguousarray(starts, np.int64)
    if starts[0] != 0 or (starts[1:] < starts[:-1]).any() or starts[-1] != columns.size:  # a difference may overflow
        raise InputError(f"starts must rise from 0 to the number of entries, which is {columns.size}")
    if columns.size and not 0 <= columns.min() <= columns.max() < features:
        raise InputError(f"columns must be from 0 to {features - 1}, not {columns.min()} to {columns.max()}")
    counts = np.diff(starts)
    places = np.repeat(np.arange(counts.size) * features, counts) + columns.astype(np.int64)
    if (np.diff(places) <= 0).any():
        raise InputError("columns must rise within each row")
    return {
        "starts": starts,
        "columns": np.ascontiguousarray(columns, np.uint32),
        "values": flat(values, columns.shape, "values"),
    }
