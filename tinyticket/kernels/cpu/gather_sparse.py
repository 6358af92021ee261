"""From rows of a CSR matrix to the packed layout: a batch of examples most of whose numbers are zero, which are stored nowhere.

The batch is cleared piece by piece, and the entries that fall into a piece are put there while the second-level cache holds it.
Entries of a row rise by column, so that a thread finds those of its features by bisection.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import batch_of, chosen, even_shares, flat
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, kernel, run
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, store, zero
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.csr import check_rows
from tinyticket.kernels.geometry import Shape, whole_vectors

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
    if not 0 < features < 2**31:
        raise InputError(f"a sparse matrix has 1 to 2^31 - 1 features, not {features}")
    check_rows(starts, columns, (starts.size - 1, features), "the sparse matrix")
    indices = chosen(indices, starts.size - 1)
    shape, x, x_samples = batch_of(indices.size, features, lanes, sample_major)
    entries: dict[str, Any] = {
        "starts": np.ascontiguousarray(starts, np.int64),
        "columns": np.ascontiguousarray(columns, np.uint32),
        "values": flat(values, columns.shape, "values"),
    }
    feed = Feed(indices.size, as_sparse=True, indices=indices, **entries)
    job = GatherSparse(x, x_samples if sample_major else 0, sample_major, shape, feed)
    run(job, even_shares(whole_vectors(features) // LANES, threads))
    return x, x_samples
