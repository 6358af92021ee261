"""What NumPy's functions do when they are given a tensor.

NumPy asks a tensor among the arguments to answer the call, and the answer is one of three:

* an operation that gradients flow through (`OPERATIONS`): `np.exp(tensor)` is `tensor.exp()`;
* a plain array, number or text where a gradient has no meaning (`PLAIN`): comparisons, positions, shapes, printing;
* an InputError, as the plain array that NumPy would compute has lost its gradient without a word.

Taking the numbers out remains possible and is never a surprise: `tensor.data`, `np.asarray(tensor)`, `np.array(tensor)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinyticket.autograd import elementwise, products, reductions, shapes
from tinyticket.autograd.einsum import einsum
from tinyticket.autograd.tensor import Tensor
from tinyticket.errors import InputError


def call(function: Callable, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Return what a NumPy function, some arguments of which are tensors, gives."""
    if keywords.get("out") is not None:
        raise TypeError(
            "tensors are neither changed nor copied into arrays in place, since gradients would miss it: "
            "write a = a + b instead of a += b or out=a"
        )
    if function in PLAIN:
        return function(*map(_numbers, arguments), **{name: _numbers(value) for name, value in keywords.items()})
    if function not in OPERATIONS:
        raise _refusal(function, "is no operation of tinyticket, so its result would have no gradient")
    operation = OPERATIONS[function]
    try:
        if function in NAMED:
            first, keywords = _by_name(function, arguments, keywords)
            arguments = (first,)
        _signature(operation).bind(*arguments, **keywords)
    except TypeError as error:
        raise _refusal(function, str(error)) from None
    return operation(*arguments, **keywords)


def _by_name(function: Callable, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the first argument, the array, and the others by the names that NumPy gives them."""
    bound = _signature(function).bind(*arguments, **keywords).arguments
    first, *others = bound
    return bound[first], {name: bound[name] for name in others}


_signature = functools.cache(inspect.signature)


def _numbers(value: Any) -> Any:
    """Return arrays in place of the tensors in an argument."""
    if isinstance(value, list | tuple):
        return type(value)(map(_numbers, value))
    return value.data if isinstance(value, Tensor) else value


def _refusal(function: Any, reason: str) -> InputError:
    owner = getattr(function, "__self__", None)  # of np.add.reduce it is np.add
    home = getattr(owner or function, "__module__", None) or "numpy"
    name = ".".join([home.replace("numpy", "np", 1), *([owner.__name__] if owner else []), function.__name__])
    return InputError(f"{name} of a tensor {reason}; write {name}(tensor.data) for the numbers alone")


def _clip(a, a_min=None, a_max=None, *, min=None, max=None):
    return elementwise.clip(a, a_min if min is None else min, a_max if max is None else max)


def _reshape(a, shape):
    return shapes.reshape(a, shape=shape)


def _pad(array, pad_width, mode="constant", *, constant_values=0):
    if mode != "constant":
        raise InputError(
            f"np.pad of a tensor knows the mode 'constant' alone, not {mode!r}; see nn.functional.pad for others"
        )
    return shapes.pad(array, pad_width=pad_width, constant_values=constant_values)


NAMED: dict[Callable, Callable] = {
    np.sum: reductions.sum,
    np.mean: reductions.mean,
    np.var: reductions.var,
    np.std: reductions.std,
    np.prod: reductions.prod,
    np.cumsum: reductions.cumsum,
    np.max: reductions.max,
    np.amax: reductions.max,
    np.min: reductions.min,
    np.amin: reductions.min,
    np.transpose: shapes.transpose,
    np.squeeze: shapes.squeeze,
    np.expand_dims: shapes.expand_dims,
    np.broadcast_to: shapes.broadcast_to,
}
"""Functions of one array, whose other arguments are the operation's attributes of the same names."""

OPERATIONS: dict[Callable, Callable] = {
    np.add: elementwise.add,
    np.subtract: elementwise.subtract,
    np.multiply: elementwise.multiply,
    np.divide: elementwise.divide,
    np.power: elementwise.power,
    np.negative: elementwise.negative,
    np.positive: lambda a: a,
    np.exp: elementwise.exp,
    np.log: elementwise.log,
    np.sqrt: elementwise.sqrt,
    np.sin: elementwise.sin,
    np.cos: elementwise.cos,
    np.tanh: elementwise.tanh,
    np.absolute: elementwise.absolute,
    np.fabs: elementwise.absolute,
    np.maximum: elementwise.maximum,
    np.minimum: elementwise.minimum,
    np.clip: _clip,
    np.where: elementwise.where,
    np.reshape: _reshape,
    np.concatenate: shapes.concatenate,
    np.stack: shapes.stack,
    np.pad: _pad,
    np.matmul: products.matmul,
    np.linalg.matmul: products.matmul,
    np.dot: products.dot,
    np.einsum: einsum,
    **NAMED,
}
"""By NumPy's function, the operation that takes its place."""

PLAIN: set[Callable] = {
    # comparisons, and what else is true or false
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.isnan, np.isinf, np.isfinite, np.signbit),
    *(np.isclose, np.allclose, np.array_equal, np.array_equiv, np.any, np.all, np.isin),
    *(np.isposinf, np.isneginf, np.isreal, np.iscomplex, np.isrealobj, np.iscomplexobj),
    # positions and counts
    *(
        np.argmax,
        np.argmin,
        np.nanargmax,
        np.nanargmin,
        np.argsort,
        np.argpartition,
        np.lexsort,
        np.searchsorted,
        np.digitize,
    ),
    *(np.nonzero, np.flatnonzero, np.argwhere, np.count_nonzero),
    # shapes, dtypes and memory; arrays of the same shape that hold something else
    *(np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.min_scalar_type, np.common_type),
    *(np.shares_memory, np.may_share_memory, np.zeros_like, np.ones_like, np.empty_like),
    # text and files
    *(np.array_repr, np.array_str, np.array2string, np.save, np.savez, np.savez_compressed, np.savetxt),
}
"""Functions whose results have no gradient to lose."""
