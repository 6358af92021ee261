"""Scales and shifts of normalisation between their start and where they are, against the same network with those values."""

import numpy as np
import pytest

from tinyticket import Tensor, nn
from tinyticket.nn.sources import Sourced, interpolated_norms

X = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def network(kind):
    model = nn.Sequential({"fc": nn.Linear(5, 4, rng=0), "norm": NORMS[kind](4), "output": nn.Linear(4, 2, rng=1)})
    rng = np.random.default_rng(2)
    for parameter in (model.norm.weight, model.norm.bias):
        parameter.data = rng.normal(size=4).astype(np.float32)
    return model


@pytest.mark.parametrize("kind", NORMS)
def test_a_step_meets_a_point_on_the_way_back_and_trains_its_share(kind):
    model, by_hand = network(kind), network(kind)
    sources, rng = interpolated_norms(model, np.random.default_rng(3)), np.random.default_rng(3)
    assert list(sources) == ["norm.weight", "norm.bias"]
    sourced = Sourced(model, sources)
    for _ in range(3):
        share = rng.random(dtype=np.float32)
        for name, start in (("weight", 1), ("bias", 0)):
            getattr(by_hand.norm, name).data = share * np.float32(start) + (1 - share) * getattr(model.norm, name).data
        found, expected = sourced(Tensor(X)), by_hand(Tensor(X))
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-5, atol=1e-6)
        (found * found).sum().backward()
        (expected * expected).sum().backward()
        for name in ("weight", "bias"):
            trained, met = getattr(model.norm, name), getattr(by_hand.norm, name)
            np.testing.assert_allclose(trained.grad, (1 - share) * met.grad, rtol=1e-4, atol=1e-6)
            trained.grad = met.grad = None


def test_evaluation_meets_what_was_trained_and_draws_nothing():
    model, rng = network("batch"), np.random.default_rng(3)
    sourced = Sourced(model, interpolated_norms(model, rng))
    before = rng.bit_generator.state
    found = sourced.eval()(Tensor(X)).data
    np.testing.assert_array_equal(found, model.eval()(Tensor(X)).data)
    assert rng.bit_generator.state == before


def test_all_layers_share_a_draw_and_those_without_scales_have_none():
    model = nn.Sequential(
        {"a": nn.BatchNorm1d(5), "b": nn.BatchNorm1d(5, affine=False), "c": nn.LayerNorm(5, bias=False)}
    )
    rng, counted = np.random.default_rng(4), np.random.default_rng(4)
    sources = interpolated_norms(model, rng)
    assert list(sources) == ["a.weight", "a.bias", "c.weight"]
    Sourced(model, sources)(Tensor(X))
    counted.random(dtype=np.float32)
    assert rng.bit_generator.state == counted.bit_generator.state
    assert interpolated_norms(nn.Linear(3, 2), rng) == {}
