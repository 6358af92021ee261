"""From a function on arrays to an operation on tensors.

An operation is written once, as a function that returns its result together with one gradient function per array argument, so
that forward and gradient stand side by side:

    @operation
    def multiply(a, b):
        return a * b, (lambda g: g * b, lambda g: g * a)

Broadcasting and dtypes need no care there: the tape sums gradients back to the shape of their input and casts them to its dtype.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.autograd.tape import Gradient, Node, recording
from tinyticket.autograd.tensor import Tensor

Rule = Callable[..., tuple[np.ndarray, tuple[Gradient, ...]]]


def operation(rule: Rule) -> Callable[..., Tensor]:
    """Make a tensor operation of `rule(*arrays, **attributes) -> (result, gradients)`.

    Positional arguments become tensors; keyword arguments are passed on as they are and recorded as the node's attributes.
    A gradient function is called only if its input requires a gradient.
    """
    name = rule.__name__.strip("_")

    @functools.wraps(rule)
    def apply(*operands: Any, **attributes: Any) -> Tensor:
        inputs = as_tensors(operands)
        data, gradients = rule(*(tensor.data for tensor in inputs), **attributes)
        if recording() and any(tensor.requires_grad for tensor in inputs):
            return Tensor.made_by(Node(name, inputs, gradients, attributes), data)
        return Tensor(data)

    return apply


def as_tensors(operands: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Turn operands into tensors of one floating dtype.

    Arrays of floating numbers with at least one axis decide; where there are none, zero-dimensional tensors do. Python and NumPy
    scalars, zero-dimensional arrays, integers and booleans take the dtype of the others and never change it. float32 and float64
    arrays together give float64, as in NumPy.
    """
    if all(isinstance(operand, Tensor) and operand.dtype == operands[0].dtype for operand in operands):
        return operands
    arrays = [operand.data if isinstance(operand, Tensor) else _real(operand) for operand in operands]
    floating = [array.dtype.kind == "f" for array in arrays]
    deciding = [array.dtype for array, real in zip(arrays, floating, strict=True) if real and array.ndim]
    deciding = deciding or [operand.dtype for operand in operands if isinstance(operand, Tensor)]
    dtype = np.result_type(*deciding) if deciding else np.dtype(np.float64)
    return tuple(
        _as_tensor(operand, array, real and array.ndim > 0, dtype)
        for operand, array, real in zip(operands, arrays, floating, strict=True)
    )


def _real(operand: Any) -> np.ndarray:
    array = np.asarray(operand)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"tensors calculate with real numbers, not with {operand!r:.60} (dtype {array.dtype})")
    return array


def _as_tensor(operand: Any, array: np.ndarray, keeps_dtype: bool, dtype: np.dtype) -> Tensor:
    if array.dtype == dtype or keeps_dtype:
        return operand if isinstance(operand, Tensor) else Tensor(array)
    if isinstance(operand, Tensor):
        return _cast(operand, dtype=dtype)
    return Tensor(array.astype(dtype))


def _cast(tensor: Tensor, dtype: np.dtype) -> Tensor:
    if not (tensor.requires_grad and recording()):
        return Tensor(tensor.data.astype(dtype))
    return Tensor.made_by(Node("cast", (tensor,), (lambda g: g,), {"dtype": dtype}), tensor.data.astype(dtype))
