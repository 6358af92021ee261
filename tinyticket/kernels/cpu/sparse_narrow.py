"""A fully-connected layer of survivors alone, for batches of few samples: `narrow` activations, features by 2, 4, 8 or 16 samples.

    blocks = Blocks((outputs, inputs), starts, columns, lanes=2)
    y = sparse_linear_narrow(blocks, blocks.by_block(values), bias, x)

Where the samples fill no vector, packed activations would be mostly padding, and what survivors read at random would lie in eight
times as many cache lines. Every pass walks through the survivors in the one order of `tinyticket.sparse.Blocks`.
"""

import functools
from typing import NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed
from tinyticket.kernels.cpu.job import Floats, Halves, Numbers, run
from tinyticket.kernels.cpu.lines import BlockedPattern
from tinyticket.kernels.cpu.narrow import by_lanes
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.update import State, update_vector
from tinyticket.kernels.cpu.vector.jit import device, variant
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.narrow import (
    WIDTHS,
    narrow_axpy,
    narrow_dot,
    narrow_fill,
    narrow_load,
    narrow_relu,
    narrow_store,
    narrow_where_positive,
)
from tinyticket.kernels.cpu.vector.simd import advance, at, load_part, stack_floats
from tinyticket.kernels.cpu.vector.transpose import put

CHUNK = 2048
"""Survivors whose gradients are held until an update takes them: a quarter of a first-level cache."""


class Blocked(NamedTuple):
    """The survivors of a matrix, block after block of its columns, and in each tile after tile of its rows."""

    bounds: Numbers  # of the blocks: the first column of each, and the last one's end
    tiles: Numbers  # of the tiles: the first row of each, and the last one's end
    starts: Numbers  # of the survivors of each tile in each block, block by block, and where all end
    columns: Halves  # of each survivor, counted from its block's first
    rows: Halves  # from its tile's first
    blocks: int
    height: int  # tiles in a block


class SparseLinearNarrow(NamedTuple):
    """The job of `sparse_linear_narrow`, whose share are tiles."""

    survivors: Blocked
    values: Floats
    bias: Floats
    x: Floats
    y: Floats
    relu: bool
    lanes: int


class SparseLinearNarrowGradient(NamedTuple):
    """The job of `sparse_linear_narrow_gradient`, whose share are blocks."""

    survivors: Blocked
    values: Floats
    x: Floats
    dy: Floats  # zero in padded lanes
    dx: Floats
    gradient: Floats
    x_is_relu_output: bool  # leave dx zero where x is zero
    lanes: int


class SparseLinearNarrowWeightGradient(NamedTuple):
    """The job of `sparse_linear_narrow_weight_gradient`, whose share are tiles."""

    survivors: Blocked
    x: Floats
    dy: Floats
    gradient: Floats
    lanes: int


class SparseLinearNarrowUpdate(NamedTuple):
    """The job of `sparse_linear_narrow_update`, the gradient's with a step of the optimizer, whose share are blocks."""

    survivors: Blocked
    values: Floats  # those of the state
    x: Floats
    dy: Floats
    dx: Floats
    x_is_relu_output: bool
    lanes: int
    state: State
    rule: int  # of update.RULES
    feed: Fed  # scalars


class SparseLinearNarrowWeightUpdate(NamedTuple):
    """The job of `sparse_linear_narrow_weight_update`, the same without an input gradient, whose share are tiles."""

    survivors: Blocked
    x: Floats
    dy: Floats
    lanes: int
    state: State
    rule: int
    feed: Fed


def _forward(lanes):
    @variant(f"narrow_forward_{lanes}")
    def tiles_of(job, first, last):
        survivors, values = job.survivors, job.values
        for tile in range(first, last):
            top, bottom = at(survivors.tiles, tile), at(survivors.tiles, tile + 1)
            y = advance(job.y, top * lanes)
            for row in range(bottom - top):
                narrow_store(y, row, narrow_fill(at(job.bias, top + row), lanes))
            for block in range(survivors.blocks):
                k = block * survivors.height + tile
                x = advance(job.x, at(survivors.bounds, block) * lanes)
                for i in range(at(survivors.starts, k), at(survivors.starts, k + 1)):
                    row, below = at(survivors.rows, i), narrow_load(x, at(survivors.columns, i), lanes)
                    narrow_store(y, row, narrow_axpy(at(values, i), below, narrow_load(y, row, lanes)))
            if job.relu:
                for row in range(bottom - top):
                    narrow_store(y, row, narrow_relu(narrow_load(y, row, lanes)))

    return tiles_of


def _backward(lanes, updates):
    @variant(f"narrow_backward_{lanes}_{'update' if updates else 'gradient'}")
    def blocks_of(job, first, last):
        survivors, values = job.survivors, job.values
        gradient = stack_floats(CHUNK) if updates else job.gradient
        for block in range(first, last):
            left, right = at(survivors.bounds, block), at(survivors.bounds, block + 1)
            x, dx = advance(job.x, left * lanes), advance(job.dx, left * lanes)
            for column in range(right - left):
                narrow_store(dx, column, narrow_fill(np.float32(0), lanes))
            for tile in range(survivors.height):
                k, dy = block * survivors.height + tile, advance(job.dy, at(survivors.tiles, tile) * lanes)
                start, stop = at(survivors.starts, k), at(survivors.starts, k + 1)
                for begun in range(start, stop, CHUNK):
                    end, held = min(stop, begun + CHUNK), begun if updates else 0
                    for i in range(begun, end):
                        column, above = at(survivors.columns, i), narrow_load(dy, at(survivors.rows, i), lanes)
                        put(gradient, i - held, narrow_dot(narrow_load(x, column, lanes), above))
                        below = narrow_axpy(at(values, i), above, narrow_load(dx, column, lanes))
                        narrow_store(dx, column, below)
                    if updates:
                        _update(job, begun, end, gradient)
            if job.x_is_relu_output:
                for column in range(right - left):
                    slopes = narrow_where_positive(narrow_load(x, column, lanes), narrow_load(dx, column, lanes))
                    narrow_store(dx, column, slopes)

    return blocks_of


def _gradient(lanes, updates):
    @variant(f"narrow_gradient_{lanes}_{'update' if updates else 'gradient'}")
    def tiles_of(job, first, last):
        survivors = job.survivors
        gradient = stack_floats(CHUNK) if updates else job.gradient
        for tile in range(first, last):
            dy = advance(job.dy, at(survivors.tiles, tile) * lanes)
            for block in range(survivors.blocks):
                k, x = block * survivors.height + tile, advance(job.x, at(survivors.bounds, block) * lanes)
                start, stop = at(survivors.starts, k), at(survivors.starts, k + 1)
                for begun in range(start, stop, CHUNK):
                    end, held = min(stop, begun + CHUNK), begun if updates else 0
                    for i in range(begun, end):
                        above = narrow_load(dy, at(survivors.rows, i), lanes)
                        put(gradient, i - held, narrow_dot(narrow_load(x, at(survivors.columns, i), lanes), above))
                    if updates:
                        _update(job, begun, end, gradient)

    return tiles_of


@device
def _update(job, first, last, gradient):
    """Take an optimizer's step with the gradients of some survivors, while a cache holds them."""
    scalars = job.feed.scalars
    for place in range(first, last, LANES):
        count = min(LANES, last - place)
        update_vector(job.rule, scalars, job.state, place, count, load_part(gradient, place - first, count))


for _job, _name, _make in (
    (SparseLinearNarrow, "_sparse_linear_narrow", _forward),
    (SparseLinearNarrowGradient, "_sparse_linear_narrow_gradient", functools.partial(_backward, updates=False)),
    (SparseLinearNarrowUpdate, "_sparse_linear_narrow_update", functools.partial(_backward, updates=True)),
    (
        SparseLinearNarrowWeightGradient,
        "_sparse_linear_narrow_weight_gradient",
        functools.partial(_gradient, updates=False),
    ),
    (
        SparseLinearNarrowWeightUpdate,
        "_sparse_linear_narrow_weight_update",
        functools.partial(_gradient, updates=True),
    ),
):
    by_lanes(_job, _name, _make)


# -- functions of arrays


def sparse_linear_narrow(
    blocks: BlockedPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: Written[np.ndarray] | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = W x + bias of narrow activations, perhaps through a ReLU: `sparse_linear` for few samples.

    Parameters
    ----------
    blocks : tinyticket.sparse.Blocks
        Where the survivors of W are.
    values : array of shape (survivors,)
        The survivors, block by block.
    bias : array of shape (outputs,)
    x : array of shape (inputs, 2, 4, 8 or 16)
        Samples beside each other; spare lanes hold anything.
    relu : bool
    out : float32 array of shape (outputs, lanes), optional
        Written and returned.
    threads : int, optional

    Raises
    ------
    InputError
        If x has another number of samples, or an array does not have the shape that the blocks ask for.
    """
    lanes, (outputs, _) = _lanes(blocks, x, "x"), blocks.shape
    y = empty(outputs, lanes) if out is None else out
    arrays = flat(values, (blocks.count,), "values"), flat(bias, (outputs,), "bias"), flat(x, x.shape, "x")
    job = SparseLinearNarrow(_blocked(blocks), *arrays, flat_output(y, (outputs, lanes), "out"), bool(relu), lanes)
    run(job, even_shares(blocks.tiles.size - 1, threads))
    return y


def sparse_linear_narrow_gradient(
    blocks: BlockedPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient, (inputs, lanes), and the survivors' gradients, block by block, summed over the samples.

    dy has shape (outputs, lanes), zero in spare lanes; the other arguments, and errors, are those of `sparse_linear_narrow` and
    `sparse_linear_gradient`.
    """
    lanes, (outputs, _) = _lanes(blocks, x, "x"), blocks.shape
    dx, gradient = empty(*x.shape), empty(blocks.count)
    arrays = flat(values, (blocks.count,), "values"), flat(x, x.shape, "x"), flat(dy, (outputs, lanes), "dy")
    job = SparseLinearNarrowGradient(_blocked(blocks), *arrays, dx, gradient, bool(x_is_relu_output), lanes)
    run(job, even_shares(blocks.bounds.size - 1, threads))
    return dx, gradient


def sparse_linear_narrow_weight_gradient(
    blocks: BlockedPattern, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
) -> np.ndarray:
    """Compute the survivors' gradients alone, as a first layer needs them; arrays as in `sparse_linear_narrow_gradient`."""
    lanes, gradient = _lanes(blocks, x, "x"), empty(blocks.count)
    arrays = flat(x, x.shape, "x"), flat(dy, (blocks.shape[0], lanes), "dy")
    job = SparseLinearNarrowWeightGradient(_blocked(blocks), *arrays, gradient, lanes)
    run(job, even_shares(blocks.tiles.size - 1, threads))
    return gradient


def _blocked(blocks: BlockedPattern) -> Blocked:
    places = blocks.bounds, blocks.tiles, blocks.starts, blocks.columns, blocks.rows
    return Blocked(*places, blocks.bounds.size - 1, blocks.tiles.size - 1)


def _lanes(blocks: BlockedPattern, x: np.ndarray, name: str) -> int:
    """Return how many samples lie beside each other, or raise InputError."""
    if x.ndim != 2 or x.shape[0] != blocks.shape[1] or x.shape[1] not in WIDTHS:
        raise InputError(
            f"{name} must be {blocks.shape[1]} features of {', '.join(map(str, WIDTHS))} samples, not {x.shape}"
        )
    return x.shape[1]
