"""Signed constants."""

import numpy as np
import pytest

from tinyticket.nn.sources import kaiming_constant, signed_deviation

WEIGHT = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


def test_the_deviation_is_that_of_the_layers_weights():
    mean = sum(WEIGHT.ravel().tolist()) / 24
    deviation = (sum((w - mean) ** 2 for w in WEIGHT.ravel().tolist()) / 24) ** 0.5
    result = signed_deviation(WEIGHT)
    assert np.abs(result) == pytest.approx(deviation, rel=1e-6)
    np.testing.assert_array_equal(np.sign(result), np.sign(WEIGHT))
    assert result.dtype == np.float32


def test_kaimings_constant_is_the_root_of_two_over_the_inputs():
    assert np.abs(kaiming_constant(WEIGHT)) == pytest.approx((2 / 6) ** 0.5)
    kernel = np.random.default_rng(1).normal(size=(8, 3, 5, 5)).astype(np.float32)
    assert np.abs(kaiming_constant(kernel)) == pytest.approx((2 / 75) ** 0.5)
    np.testing.assert_array_equal(np.sign(kaiming_constant(kernel)), np.sign(kernel))
