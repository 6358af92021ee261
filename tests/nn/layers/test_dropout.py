"""Dropout: when it drops, and which."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket import nn


def test_dropout_drops_in_training_only():
    layer, x = nn.Dropout(0.5, rng=0), tt.Tensor(np.ones((100, 10), np.float32))
    assert set(np.unique(layer(x).data)) == {0, 2}
    layer.eval()
    assert layer(x) is x
    layer.train()
    assert (layer(x).data == 0).any()


def test_dropout_draws_anew_each_time_and_repeats_from_its_seed():
    x = np.ones(100, np.float32)
    one, other = nn.Dropout(rng=3), nn.Dropout(rng=3)
    first = one(x).data
    np.testing.assert_array_equal(other(x).data, first)
    assert (one(x).data != first).any()


def test_dropout_drops_the_gradient_of_what_it_dropped():
    x = tt.Tensor(np.ones(50, np.float32), requires_grad=True)
    result = nn.Dropout(0.5, rng=0)(x)
    result.sum().backward()
    np.testing.assert_array_equal(x.grad, result.data)


@pytest.mark.parametrize("p", [-0.1, 1, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="Dropout: p is a probability"):
        nn.Dropout(p)
