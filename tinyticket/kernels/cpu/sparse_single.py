"""A fully-connected layer of survivors alone for a single sample: sixteen rows at a time, a row in each lane.

    slices = Slices((outputs, inputs), starts, columns)
    y = sparse_linear_single(slices, slices.by_slice(values), bias, x)

In packed activations a sample has fifteen lanes of padding beside it, and each survivor reads a cache line of those. Features that
lie beside each other stay in the first-level cache, from which sixteen survivors gather theirs at a time. A row's terms are added
up in the order of `sparse_linear`, or of `linear`, so that a sample's results have the same bits as in a batch.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.arguments import flat, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, Halves, Numbers, Offsets, kernel, run
from tinyticket.kernels.cpu.lines import SlicedPattern
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.gathers import gathered_axpy
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import advance, at, load, relu, stack_floats, store, zero
from tinyticket.kernels.cpu.vector.transpose import put

BLOCK = 1 << 16
"""Columns that two bytes tell apart."""


class Sliced(NamedTuple):
    """The survivors of a matrix as `SlicedPattern` says."""

    rows: Offsets
    starts: Numbers
    counts: Offsets
    columns: Halves
    blocks: int  # of columns
    outputs: int


class SparseLinearSingle(NamedTuple):
    """The job of `sparse_linear_single`, whose share are slices."""

    slices: Sliced
    values: Floats  # slice by slice
    bias: Floats
    x: Floats  # unless it is the feed's example
    y: Floats  # unless it is the feed's logits
    x_shift: int  # 0 if features lie beside each other, 4 if they are those of a tile's first lane
    y_shift: int
    relu: bool
    bias_last: bool  # whether the bias is added to the sum, as in `linear`, instead of being its first term
    reads_example: bool
    writes_logits: bool
    feed: Fed  # examples, logits


@kernel(SparseLinearSingle)
def _sparse_linear_single(job, first, last):
    slices, values, columns, shift = job.slices, job.values, job.slices.columns, job.x_shift
    x = job.feed.examples if job.reads_example else job.x
    y = job.feed.logits if job.writes_logits else job.y
    held = stack_floats(LANES)
    for index in range(first, last):
        rows = advance(slices.rows, index * LANES)
        for lane in range(LANES):
            put(held, lane, at(job.bias, at(rows, lane)))
        bias = load(held, 0)
        total = zero() if job.bias_last else bias
        for block in range(slices.blocks):
            piece = index * slices.blocks + block
            inputs, counts = advance(x, (block * BLOCK) << shift), advance(slices.counts, piece * LANES)
            start = at(slices.starts, piece)
            for i in range(start, at(slices.starts, piece + 1)):
                total = gathered_axpy(values, columns, i, inputs, shift, counts, i - start, total)
        if job.bias_last:
            total = total + bias
        store(held, 0, relu(total) if job.relu else total)
        for lane in range(min(LANES, slices.outputs - index * LANES)):
            put(y, at(rows, lane) << job.y_shift, at(held, lane))


# -- functions of arrays


def sparse_linear_single(
    slices: SlicedPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: Written[np.ndarray] | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = W x + bias of one sample, perhaps through a ReLU: `sparse_linear` for one.

    Parameters
    ----------
    slices : tinyticket.sparse.Slices
        Where the survivors of W are.
    values : array of shape (slices.size,)
        The survivors in their order, which `slices.by_slice` brings them into.
    bias : array of shape (outputs,)
    x : array of shape (inputs,)
    relu : bool
    out : float32 array of shape (outputs,), optional
        Written and returned.
    threads : int, optional

    Raises
    ------
    InputError
        If an array does not have the shape that the slices ask for.
    """
    outputs, inputs = slices.shape
    y = empty(outputs) if out is None else out
    arrays = flat(values, (slices.size,), "values"), flat(bias, (outputs,), "bias"), flat(x, (inputs,), "x")
    places = slices.rows, slices.starts, slices.counts, slices.columns
    sliced = Sliced(*places, -(-inputs // BLOCK), outputs)
    after = flat_output(y, (outputs,), "out")
    job = SparseLinearSingle(sliced, *arrays, after, 0, 0, bool(relu), False, False, False, Feed())
    run(job, slices.bounds(thread_count(threads)))
    return y
