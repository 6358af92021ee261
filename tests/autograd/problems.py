"""Operations as problems: an operation on tensors, the same in PyTorch, and inputs drawn for both.

A table of operations maps names to strategies of `Problem`s; the checks at the end are what every operation must pass.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import tinyticket as tt

EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32 - 1)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)


@dataclass(frozen=True)
class Problem:
    """One operation at one point: `ours` maps tensors to a tensor, `theirs` the module torch and its tensors to theirs."""

    inputs: list[np.ndarray]
    ours: Callable
    theirs: Callable


def problem(inputs, ours, theirs=None) -> Problem:
    """Build a Problem; where both libraries spell the operation alike, `ours` serves for both."""
    return Problem(inputs, ours, theirs or (lambda torch, *tensors: ours(*tensors)))


# -- inputs: drawn away from every kink


def anywhere(values):
    return values


def positive(values):
    return 0.5 + np.abs(values)


def away_from_zero(values):
    return values + 0.5 * np.sign(values)


def off_kinks(shapes, seed, kinds=None) -> list[np.ndarray]:
    """Draw arrays whose elements are odd multiples of 0.05, no two alike: none is 0, a multiple of 0.1, or tied with another."""
    sizes = [math.prod(shape) for shape in shapes]
    total = sum(sizes)
    values = (np.random.default_rng(seed).permutation(total) - total // 2 + 0.5) / 10
    parts = np.split(values, np.cumsum(sizes)[:-1])
    kinds = kinds or [anywhere] * len(shapes)
    return [kind(part).reshape(shape) for kind, part, shape in zip(kinds, parts, shapes, strict=True)]


def elementwise(ours, theirs=None, kinds=(anywhere,)):
    """Problems of a function of one broadcastable array per kind of number."""

    @st.composite
    def problems(draw):
        shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=len(kinds), max_dims=3, max_side=3)).input_shapes
        return problem(off_kinks(shapes, draw(SEEDS), kinds), ours, theirs)

    return problems()


def of_one_array(make, shapes=SHAPES):
    """Problems of a function of one array, whose further arguments `make(draw, shape)` draws: it returns ours and theirs."""

    @st.composite
    def problems(draw):
        shape = draw(shapes)
        return problem(off_kinks([shape], draw(SEEDS)), *make(draw, shape))

    return problems()


# -- checks


def check_gradient(problem: Problem) -> None:
    tt.gradcheck(problem.ours, problem.inputs)


def check_dtypes(problem: Problem) -> None:
    """float32 and float64 are kept in the value and in every gradient, and agree to float32 rounding."""
    value32, gradients32 = value_and_gradients(problem, np.float32)
    value64, gradients64 = value_and_gradients(problem, np.float64)
    assert {array.dtype for array in (value32, *gradients32)} == {np.dtype(np.float32)}
    assert {array.dtype for array in (value64, *gradients64)} == {np.dtype(np.float64)}
    for ours, exact in zip((value32, *gradients32), (value64, *gradients64), strict=True):
        assert_close(ours, exact, 1e-4)


def check_against_torch(problem: Problem, torch) -> None:
    value, gradients = value_and_gradients(problem, np.float64)
    tensors = [torch.tensor(array, requires_grad=True) for array in problem.inputs]
    result = problem.theirs(torch, *tensors)
    assert tuple(result.shape) == value.shape
    result.backward(torch.tensor(upstream(value.shape)))
    assert_close(value, result.detach().numpy(), 1e-12)
    for ours, tensor in zip(gradients, tensors, strict=True):
        assert_close(ours, tensor.grad.numpy(), 1e-12)


def value_and_gradients(problem: Problem, dtype):
    tensors = [tt.Tensor(array.astype(dtype), requires_grad=True) for array in problem.inputs]
    result = problem.ours(*tensors)
    result.backward(upstream(result.shape).astype(dtype))
    for tensor in tensors:
        assert tensor.grad.shape == tensor.shape
    return result.data, [tensor.grad for tensor in tensors]


def upstream(shape) -> np.ndarray:
    return np.asarray(np.random.default_rng(0).standard_normal(shape))


def assert_close(ours, expected, tolerance) -> None:
    """Compare to within `tolerance` of the largest expected number (of 1, if they are all smaller)."""
    largest = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance * largest)
