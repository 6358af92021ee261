"""A masked fully-connected layer whose cost is that of its survivors: the three passes as functions of arrays.

Each has a twin that prepares the call instead, for arrays that stay.

>>> pattern = Pattern.from_mask(weight != 0, lanes=lanes_for(len(x)))           # doctest: +SKIP
>>> y = unpack(sparse_linear(pattern, weight[weight != 0], bias, pack(x, pattern.lanes)), len(x))       # doctest: +SKIP
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import flat, flat_kept, flat_output, packed_shape
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.prepared import Prepared
from tinyticket.kernels.cpu.sparse_calls import (
    Backward,
    Forward,
    Gradient,
    sparse_backward,
    sparse_forward,
    sparse_gradient,
)
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.threads import thread_count

Taking = Callable[[np.ndarray, Sequence[int], str], np.ndarray]
"""How inputs are taken: `flat`, which may copy, or `flat_kept`."""


class Offsets(Protocol):
    """What the kernels need to know of a mask; `tinyticket.sparse.Pattern` is one, validated when it was built."""

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""

    @property
    def lanes(self) -> int:
        """Lanes of the activations that the offsets are scaled for."""

    @property
    def count(self) -> int:
        """Number of survivors."""

    @property
    def rows(self) -> Lines:
        """Survivors row by row."""

    @property
    def columns(self) -> Lines:
        """Survivors column by column."""

    def row_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of rows with nearly equal numbers of survivors."""

    def column_bounds(self, chunks: int) -> np.ndarray:
        """Bounds of chunks of columns with nearly equal numbers of survivors."""


def sparse_linear(
    pattern: Offsets,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Compute y = W x + bias of packed activations, perhaps through a ReLU.

    Parameters
    ----------
    pattern : Pattern
        Where the survivors of W are.
    values : array of shape (survivors,)
        The survivors, row by row.
    bias : array of shape (outputs,)
    x : array of shape (tiles, inputs, lanes)
    relu : bool
        Set what is negative to zero.
    out : float32 array of shape (tiles, outputs, lanes), optional
    threads : int, optional
        All that Numba may use, if not given; the result has the same bits for any number.

    Returns
    -------
    array of shape (tiles, outputs, lanes)
    """
    return _linear(pattern, values, bias, x, relu, out, threads, flat)()


def prepare_sparse_linear(
    pattern: Offsets,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> Prepared[np.ndarray]:
    """Prepare `sparse_linear` for arrays that stay: float32, C-contiguous, and read anew by every run."""
    return _linear(pattern, values, bias, x, relu, out, threads, flat_kept)


def sparse_linear_backward(
    pattern: Offsets,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients in one pass over the columns.

    Parameters
    ----------
    pattern : Pattern
    values : array of shape (survivors,)
        The survivors, column by column.
    x : array of shape (tiles, inputs, lanes)
        What the layer was given.
    dy : array of shape (tiles, outputs, lanes)
        The loss's gradient by what the layer gave; zero in padded lanes.
    relu : bool
        x came out of a ReLU: make the first result the gradient by what went into it.
    threads : int, optional

    Returns
    -------
    dx : array of shape (tiles, inputs, lanes)
    gradient : array of shape (survivors,)
        Column by column, as the values; summed over the samples.
    """
    return _backward(pattern, values, x, dy, relu, threads, flat)()


def prepare_sparse_linear_backward(
    pattern: Offsets,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    relu: bool = False,
    threads: int | None = None,
) -> Prepared[tuple[np.ndarray, np.ndarray]]:
    """Prepare `sparse_linear_backward` for arrays that stay: float32, C-contiguous, and read anew by every run."""
    return _backward(pattern, values, x, dy, relu, threads, flat_kept)


def sparse_weight_gradient(
    pattern: Offsets, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
) -> np.ndarray:
    """Compute the survivors' gradients alone, row by row, as a first layer needs them.

    Parameters
    ----------
    pattern : Pattern
    x : array of shape (tiles, inputs, lanes)
    dy : array of shape (tiles, outputs, lanes)
        Zero in padded lanes.
    threads : int, optional

    Returns
    -------
    array of shape (survivors,), row by row
    """
    return _gradient(pattern, x, dy, threads, flat)()


def prepare_sparse_weight_gradient(
    pattern: Offsets, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
) -> Prepared[np.ndarray]:
    """Prepare `sparse_weight_gradient` for arrays that stay: float32, C-contiguous, and read anew by every run."""
    return _gradient(pattern, x, dy, threads, flat_kept)


def _linear(
    pattern: Offsets,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    relu: bool,
    out: np.ndarray | None,
    threads: int | None,
    take: Taking,
) -> Prepared[np.ndarray]:
    shape = _shape(pattern, x)
    y = empty(shape.tiles, shape.outputs, shape.lanes) if out is None else out
    arrays = (
        take(values, (pattern.count,), "values"),
        take(bias, (shape.outputs,), "bias"),
        take(x, x.shape, "x"),
        flat_output(y, (shape.tiles, shape.outputs, shape.lanes), "out"),
    )
    bounds = pattern.row_bounds(thread_count(threads))
    return Prepared(sparse_forward, Forward(bounds.size - 1, bounds, pattern.rows, *arrays, shape, bool(relu)), y)


def _backward(
    pattern: Offsets,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    relu: bool,
    threads: int | None,
    take: Taking,
) -> Prepared[tuple[np.ndarray, np.ndarray]]:
    shape = _shape(pattern, x)
    dx, gradient = empty(*x.shape), empty(pattern.count)
    arrays = (
        take(values, (pattern.count,), "values"),
        take(x, x.shape, "x"),
        take(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"),
        dx,
        gradient,
    )
    bounds = pattern.column_bounds(thread_count(threads))
    told = Backward(bounds.size - 1, bounds, pattern.columns, *arrays, shape, bool(relu))
    return Prepared(sparse_backward, told, (dx, gradient))


def _gradient(
    pattern: Offsets, x: np.ndarray, dy: np.ndarray, threads: int | None, take: Taking
) -> Prepared[np.ndarray]:
    shape = _shape(pattern, x)
    gradient = empty(pattern.count)
    arrays = take(x, x.shape, "x"), take(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"), gradient
    bounds = pattern.row_bounds(thread_count(threads))
    return Prepared(sparse_gradient, Gradient(bounds.size - 1, bounds, pattern.rows, *arrays, shape), gradient)


def _shape(pattern: Offsets, x: np.ndarray) -> Shape:
    shape = packed_shape(x, "x", pattern.shape)
    if shape.lanes != pattern.lanes:
        raise InputError(f"x has {shape.lanes} lanes, but the pattern was built for {pattern.lanes}")
    return shape
