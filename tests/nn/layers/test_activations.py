"""Activations apply their function."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket import nn
from tinyticket.nn import functional as F

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "f"),
    [
        (nn.ReLU(), F.relu),
        (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, negative_slope=0.3)),
        (nn.Tanh(), F.tanh),
        (nn.Sigmoid(), F.sigmoid),
        (nn.GELU(), F.gelu),
        (nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_activation_applies_its_function(layer, f):
    np.testing.assert_array_equal(layer(tt.Tensor(X)).data, f(X).data)
    assert list(layer.parameters()) == []
