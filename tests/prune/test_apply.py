"""Weights under masks: pruned ones are +0.0, and those that are left may be scaled to how many they are."""

import numpy as np
import pytest

from tinyticket.prune import apply_masks, scaled_to_fan_in

RNG = np.random.default_rng(0)
WEIGHTS = {"a": RNG.normal(0, 0.1, (50, 80)).astype(np.float32), "b": -np.ones((3, 4), np.float32), "bias": np.ones(3)}
MASKS = {"a": RNG.random((50, 80)) < 0.05, "b": np.eye(3, 4, dtype=bool)}


@pytest.mark.parametrize("function", [apply_masks, scaled_to_fan_in])
def test_pruned_weights_are_positive_zeros_and_what_was_given_stays(function):
    before = {name: value.copy() for name, value in WEIGHTS.items()}
    found = function(WEIGHTS, MASKS)
    for name, mask in MASKS.items():
        assert not found[name][~mask].view(np.uint32).any()
        assert found[name].dtype == np.float32
    found["bias"][:] = 7
    for name, value in before.items():
        np.testing.assert_array_equal(WEIGHTS[name], value)


def test_scaled_weights_make_sums_as_large_as_a_relu_wants_them():
    scaled = scaled_to_fan_in(WEIGHTS, MASKS)["a"]
    factor = scaled[MASKS["a"]] / WEIGHTS["a"][MASKS["a"]]
    np.testing.assert_allclose(factor, factor[0], rtol=1e-6)
    assert (WEIGHTS["a"].astype(float) * factor[0]).var() == pytest.approx(2 / MASKS["a"].sum(axis=1).mean(), rel=1e-5)
    wide = scaled_to_fan_in({"w": RNG.normal(size=(400, 1000))}, {"w": RNG.random((400, 1000)) < 0.03})["w"]
    x = RNG.normal(size=(1000, 300))
    assert np.mean(np.maximum(wide @ x, 0) ** 2) == pytest.approx(1, rel=0.1)  # of inputs of variance 1, behind a ReLU


def test_layers_that_are_whole_empty_or_constant_are_not_scaled():
    masks = {"a": np.ones((50, 80), bool), "b": MASKS["b"]}
    found = scaled_to_fan_in(WEIGHTS, masks)
    for name, value in apply_masks(WEIGHTS, masks).items():
        np.testing.assert_array_equal(found[name], value)
    assert not scaled_to_fan_in(WEIGHTS, {"a": np.zeros((50, 80), bool)})["a"].any()
