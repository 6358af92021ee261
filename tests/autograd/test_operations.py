"""Every operation: right gradients over drawn shapes, kept dtypes, and what happens exactly at the kinks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyticket as tt
from tests.autograd.operations import OPERATIONS
from tests.autograd.problems import EXAMPLES, check_dtypes, check_gradient

every_operation = pytest.mark.parametrize("problems", OPERATIONS.values(), ids=OPERATIONS.keys())


@every_operation
@EXAMPLES
@given(data=st.data())
def test_gradient_agrees_with_finite_differences(problems, data):
    check_gradient(data.draw(problems))


@every_operation
@EXAMPLES
@given(data=st.data())
def test_float32_and_float64_are_kept_in_value_and_gradient(problems, data):
    check_dtypes(data.draw(problems))


def gradients(f, *values):
    leaves = [tt.Tensor(np.array(value, float), requires_grad=True) for value in values]
    f(*leaves).sum().backward()
    return [leaf.grad.tolist() for leaf in leaves]


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (lambda a: a.relu(), [-1, 0, 1], [0, 0, 1]),
        (lambda a: a.abs(), [-2, 0, 2], [-1, 0, 1]),
        (lambda a: a.clip(0, 1), [-1, 0, 0.5, 1, 2], [0, 1, 1, 1, 0]),
        (lambda a: a**2, [-3, 0, 3], [-6, 0, 6]),
        (lambda a: a**1, [-3, 0, 3], [1, 1, 1]),
        (lambda a: a**0, [-3, 0, 3], [0, 0, 0]),
        (lambda a: a.max(), [1, 3, 3, 2], [0, 0.5, 0.5, 0]),
        (lambda a: a.min(), [1, 1, 1, 2], [1 / 3, 1 / 3, 1 / 3, 0]),
    ],
    ids=["relu", "abs", "clip", "square", "first power", "power 0", "max", "min"],
)
def test_gradient_at_a_kink_is_the_documented_one(f, at, expected):
    np.testing.assert_allclose(gradients(f, at), [expected])


@pytest.mark.parametrize("f", [tt.maximum, tt.minimum])
def test_equal_elements_share_the_gradient_of_maximum_and_minimum(f):
    assert gradients(f, [1, 2], [1, 2]) == [[0.5, 0.5], [0.5, 0.5]]


def test_power_of_zero_leaves_the_gradient_of_the_exponent_at_zero():
    assert gradients(lambda a, b: a**b, [0, 2], [2, 0]) == [[0, 0], [0, np.log(2)]]


@pytest.mark.parametrize("value", [-800.0, 800.0])
def test_sigmoid_of_large_numbers_does_not_overflow(value):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert tt.Tensor([value]).sigmoid().data == (value > 0)


@pytest.mark.parametrize(("dtype", "at"), [(np.float32, -20.0), (np.float64, -40.0)])
def test_sigmoid_keeps_small_probabilities(dtype, at):
    np.testing.assert_allclose(tt.Tensor(np.array([at], dtype)).sigmoid().data, np.exp(at), rtol=1e-5)


def test_gradient_of_a_quotient_survives_a_divisor_whose_square_underflows():
    a = tt.Tensor(np.array([1e-25], np.float32))
    b = tt.Tensor(np.array([1e-25], np.float32), requires_grad=True)
    (a / b).sum().backward()
    np.testing.assert_allclose(b.grad, [-1e25], rtol=1e-5)


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (lambda a: a.sum(axis=1), (0,)),
        (lambda a: a.mean(axis=1), (0,)),
        (lambda a: a.var(axis=1), (0,)),
        (lambda a: a.max(axis=1), (0,)),
        (lambda a: a.exp() * 2 + a, (0, 3)),
        (lambda a: a @ np.ones((3, 2)), (0, 2)),
        (lambda a: tt.concatenate([a, a]), (0, 3)),
    ],
    ids=["sum", "mean", "var", "max", "arithmetic", "matmul", "concatenate"],
)
def test_an_empty_batch_gives_empty_results_and_gradients(f, shape):
    leaf = tt.Tensor(np.zeros((0, 3)), requires_grad=True)
    result = f(leaf)
    assert result.shape == shape
    result.backward(np.zeros(shape))
    assert leaf.grad.shape == (0, 3)
