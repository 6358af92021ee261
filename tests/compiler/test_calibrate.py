"""Fitting costs to times."""

import numpy as np
import pytest

from tinyticket.compiler import calibrate
from tinyticket.compiler.calibrate import _convolutions, _fit, _winograd


def test_a_fit_finds_the_costs_that_times_were_made_of():
    rng = np.random.default_rng(0)
    features = rng.integers(1, 10_000, (9, 2)).astype(float)
    times = features @ [4.0, 100.0] + 5e4
    assert _fit([(*row, time) for row, time in zip(features, times, strict=True)]) == pytest.approx([4.0, 100.0])


def test_costs_are_never_negative():
    assert _fit([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) == [0.0]


def test_convolutions_cost_what_their_layers_took(monkeypatch):
    monkeypatch.setattr(calibrate.Convolution, "dense", lambda layer: 4.0 * layer.products)
    monkeypatch.setattr(calibrate.Convolution, "sparse", lambda layer, density: (3 * density + 0.5) * layer.products)
    assert _convolutions(((3, 4), (3, 8)), first=True) == pytest.approx((4.0, 3.0, 0.5))


def test_winograds_algorithm_costs_its_products_its_transforms_and_its_weights(monkeypatch):
    def time(layer):
        return 1.5 * layer.products + 100 * layer.side**2 * layer.channels + 20 * layer.weights

    monkeypatch.setattr(calibrate.Convolution, "winograd", time)
    assert _winograd(((3, 4, 16), (3, 8, 16), (16, 16, 4))) == pytest.approx((1.5, 100.0, 20.0))


@pytest.mark.parametrize("first", [True, False])
def test_passes_of_a_convolution_take_time(first, monkeypatch):
    monkeypatch.setattr(calibrate, "SAMPLES", 16)
    layer = calibrate.Convolution(3, 4, first)
    assert layer.dense() > 0 < layer.sparse(0.3)
    assert layer.winograd() > 0
