"""The gradients of a dense fully-connected layer's weight and bias, and the weight's update.

The weight gradient needs sums over samples, which lie beside each other in the packed layout; taking the inputs sample by sample
instead (a copy that packing leaves behind) makes it a sum of outer products with no sum across lanes, and a finished panel can go
straight through the optimizer, so that a dense gradient need never be stored.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_shares, flat
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Floats, kernel, run, specialised
from tinyticket.kernels.cpu.packing import empty, packed_shape
from tinyticket.kernels.cpu.update import RULES, State, state_of, update_vector
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.cpu.vector.simd import advance, load, stack_floats, store_part, zero
from tinyticket.kernels.cpu.vector.tiles import store_sums, tile_fill, tile_outer, tile_store
from tinyticket.kernels.geometry import Shape, check_samples, whole_vectors

OUTER_ROWS = TILES.outer_rows
"""Rows in a panel of the weight's gradient; a share had better begin at a multiple."""

_WIDTH = TILES.outer_width
_SIZE = OUTER_ROWS * _WIDTH
_STRIP, _PANEL = _WIDTH * LANES, _SIZE * LANES


class LinearWeightGradient(NamedTuple):
    """The job of `linear_weight_gradient`, whose share are rows of the weight."""

    x_samples: Floats  # sample by sample, features padded to whole vectors
    dy: Floats
    gradient: Floats
    shape: Shape
    feed: Fed  # samples


class LinearUpdate(NamedTuple):
    """The job of `linear_update`, whose share are rows of the weight."""

    x_samples: Floats
    dy: Floats
    state: State
    rule: int  # of update.RULES
    shape: Shape
    feed: Fed  # samples, scalars


class LinearBiasGradient(NamedTuple):
    """The job of `linear_bias_gradient`, whose share are outputs."""

    dy: Floats  # zero in padded lanes
    gradient: Floats
    shape: Shape


@device
def _outer_panel(x_samples, width, dy, shape, samples, rows_left, vectors_left, panel):
    """Write the gradient of a panel of weights, summed over the samples one after the other, to `panel`."""
    lanes = shape.lanes
    tile = tile_fill(np.float32(0), _SIZE)
    for t in range(shape.tiles):
        start = t * lanes
        for s in range(min(lanes, samples - start)):
            g, x = advance(dy, start * shape.outputs + s), advance(x_samples, (start + s) * width)
            tile = tile_outer(g, lanes, rows_left, x, vectors_left, OUTER_ROWS, tile)
    tile_store(panel, 0, tile)


_updates: Any = None  # stands for whether rows of the weight are updated, instead of their gradient being written


def _outer_panels(job, first, last):
    """Take the weight gradient panel by panel."""
    x_samples, dy, shape, samples = job.x_samples, job.dy, job.shape, job.feed.samples
    inputs, vectors, panel = shape.inputs, (shape.inputs + LANES - 1) // LANES, stack_floats(_PANEL)
    for row in range(first, last, OUTER_ROWS):
        rows_left, above = min(OUTER_ROWS, last - row), advance(dy, row * shape.lanes)
        for v in range(0, vectors, _WIDTH):
            left, x = min(_WIDTH, vectors - v), advance(x_samples, v * LANES)
            _outer_panel(x, vectors * LANES, above, shape, samples, rows_left, left, panel)
            for i in range(rows_left):  # while the panel is in the cache
                for j in range(left):
                    column, value = (v + j) * LANES, load(panel, i * _STRIP + j * LANES)
                    place, count = (row + i) * inputs + column, min(LANES, inputs - column)
                    if _updates:
                        update_vector(job.rule, job.feed.scalars, job.state, place, count, value)
                    else:
                        store_part(job.gradient, place, value, count)


kernel(LinearWeightGradient)(specialised(_outer_panels, "_linear_weight_gradient", _updates=False))
kernel(LinearUpdate)(specialised(_outer_panels, "_linear_update", _updates=True))


@device
def _row_sum(dy, shape, row):
    """Sum the vectors of one output over all tiles; the sixteen lanes are left to the caller."""
    total = zero()
    for tile in range(shape.tiles):
        start = (tile * shape.outputs + row) * shape.lanes
        for place in range(start, start + shape.lanes, LANES):
            total = total + load(dy, place)
    return total


@kernel(LinearBiasGradient)
def _linear_bias_gradient(job, first, last):
    dy, gradient, shape = job.dy, job.gradient, job.shape
    row, end = first, last - 1
    while row < last:
        a, b = _row_sum(dy, shape, row), _row_sum(dy, shape, min(row + 1, end))
        c, d = _row_sum(dy, shape, min(row + 2, end)), _row_sum(dy, shape, min(row + 3, end))
        store_sums(gradient, row, a, b, c, d, last - row, False)
        row += 4


# -- functions of arrays


def linear_weight_gradient(
    x_samples: np.ndarray, dy: np.ndarray, samples: int, inputs: int, *, threads: int | None = None
) -> np.ndarray:
    """Compute dW = dy x', (outputs, inputs), summed over the samples.

    Parameters
    ----------
    x_samples : array of shape (tiles * lanes, inputs rounded up to whole vectors)
        The layer's input, sample by sample, as `pack_samples`, `gather` and `transpose_samples` leave it.
    dy : array of shape (tiles, outputs, lanes)
    samples : int
        How many there are; the rest is padding and is not read.
    inputs, threads : int

    Raises
    ------
    InputError
        If the samples do not fit into the tiles.
    """
    shape = _outer_shape(x_samples, dy, samples, inputs)
    gradient = empty(shape.outputs, inputs)
    arrays = flat(x_samples, x_samples.shape, "x_samples"), flat(dy, dy.shape, "dy"), gradient
    run(LinearWeightGradient(*arrays, shape, Feed(samples)), even_shares(shape.outputs, threads, OUTER_ROWS))
    return gradient


def linear_update(
    rule: str,
    scalars: np.ndarray,
    weight: Written[np.ndarray],
    slots: tuple[Written[np.ndarray], ...],
    x_samples: np.ndarray,
    dy: np.ndarray,
    samples: int,
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
) -> None:
    """Compute dW as `linear_weight_gradient` does and take an optimizer's step with it in place, without storing it.

    The weight is float32 of shape (outputs, inputs); other arguments and errors are as there and in `optimizer_step`.
    """
    if weight.ndim != 2:
        raise InputError(f"weight must have the shape (outputs, inputs), not {weight.shape}")
    outputs, inputs = weight.shape
    shape = _outer_shape(x_samples, dy, samples, inputs)
    arrays = flat(x_samples, x_samples.shape, "x_samples"), flat(dy, (shape.tiles, outputs, shape.lanes), "dy")
    feed = Feed(samples, scalars=flat(scalars, (8,), "scalars"))
    job = LinearUpdate(*arrays, state_of(rule, weight, slots, mask), RULES[rule], shape, feed)
    run(job, even_shares(outputs, threads, OUTER_ROWS))


def linear_bias_gradient(dy: np.ndarray, *, threads: int | None = None) -> np.ndarray:
    """Sum the gradient of a layer's output, (tiles, outputs, lanes) and zero in padded lanes, over the samples: (outputs,)."""
    shape = packed_shape(dy, "dy")
    gradient = empty(shape.outputs)
    run(LinearBiasGradient(flat(dy, dy.shape, "dy"), gradient, shape), even_shares(shape.outputs, threads))
    return gradient


def _outer_shape(x_samples: np.ndarray, dy: np.ndarray, samples: int, inputs: int) -> Shape:
    shape = packed_shape(dy, "dy")._replace(inputs=inputs)
    expected = (shape.tiles * shape.lanes, whole_vectors(inputs))
    if x_samples.shape != expected:
        raise InputError(f"x_samples has shape {x_samples.shape}, but {expected} was expected")
    check_samples(samples, shape.tiles, shape.lanes)
    return shape
