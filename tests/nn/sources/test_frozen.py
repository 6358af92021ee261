"""Pruned weights that stay at a value."""

import numpy as np
import pytest

from tinyticket import Tensor, nn
from tinyticket.nn.sources import Frozen, Sourced
from tinyticket.optim import SGD, Adam

RNG = np.random.default_rng(0)
MASK = RNG.random((3, 5)) < 0.5
X, Y = RNG.normal(size=(8, 5)).astype(np.float32), RNG.integers(0, 3, 8)


def network():
    layer = nn.Linear(5, 3, rng=1)
    whole = layer.weight.data.copy()
    layer.weight.mask = MASK
    frozen = np.where(MASK, np.float32(0), whole)
    return nn.Sequential({"fc": layer}), frozen, whole


def test_survivors_and_frozen_weights_together_are_the_weight():
    model, frozen, whole = network()
    source = Frozen(model.fc.weight, frozen)
    assert source().data.tobytes() == whole.tobytes()
    expected = X @ whole.T + model.fc.bias.data
    np.testing.assert_array_equal(Sourced(model, {"fc.weight": source})(Tensor(X)).data, expected)


@pytest.mark.parametrize(
    "make", [lambda p: SGD(p, 0.1, 0.9, 0.1), lambda p: Adam(p, 0.1, weight_decay=0.1)], ids=["momentum", "adam"]
)
def test_training_moves_survivors_as_if_all_were_there_and_no_frozen_weight(make):
    model, frozen, whole = network()
    sourced = Sourced(model, {"fc.weight": Frozen(model.fc.weight, frozen)})
    twin = nn.Linear(5, 3, rng=1)
    optimizers = make(list(model.parameters())), make(list(twin.parameters()))
    for _ in range(5):
        for network_, optimizer in zip((sourced, twin), optimizers, strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network_(Tensor(X)), Y).backward()
            optimizer.step()
        twin.weight.data = np.where(MASK, twin.weight.data, whole)  # the slow way: put them back
    assert model.fc.weight.data[~MASK].tobytes() == np.zeros((~MASK).sum(), np.float32).tobytes()
    assert sourced.sources[0]().data.tobytes() == twin.weight.data.tobytes()
    assert (sourced.sources[0]().data[MASK] != whole[MASK]).all()


def test_what_does_not_fit_is_refused():
    model, frozen, _ = network()
    for value in (frozen[:2], frozen.astype(np.float64)):
        with pytest.raises(ValueError, match="its shape and dtype, float32"):
            Frozen(model.fc.weight, value)
    model.fc.weight.mask = None
    with pytest.raises(ValueError, match="mask missing"):
        Frozen(model.fc.weight, frozen)
