"""Weights in place for a forward pass, and out of it again."""

import numpy as np
import pytest

from tinyticket import Tensor, nn
from tinyticket.nn.sources import Source, Sourced

X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


class Doubled(Source):
    """Twice a number, and how often it was asked."""

    def __init__(self, shape):
        self.half, self.asked = nn.Parameter(np.full(shape, 0.5, np.float32)), 0

    def forward(self):
        self.asked += 1
        return self.half + self.half


def network():
    model = nn.Sequential({"fc": nn.Linear(6, 3, rng=0), "relu": nn.ReLU(), "output": nn.Linear(3, 2, rng=1)})
    source = Doubled((3, 6))
    return model, source, Sourced(model, {"fc.weight": source})


def test_the_layer_computes_with_the_sources_weight_and_gets_its_own_back():
    model, _, sourced = network()
    own = model.fc.weight
    hidden = np.maximum(X.sum(axis=1, keepdims=True).repeat(3, 1), 0)
    expected = hidden @ model.output.weight.data.T
    np.testing.assert_allclose(sourced(Tensor(X)).data, expected, rtol=1e-5, atol=1e-6)
    assert model.fc.weight is own
    with pytest.raises(ValueError, match="shapes"):
        sourced(Tensor(X[:, :2]))
    assert model.fc.weight is own


def test_gradients_reach_the_source_and_not_the_weight_in_its_place():
    model, source, sourced = network()
    sourced(Tensor(X)).sum().backward()
    assert source.half.grad is not None
    assert model.fc.weight.grad is None
    assert model.output.weight.grad is not None


def test_evaluation_asks_once_training_every_time():
    _, source, sourced = network()
    sourced(X), sourced(X)
    assert source.asked == 2
    sourced.eval()
    sourced(X), sourced(X)
    assert source.asked == 3
    assert not source.training
    sourced.train()(X)
    assert source.asked == 4


def test_convolutions_take_sources_too():
    model = nn.Sequential({"conv": nn.Conv2d(1, 2, 3, rng=0)})
    image = np.ones((1, 1, 3, 3), np.float32)
    assert Sourced(model, {"conv.weight": Doubled((2, 1, 3, 3))})(Tensor(image)).data.ravel() == pytest.approx(9)


def test_any_parameter_may_come_from_a_source_and_nothing_else():
    model, _, _ = network()
    sourced, own = Sourced(model, {"fc.bias": Doubled(3)}), model.fc.bias
    hidden = np.maximum(X @ model.fc.weight.data.T + 1, 0)
    np.testing.assert_allclose(sourced(Tensor(X)).data, hidden @ model.output.weight.data.T, rtol=1e-4, atol=1e-5)
    assert model.fc.bias is own
    with pytest.raises(ValueError, match=r"no parameter 'fc\.scale'"):
        Sourced(model, {"fc.scale": Doubled(3)})
