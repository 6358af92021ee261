"""A masked fully-connected layer on packed activations, whose cost is that of its survivors.

    pattern = Pattern.from_mask(weight != 0, lanes_for(len(x)))
    y = unpack(sparse_linear(pattern, weight[weight != 0], bias, pack(x, pattern.lanes)), len(x))

Each function has a twin that prepares the call instead, for arrays that stay: a call from Python checks shapes, counts threads and
makes arrays for its results, ten to twenty microseconds, as much as a small sparse layer takes.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, NamedTuple, ParamSpec

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import flat, flat_kept, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.job import Floats, Offsets, Prepared, kernel
from tinyticket.kernels.cpu.lines import LinearPattern, Lines
from tinyticket.kernels.cpu.packing import empty, packed_shape
from tinyticket.kernels.cpu.sparse_strips import backward_columns, forward_rows, gradient_rows
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
    """The job of `reorder_survivors`, which brings values from column by column to row by row; the share are the latter.

    Numbers are read at random and written in order: a core waits for many reads at a time, but its writes for each other.
    """

    columns: Floats
    rows: Floats  # written
    to_column: Offsets  # place column by column of each survivor row by row


@kernel(ReorderSurvivors)
def _reorder_survivors(job, first, last):
    columns, rows, to_column = job.columns, job.rows, job.to_column
    for survivor in range(first, last):
        put(rows, survivor, at(columns, at(to_column, survivor)))


# -- functions of arrays

Taking = Callable[[np.ndarray, Sequence[int], str], np.ndarray]
"""How inputs are taken: `flat`, which may copy, or `flat_kept`."""

_Given = ParamSpec("_Given")


def _functions(
    name: str, made: Callable[Concatenate[Taking, _Given], Prepared]
) -> tuple[Callable[_Given, Any], Callable[_Given, Prepared]]:
    """Return the function of arrays that makes a call, and the one that prepares it."""

    def call(*arrays: _Given.args, **options: _Given.kwargs) -> Any:
        return made(flat, *arrays, **options)()

    def prepare(*arrays: _Given.args, **options: _Given.kwargs) -> Prepared:
        return made(flat_kept, *arrays, **options)

    _, *parameters = inspect.signature(made).parameters.values()
    for function, prefix in (call, ""), (prepare, "prepare_"):
        function.__name__ = function.__qualname__ = prefix + name
        vars(function)["__signature__"] = inspect.Signature(parameters)
    call.__doc__ = made.__doc__
    prepare.__doc__ = f"Prepare `{name}` for arrays that stay: float32, C-contiguous, and read anew by every run."
    return call, prepare


def _linear(
    take: Taking,
    pattern: LinearPattern,
    values: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    *,
    relu: bool = False,
    out: Written[np.ndarray] | None = None,
    threads: int | None = None,
) -> Prepared:
    """Compute y = W x + bias of packed activations, perhaps through a ReLU: `linear` by the survivors of W alone.

    Parameters
    ----------
    pattern : Pattern
        Where the survivors of W are.
    values : array of shape (survivors,)
        The survivors, row by row, as `pattern.values` returns them.
    bias, x, relu, out, threads
        As in `linear`.

    Raises
    ------
    InputError
        If x is not packed with the pattern's lanes, or an array does not have the pattern's shape.
    """
    shape = _shape(pattern, x)
    y = empty(shape.tiles, shape.outputs, shape.lanes) if out is None else out
    arrays = take(values, (pattern.count,), "values"), take(bias, (shape.outputs,), "bias"), take(x, x.shape, "x")
    after = flat_output(y, (shape.tiles, shape.outputs, shape.lanes), "out")
    job = SparseLinear(pattern.rows, *arrays, after, bool(relu), shape)
    return Prepared(job, pattern.row_bounds(thread_count(threads)), y)


def _gradient(
    take: Taking,
    pattern: LinearPattern,
    values: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    *,
    x_is_relu_output: bool = False,
    threads: int | None = None,
) -> Prepared:
    """Compute the input gradient and the survivors' gradients, summed over the samples, in one pass over the columns.

    The other arguments, and errors, are those of `sparse_linear`.

    Parameters
    ----------
    values : array of shape (survivors,)
        The survivors, column by column, as `pattern.by_column` orders them, and as is the second result.
    dy : array of shape (tiles, outputs, lanes)
        The loss's gradient by what the layer gave; zero in padded lanes.
    x_is_relu_output : bool
        Make the first result the gradient by what went into the ReLU that made x.
    """
    shape = _shape(pattern, x)
    dx, gradient = empty(*x.shape), empty(pattern.count)
    above = take(dy, (shape.tiles, shape.outputs, shape.lanes), "dy")
    arrays = take(values, (pattern.count,), "values"), take(x, x.shape, "x"), above, dx, gradient
    job = SparseLinearGradient(pattern.columns, *arrays, bool(x_is_relu_output), shape)
    return Prepared(job, pattern.column_bounds(thread_count(threads)), (dx, gradient))


def _weight_gradient(
    take: Taking, pattern: LinearPattern, x: np.ndarray, dy: np.ndarray, *, threads: int | None = None
) -> Prepared:
    """Compute the survivors' gradients alone, row by row, as a first layer needs them; arrays as in `sparse_linear_gradient`."""
    shape, gradient = _shape(pattern, x), empty(pattern.count)
    arrays = take(x, x.shape, "x"), take(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"), gradient
    job = SparseLinearWeightGradient(pattern.rows, *arrays, shape)
    return Prepared(job, pattern.row_bounds(thread_count(threads)), gradient)


def _shape(pattern: LinearPattern, x: np.ndarray) -> Shape:
    shape = packed_shape(x, "x", pattern.shape)
    if shape.lanes != pattern.lanes:
        raise InputError(f"x has {shape.lanes} lanes, but the pattern was built for {pattern.lanes}")
    return shape


sparse_linear, prepare_sparse_linear = _functions("sparse_linear", _linear)
sparse_linear_gradient, prepare_sparse_linear_gradient = _functions("sparse_linear_gradient", _gradient)
sparse_linear_weight_gradient, prepare_sparse_linear_weight_gradient = _functions(
    "sparse_linear_weight_gradient", _weight_gradient
)
