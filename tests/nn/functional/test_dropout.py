"""Dropout as a function."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn import functional as F


def test_dropout_drops_the_fraction_and_scales_the_rest():
    result = F.dropout(np.ones(100_000, np.float32), 0.25, rng=0).data
    assert set(np.unique(result)) == {0, np.float32(1 / 0.75)}
    assert (result == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert result.mean() == pytest.approx(1, abs=0.01)


def test_dropout_draws_from_its_generator():
    x, generator = np.ones(100), np.random.default_rng(5)
    first, second = F.dropout(x, rng=generator).data, F.dropout(x, rng=generator).data
    assert (first != second).any()
    np.testing.assert_array_equal(first, F.dropout(x, rng=5).data)
    assert (F.dropout(x).data != F.dropout(x).data).any()


@pytest.mark.parametrize("arguments", [{"p": 0}, {"training": False}])
def test_dropout_does_nothing_in_evaluation_or_with_probability_zero(arguments):
    x = tt.Tensor(np.ones(3))
    assert F.dropout(x, **arguments) is x


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="dropout: p is a probability"):
        F.dropout(np.ones(3), p)
