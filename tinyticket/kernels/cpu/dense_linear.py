"""A dense fully-connected layer on packed activations: the three passes as functions of arrays.

>>> y = unpack(dense_linear(weight, bias, pack(x), relu=True), len(x))        # doctest: +SKIP
"""

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output, packed_shape
from tinyticket.kernels.cpu.dense_passes import (
    OUTER_ROWS,
    ROWS,
    dense_backward,
    dense_forward,
    dense_gradient,
    dense_update,
)
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.packing import empty
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.optimizers import RULES, state_of
from tinyticket.kernels.cpu.threads import thread_count


def dense_linear(
    weight: np.ndarray,
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
    weight : array of shape (outputs, inputs)
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
    shape = packed_shape(x, "x", weight.shape)
    y = empty(shape.tiles, shape.outputs, shape.lanes) if out is None else out
    arrays = (
        flat(weight, weight.shape, "weight"),
        flat(bias, (shape.outputs,), "bias"),
        flat(x, x.shape, "x"),
        flat_output(y, (shape.tiles, shape.outputs, shape.lanes), "out"),
        shape,
    )
    dense_forward(even_bounds(shape.outputs, thread_count(threads), ROWS), *arrays, bool(relu))
    return y


def dense_input_gradient(
    weight: np.ndarray, x: np.ndarray, dy: np.ndarray, *, relu: bool = False, threads: int | None = None
) -> np.ndarray:
    """Compute dx = W' dy.

    Parameters
    ----------
    weight : array of shape (outputs, inputs)
    x : array of shape (tiles, inputs, lanes)
        What the layer was given.
    dy : array of shape (tiles, outputs, lanes)
    relu : bool
        x came out of a ReLU: make the result the gradient by what went into it.
    threads : int, optional

    Returns
    -------
    array of shape (tiles, inputs, lanes)
    """
    shape = packed_shape(x, "x", weight.shape)
    dx = empty(*x.shape)
    arrays = (
        flat(weight, weight.shape, "weight"),
        flat(x, x.shape, "x"),
        flat(dy, (shape.tiles, shape.outputs, shape.lanes), "dy"),
        dx.reshape(-1),
        shape,
    )
    dense_backward(even_bounds(shape.inputs, thread_count(threads), ROWS), *arrays, bool(relu))
    return dx


def dense_weight_gradient(
    x_samples: np.ndarray, dy: np.ndarray, samples: int, inputs: int, *, threads: int | None = None
) -> np.ndarray:
    """Compute dW = dy x', summed over the samples.

    Parameters
    ----------
    x_samples : array of shape (tiles * lanes, inputs rounded up to whole vectors)
        The layer's input, sample by sample, as `pack_samples`, `gather` and `transpose_samples` leave it.
    dy : array of shape (tiles, outputs, lanes)
    samples : int
        How many samples there are; the rest is padding and is not read.
    inputs : int
    threads : int, optional

    Returns
    -------
    array of shape (outputs, inputs)
    """
    shape = _outer_shape(x_samples, dy, samples, inputs)
    gradient = empty(shape.outputs, inputs)
    arrays = (
        flat(x_samples, x_samples.shape, "x_samples"),
        flat(dy, dy.shape, "dy"),
        gradient.reshape(-1),
        shape,
        samples,
    )
    dense_gradient(even_bounds(shape.outputs, thread_count(threads), OUTER_ROWS), *arrays)
    return gradient


def dense_weight_update(
    rule: str,
    scalars: np.ndarray,
    weight: np.ndarray,
    slots: tuple[np.ndarray, ...],
    x_samples: np.ndarray,
    dy: np.ndarray,
    samples: int,
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
) -> None:
    """Compute dW as `dense_weight_gradient` does and take an optimizer's step with it in place, without storing it.

    Parameters
    ----------
    rule, scalars, slots, mask, threads
        As in `update`.
    weight : float32 array of shape (outputs, inputs)
    x_samples, dy, samples
        As in `dense_weight_gradient`.
    """
    outputs, inputs = weight.shape
    shape = _outer_shape(x_samples, dy, samples, inputs)
    arrays = (
        flat(x_samples, x_samples.shape, "x_samples"),
        flat(dy, (shape.tiles, outputs, shape.lanes), "dy"),
        state_of(rule, weight, slots, mask),
        RULES[rule],
        flat(scalars, (8,), "scalars"),
        shape,
        samples,
    )
    dense_update(even_bounds(outputs, thread_count(threads), OUTER_ROWS), *arrays)


def _outer_shape(x_samples: np.ndarray, dy: np.ndarray, samples: int, inputs: int) -> Shape:
    shape = packed_shape(dy, "dy")._replace(inputs=inputs)
    expected = (shape.tiles * shape.lanes, -(-inputs // LANES) * LANES)
    if x_samples.shape != expected:
        raise InputError(f"x_samples has shape {x_samples.shape}, but {expected} was expected")
    if not 0 <= samples <= expected[0]:
        raise InputError(f"{samples} samples do not fit into {shape.tiles} tiles of {shape.lanes} lanes")
    return shape
