"""The reference kernels of the layer with some connections alone against those of the dense layer with zeros elsewhere."""

import sys

import numpy as np
import pytest

from tinyticket.kernels import reference

RNG = np.random.default_rng(0)
MASK = RNG.random((5, 3)) < 0.5
MASK[2] = False  # an output without inputs
STARTS, COLUMNS = np.concatenate(([0], np.cumsum(MASK.sum(1)))), np.nonzero(MASK)[1].astype(np.int32)
VALUES = RNG.standard_normal(COLUMNS.size)
WEIGHT = np.zeros((5, 3))
WEIGHT[MASK] = VALUES
BIAS = RNG.standard_normal(5)

before = pytest.mark.parametrize("before", [(), (4,), (2, 3)])


@before
def test_sparse_linear(before):
    x = RNG.standard_normal((*before, 3))
    for bias in (None, BIAS):
        found = reference.sparse_linear(x, STARTS, COLUMNS, VALUES, bias)
        np.testing.assert_allclose(found, reference.linear(x, WEIGHT, bias))


@before
def test_gradients(before, monkeypatch):
    # A weight gradient then comes in several parts.
    monkeypatch.setattr(sys.modules[reference.sparse_linear.__module__], "PRODUCTS", 5)
    x, dy = RNG.standard_normal((*before, 3)), RNG.standard_normal((*before, 5))
    found = reference.sparse_linear_input_gradient(dy, STARTS, COLUMNS, VALUES, 3)
    np.testing.assert_allclose(found, reference.linear_input_gradient(dy, WEIGHT))
    found = reference.sparse_linear_weight_gradient(dy, x, STARTS, COLUMNS)
    np.testing.assert_allclose(found, reference.linear_weight_gradient(dy, x)[MASK])
