"""A masked fully-connected layer between samples: what somebody else's network has before and behind it.

The layer itself wants its activations packed. Packing a whole batch, and bringing the results back, takes about as long as a
layer at 2% density, because all of it goes through memory twice. Here a tile of samples is packed, multiplied and brought back
while it is in the cache.
"""

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.geometry import Shape, tiles_for
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.prepared import Prepared
from tinyticket.kernels.cpu.sparse_linear import Offsets
from tinyticket.kernels.cpu.sparse_samples_calls import Backward, Chunks, Forward, samples_backward, samples_forward
from tinyticket.kernels.cpu.threads import thread_count


def sparse_linear_samples(
    pattern: Offsets,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = x W' + bias of samples, perhaps through a ReLU.

    Parameters
    ----------
    pattern : Pattern
        Where the survivors of W are; its lanes are how many samples are taken together.
    values : array of shape (survivors,)
        The survivors, row by row.
    bias : array of shape (outputs,)
    x : array of shape (samples, inputs)
    relu : bool
        Set what is negative to zero.
    out : float32 array of shape (samples, outputs), optional
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    array of shape (samples, outputs)
    """
    shape, samples = _shape(pattern, x)
    y = empty(samples, shape.outputs) if out is None else out
    arrays = (
        flat(values, (pattern.count,), "values"),
        flat(bias, (shape.outputs,), "bias"),
        flat(x, x.shape, "x"),
        flat_output(y, (samples, shape.outputs), "out"),
    )
    bounds = even_bounds(shape.tiles, thread_count(threads))
    chunks = _chunks(bounds, (shape.inputs + shape.outputs) * shape.lanes, samples)
    return Prepared(samples_forward, Forward(chunks, pattern.rows, *arrays, shape, bool(relu)), y)()


def sparse_linear_samples_backward(
    pattern: Offsets,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients of samples.

    Parameters
    ----------
    pattern : Pattern
    values : array of shape (survivors,)
        The survivors, column by column.
    x : array of shape (samples, inputs)
        What the layer was given.
    dy : array of shape (samples, outputs)
        The loss's gradient by what the layer gave.
    relu : bool
        x came out of a ReLU: make the first result the gradient by what went into it.
    out : float32 array of shape (samples, inputs), optional
        For the first result.
    threads : int, optional

    Returns
    -------
    dx : array of shape (samples, inputs)
    gradient : array of shape (survivors,)
        Column by column, as the values; summed over the samples.
    """
    shape, samples = _shape(pattern, x)
    dx = empty(samples, shape.inputs) if out is None else out
    gradient = empty(pattern.count)
    arrays = (
        flat(values, (pattern.count,), "values"),
        flat(x, x.shape, "x"),
        flat(dy, (samples, shape.outputs), "dy"),
        flat_output(dx, (samples, shape.inputs), "out"),
        gradient,
    )
    # A chunk brings back sixteen columns at once.
    bounds = (pattern.column_bounds(thread_count(threads)) + LANES // 2) // LANES * LANES
    bounds[-1] = shape.inputs
    chunks = _chunks(np.minimum(bounds, shape.inputs), (2 * shape.inputs + shape.outputs) * shape.lanes, samples)
    told = Backward(chunks, pattern.columns, *arrays, shape, bool(relu))
    return Prepared(samples_backward, told, (dx, gradient))()


def _shape(pattern: Offsets, x: np.ndarray) -> tuple[Shape, int]:
    outputs, inputs = pattern.shape
    if x.ndim != 2 or not len(x) or x.shape[1] != inputs:
        raise InputError(f"x must be samples of {inputs} features, not {x.shape}")
    return Shape(tiles_for(len(x), pattern.lanes), inputs, outputs, pattern.lanes), len(x)


def _chunks(bounds: np.ndarray, size: int, samples: int) -> Chunks:
    count = bounds.size - 1
    return Chunks(count, bounds, empty(count * size), size, samples, np.arange(samples))
