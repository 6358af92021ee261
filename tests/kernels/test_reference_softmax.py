"""The reference softmax and cross-entropy against explicit loops."""

import math

import numpy as np
import pytest

from tinyticket.kernels import reference

X = np.random.default_rng(0).standard_normal((4, 3))
LABELS = np.array([2, 0, 1, 1])


def probabilities(row):
    exps = [math.exp(x) for x in row]
    return [e / math.fsum(exps) for e in exps]


def test_softmax_and_its_logarithm():
    expected = np.array([probabilities(row) for row in X])
    np.testing.assert_allclose(reference.softmax(X), expected)
    np.testing.assert_allclose(reference.log_softmax(X), np.log(expected))
    np.testing.assert_allclose(reference.softmax(X.T, axis=0), expected.T)
    np.testing.assert_allclose(reference.log_softmax(X.T, axis=0), np.log(expected).T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_inputs_neither_overflow_nor_lose_small_probabilities(dtype):
    x = np.array([[1000, 0, -1000]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert reference.softmax(x).tolist() == [[1, 0, 0]]
        assert reference.log_softmax(x).tolist() == [[0, -1000, -2000]]
    assert reference.softmax(x).dtype == reference.log_softmax(x).dtype == dtype


def test_cross_entropy_is_minus_the_log_probability_of_the_label():
    expected = [-math.log(probabilities(row)[label]) for row, label in zip(X, LABELS, strict=True)]
    np.testing.assert_allclose(reference.cross_entropy(reference.log_softmax(X), LABELS), expected)


@pytest.mark.parametrize("upstream", [np.array(0.25), np.array([[1.0], [2.0], [-1.0], [0.0]])], ids=["one", "each"])
def test_cross_entropy_gradient_is_softmax_minus_one_hot_times_upstream(upstream):
    expected = np.array([probabilities(row) for row in X])
    for n, label in enumerate(LABELS):
        expected[n, label] -= 1
        expected[n] *= float(upstream[n, 0] if upstream.ndim else upstream)
    logs = reference.log_softmax(X)
    before = logs.copy()
    np.testing.assert_allclose(reference.cross_entropy_gradient(logs, LABELS, upstream), expected, atol=1e-15)
    np.testing.assert_array_equal(logs, before)
