"""PyTorch's own sample inputs of its operations, and how tinyticket spells these operations.

PyTorch tests itself with these samples. A spelling takes a sample's arguments, floating tensors as ours and all others as arrays
and numbers; arguments that it does not take, or that tinyticket refuses, make the sample count as refused.
`python -m tests.autograd.pytorch_samples` prints the table.
"""

import itertools
import operator
import sys
import types
import unittest
import warnings
from collections import Counter

import numpy as np

import tinyticket as tt
from tests.autograd.problems import assert_close, upstream
from tinyticket.nn import functional as F

TOLERANCES = {"float32": 1e-4, "float64": 1e-10}


def over(method, default=None):
    def spelled(a, dim=default, keepdim=False):
        axis = None if isinstance(dim, tuple | list) and not len(dim) else dim
        return getattr(a, method)(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdim)

    return spelled


def spread_over(method):
    def spelled(a, dim=None, unbiased=True, keepdim=False, *, correction=1):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = 1 if correction is None else correction
        return getattr(a, method)(axis=dim, ddof=ddof if unbiased else 0, keepdims=keepdim)

    return spelled


def extreme(method, of_two):
    def spelled(a, *arguments, **keywords):
        two = arguments and isinstance(arguments[0], tt.Tensor)
        return of_two(a, *arguments) if two else over(method)(a, *arguments, **keywords)

    return spelled


def scaled(f):
    return lambda a, b, *, alpha=1: f(a, b if alpha == 1 else alpha * b)


def transpose(a, dim0, dim1):
    axes = list(range(a.ndim))
    if axes:
        axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return a.transpose(*axes)


def squeeze(a, dim=None):
    dims = range(a.ndim) if dim is None else np.atleast_1d(np.asarray(dim, int))
    return a.squeeze(tuple(int(i) for i in dims if a.ndim and a.shape[i] == 1))


def pad(x, counts, mode="constant", value=None):
    return F.pad(x, counts, mode, value or 0)


SPELLINGS = {
    "add": scaled(operator.add),
    "sub": scaled(operator.sub),
    "rsub": lambda a, b, *, alpha=1: b - alpha * a,
    "mul": operator.mul,
    "div": lambda a, b, *, rounding_mode=None: a / b if rounding_mode is None else NotImplemented,
    "true_divide": operator.truediv,
    "pow": operator.pow,
    "neg": operator.neg,
    "reciprocal": lambda a: 1 / a,
    "square": lambda a: a**2,
    **{name: operator.methodcaller(name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "abs")},
    "clamp": lambda a, min=None, max=None: a.clip(min, max),
    "maximum": tt.maximum,
    "minimum": tt.minimum,
    "where": lambda a, condition, b: tt.where(condition, a, b),
    "sum": over("sum"),
    "mean": over("mean"),
    "prod": over("prod"),
    "amax": over("max"),
    "amin": over("min"),
    "std": spread_over("std"),
    "var": spread_over("var"),
    "max": extreme("max", tt.maximum),
    "min": extreme("min", tt.minimum),
    "cumsum": lambda a, dim: a.cumsum(dim).reshape(a.shape),
    "reshape": lambda a, shape: a.reshape(shape),
    "view": lambda a, shape: a.reshape(shape),
    "flatten": lambda a, start_dim=0, end_dim=-1: (
        F.flatten(a, start_dim) if end_dim in (-1, a.ndim - 1) else NotImplemented
    ),
    "transpose": transpose,
    "t": lambda a: a.T,
    "permute": lambda a, dims: a.transpose(*dims),
    "squeeze": squeeze,
    "unsqueeze": lambda a, dim: np.expand_dims(a, dim),
    "expand": lambda a, shape: np.broadcast_to(
        a, [old if new == -1 else new for old, new in zip_from_last(a.shape, shape)]
    ),
    "broadcast_to": lambda a, shape: np.broadcast_to(a, shape),
    "cat": lambda tensors, dim=0: tt.concatenate(tensors, axis=dim),
    "stack": lambda tensors, dim=0: tt.stack(tensors, axis=dim),
    "einsum": lambda tensors, equation: tt.einsum(equation, *tensors),
    **dict.fromkeys(["matmul", "mm", "bmm", "mv", "dot"], operator.matmul),
    "softmax": lambda a, dim: F.softmax(a, dim=dim),
    "log_softmax": lambda a, dim: F.log_softmax(a, dim=dim),
    **{
        f"nn.functional.{name}": getattr(F, name)
        for name in (
            "relu",
            "linear",
            "conv2d",
            "max_pool2d",
            "avg_pool2d",
            "batch_norm",
            "cross_entropy",
            "nll_loss",
            "mse_loss",
        )
    },
    "nn.functional.leaky_relu": lambda a, negative_slope=0.01: F.leaky_relu(a, negative_slope=negative_slope),
    "nn.functional.pad": pad,
}
"""By PyTorch's name of an operation."""


def zip_from_last(old, new):
    return zip((1,) * (len(new) - len(old)) + tuple(old), new, strict=True)


def measure(torch, dtype, every=1):
    """Return how many samples of an operation are right, refused and wrong, by (operation, word), and what the others are.

    Of the 1,440 samples of max_pool2d, two thirds of all, one in `every` is taken.
    """
    counts, others = Counter(), []
    for operation in operations_of(torch):
        samples = operation.sample_inputs("cpu", getattr(torch, dtype), requires_grad=True)
        for sample in itertools.islice(samples, None, None, every if "max_pool" in operation.name else 1):
            word, _, reason = outcome_of(torch, operation, sample, TOLERANCES[dtype]).partition(":")
            counts[operation.name, word] += 1
            if word != "right":
                others.append(f"{word}: {operation.name} {sample.summary()}:{reason}")
    return counts, others


def operations_of(torch):
    # PyTorch's samples want a package that tests of PyTorch itself use; none of it is used here.
    sys.modules.setdefault("expecttest", types.SimpleNamespace(TestCase=unittest.TestCase))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return [operation for operation in op_db if operation.name in SPELLINGS]


def outcome_of(torch, operation, sample, tolerance):
    leaves = {}

    def ours_of(value):
        if isinstance(value, torch.Tensor) and value not in leaves:
            array, value.grad = value.detach().numpy().copy(), None
            leaves[value] = tt.Tensor(array, value.requires_grad) if value.is_floating_point() else array
        if isinstance(value, torch.Tensor):
            return leaves[value]
        return type(value)(map(ours_of, value)) if type(value) in (list, tuple) else value

    spelling = SPELLINGS[operation.name]
    arguments, keywords = ours_of([sample.input, *sample.args]), {k: ours_of(v) for k, v in sample.kwargs.items()}
    try:
        ours = spelling(*arguments, **keywords)
    except (TypeError, ValueError, IndexError) as error:
        return f"refused: {error}"
    if ours is NotImplemented:
        return "refused"
    theirs = operation(sample.input, *sample.args, **sample.kwargs)
    ours, theirs = (result[0] if isinstance(result, tuple) else result for result in (ours, theirs))
    try:
        assert ours.shape == tuple(theirs.shape)
        assert_close(ours.data, theirs.detach().numpy(), tolerance)
        if theirs.requires_grad:
            gradient = upstream(ours.shape).astype(ours.dtype)
            ours.backward(gradient)
            theirs.backward(torch.tensor(gradient))
            for tensor, leaf in leaves.items():
                if tensor.grad is not None:
                    assert_close(leaf.grad, tensor.grad.numpy(), tolerance)
    except (AssertionError, RuntimeError) as error:
        return f"wrong: {error}"
    return "right"


def table(counts):
    """Return the counts as lines: an operation, how many of its samples are right, refused and wrong."""
    words = ("right", "refused", "wrong")
    rows = {name: [counts[name, word] for word in words] for name in SPELLINGS}
    rows["together"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    head = f"{'':28}{'right':>8}{'refused':>8}{'wrong':>8}"
    return "\n".join(
        [head, *(f"{name:28}{right:8}{refused:8}{wrong:8}" for name, (right, refused, wrong) in rows.items())]
    )


if __name__ == "__main__":
    import torch

    for dtype in TOLERANCES:
        counts, others = measure(torch, dtype)
        print(dtype, table(counts), *others, sep="\n")
