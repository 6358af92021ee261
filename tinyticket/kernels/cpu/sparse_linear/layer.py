"""A masked fully-connected layer: the jobs and kernels of its three passes, and functions of arrays in front of them.

Each function of arrays has a twin that prepares the call instead, for arrays that stay: a call from Python checks shapes, counts
threads and makes arrays for its results, ten to twenty microseconds, as much as a small sparse layer takes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import flat, flat_kept, flat_output, packed_shape
from tinyticket.kernels.cpu.job import Floats, Offsets, Prepared, kernel
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.sparse_linear.strips import backward_columns, forward_rows, gradient_rows
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.vector.simd import at
from tinyticket.kernels.cpu.vector.transpose import put
from tinyticket.kernels.geometry import Shape


class SparseLinear(NamedTuple):
    """The job of `sparse_linear`, whose share are rows, that is outputs."""

    rows: Lines
    values: Floats  # row by row
    bias: Floats
    x: Floats
    y: Floats
    relu: bool
    shape: Shape


@kernel(SparseLinear)
def _sparse_linear(job, first, last):
    forward_rows(job.rows, job.values, job.bias, job.x, job.y, job.shape, first, last, job.relu)


class SparseLinearGradient(NamedTuple):
    """The job of `sparse_linear_gradient`, whose share are columns, that is inputs."""

    columns: Lines
    values: Floats  # column by column, as is the gradient
    x: Floats
    dy: Floats  # zero in padded lanes
    dx: Floats
    gradient: Floats
    x_is_relu_output: bool  # leave dx zero where x is zero
    shape: Shape


@kernel(SparseLinearGradient)
def _sparse_linear_gradient(job, first, last):
    arrays = job.values, job.x, job.dy, job.dx, job.gradient
    backward_columns(job.columns, *arrays, job.shape, first, last, job.x_is_relu_output)


class SparseLinearWeightGradient(NamedTuple):
    """The job of `sparse_linear_weight_gradient`, whose share are rows."""

    rows: Lines
    x: Floats
    dy: Floats  # zero in padded lanes
    gradient: Floats  # row by row
    shape: Shape


@kernel(SparseLinearWeightGradient)
def _sparse_linear_weight_gradient(job, first, last):
    gradient_rows(job.rows, job.x, job.dy, job.gradient, job.shape, first, last)


class ReorderSurvivors(NamedTuple):
    """The job of `reorder_survivors`, which brings values from column by column to row by row; the share are survivors."""

    columns: Floats
    rows: Floats  # written
    to_row: Offsets  # place row by row of each survivor column by column


@kernel(ReorderSurvivors)
def _reorder_survivors(job, first, last):
    columns, rows, to_row = job.columns, job.rows, job.to_row
    for survivor in range(first, last):
        put(rows, at(to_row, survivor), at(columns, survivor))


# -- functions of arrays

Taking = Callable[[np.ndarray, Sequence[int], str], np.ndarray]
"""How inputs are taken: `flat`, which may copy, or `flat_kept`."""


class LinearPattern(Protocol):
    """The part of a pattern that the kernels read; `tinyticket.sparse.Pattern` is one, validated when it was built."""

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
    pattern: LinearPattern,
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

    Raises
    ------
    InputError
        If x is not packed with the pattern's lanes, or an array does not have the shape given above.
    """
    return _linear(pattern, values, bias, x, relu, out, threads, flat)()


def prepare_sparse_linear(
    pattern: LinearPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: np.ndarray | None = None,
    threads: int | None = None,
) -> Prepared:
    """Prepare `sparse_linear` for arrays that stay: float32, C-contiguous, and read anew by every run."""
    return _linear(pattern, values, bias, x, relu, out, threads, flat_kept)


def sparse_linear_gradient(
    pattern: LinearPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    x_is_relu_output: bool = False,
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
    x_is_relu_output : bool
        Make the first result the gradient by what went into the ReLU that made x.
    threads : int, optional

    Returns
    -------
    dx : array of shape (tiles, inputs, lanes)
    gradient : array of shape (survivors,)
        Column by column, as the values; summed over the samples.

    Raises
    ------
    InputError
        If x is not packed with the pattern's lanes, or an array does not have the shape given above.
    """
    return _gradient(pattern, values, x, dy, x_is_relu_output, threads, flat)()


def prepare_sparse_linear_gradient(
    pattern: LinearPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Prepared:
    """Prepare `sparse_linear_gradient` for arrays that stay: float32, C-contiguous, and read anew by every run."""
    return _gradient(pattern, values, x, dy, x_is_relu_output, threads, flat_kept)


def sparse_linear_weight_gradient(
    pattern: LinearPattern, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
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

    Raises
    ------
    InputError
        If x is not packed with the pattern's lanes, or dy does not have the shape given above.
    """
    return _weight_gradient(pattern, x, dy, threads, flat)()


def prepare_sparse_linear_weight_gradient(
    pattern: LinearPattern, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
) -> Prepared:
    """Prepare `sparse_linear_weight_gradient` for arrays that stay: float32, C-contiguous, and read anew by every run."""
    return _weight_gradient(pattern, x, dy, threads, flat_kept)


def _linear(
    pattern: LinearPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    relu: bool,
    out: np.ndarray | None,
    threads: int | None,
    take: Taking,
) -> Prepared:
    shape = _shape(pattern, x)
    y = empty(shape.tiles, shape.outputs, shape.lanes) if out is None else out
    arrays = (
        take(values, (pattern.count,), "values"),
        take(bias, (shape.outputs,), "bias"),
        take(x, x.shape, "x"),
        flat_output(y, (shape.tiles, shape.outputs, shape.lanes), "out"),
    )
    job = SparseLinear(pattern.rows, *arrays, bool(relu), shape)
    return Prepared(job, pattern.row_bounds(thread_count(threads)), y)


def _gradient(
    pattern: LinearPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    x_is_relu_output: bool,
    threads: int | None,
    take: Taking,
) -> Prepared:
    shape = _shape(pattern, x)
    dx, gradient = empty(*x.shape), empty(pattern.count)
    arrays = (
        take(values, (pattern.count,), "values"),
        take(x, x.shape, "x"),
        take(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"),
        dx,
        gradient,
    )
    job = SparseLinearGradient(pattern.columns, *arrays, bool(x_is_relu_output), shape)
    return Prepared(job, pattern.column_bounds(thread_count(threads)), (dx, gradient))


def _weight_gradient(
    pattern: LinearPattern, x: np.ndarray, dy: np.ndarray, threads: int | None, take: Taking
) -> Prepared:
    shape = _shape(pattern, x)
    gradient = empty(pattern.count)
    arrays = take(x, x.shape, "x"), take(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"), gradient
    job = SparseLinearWeightGradient(pattern.rows, *arrays, shape)
    return Prepared(job, pattern.row_bounds(thread_count(threads)), gradient)


def _shape(pattern: LinearPattern, x: np.ndarray) -> Shape:
    shape = packed_shape(x, "x", pattern.shape)
    if shape.lanes != pattern.lanes:
        raise InputError(f"x has {shape.lanes} lanes, but the pattern was built for {pattern.lanes}")
    return shape
