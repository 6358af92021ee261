"""Fitting costs to times."""

import numpy as np
import pytest

from tinyticket.compiler.calibrate import _fit


def test_a_fit_finds_the_costs_that_times_were_made_of():
    rng = np.random.default_rng(0)
    features = rng.integers(1, 10_000, (9, 2)).astype(float)
    times = features @ [4.0, 100.0] + 5e4
    assert _fit([(*row, time) for row, time in zip(features, times, strict=True)]) == pytest.approx([4.0, 100.0])


def test_costs_are_never_negative():
    assert _fit([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) == [0.0]
