"""The reference kernels of the fully-connected layer against explicit loops."""

import numpy as np
import pytest

from tinyticket.kernels import reference

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3))
WEIGHT = RNG.standard_normal((5, 3))
BIAS = RNG.standard_normal(5)
DY = RNG.standard_normal((4, 5))


def over_examples_outputs_and_inputs():
    return ((n, o, i) for n in range(4) for o in range(5) for i in range(3))


def test_linear():
    expected = np.zeros((4, 5))
    for n, o, i in over_examples_outputs_and_inputs():
        expected[n, o] += X[n, i] * WEIGHT[o, i]
    np.testing.assert_allclose(reference.linear(X, WEIGHT), expected)
    np.testing.assert_allclose(reference.linear(X, WEIGHT, BIAS), expected + BIAS)


def test_input_gradient():
    expected = np.zeros_like(X)
    for n, o, i in over_examples_outputs_and_inputs():
        expected[n, i] += DY[n, o] * WEIGHT[o, i]
    np.testing.assert_allclose(reference.linear_input_gradient(DY, WEIGHT), expected)


def test_weight_gradient():
    expected = np.zeros_like(WEIGHT)
    for n, o, i in over_examples_outputs_and_inputs():
        expected[o, i] += DY[n, o] * X[n, i]
    np.testing.assert_allclose(reference.linear_weight_gradient(DY, X), expected)


def test_bias_gradient():
    expected = np.zeros(5)
    for n in range(4):
        expected += DY[n]
    np.testing.assert_allclose(reference.linear_bias_gradient(DY), expected)


@pytest.mark.parametrize("before", [(), (4,), (2, 2), (2, 1, 2)])
def test_any_number_of_axes_before_the_features_means_so_many_examples(before):
    count = int(np.prod(before))
    x, dy = X[:count].reshape(*before, 3), DY[:count].reshape(*before, 5)
    flat_x, flat_dy = X[:count], DY[:count]
    np.testing.assert_allclose(
        reference.linear(x, WEIGHT, BIAS), reference.linear(flat_x, WEIGHT, BIAS).reshape(*before, 5)
    )
    np.testing.assert_allclose(
        reference.linear_input_gradient(dy, WEIGHT),
        reference.linear_input_gradient(flat_dy, WEIGHT).reshape(*before, 3),
    )
    np.testing.assert_allclose(
        reference.linear_weight_gradient(dy, x), reference.linear_weight_gradient(flat_dy, flat_x)
    )
    np.testing.assert_allclose(reference.linear_bias_gradient(dy), reference.linear_bias_gradient(flat_dy))


def test_nothing_given_is_changed():
    arrays = [X, WEIGHT, BIAS, DY]
    before = [array.copy() for array in arrays]
    reference.linear(X, WEIGHT, BIAS)
    reference.linear_input_gradient(DY, WEIGHT)
    reference.linear_weight_gradient(DY, X)
    reference.linear_bias_gradient(DY)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
