"""Intervals agree with scipy.stats, hold the truth as often as they say, and know how coarse their values are."""

import math

import numpy as np
import pytest
from scipy import stats

from tinyticket.results.intervals import difference_interval, interval, ratio_interval


def test_it_is_students_interval():
    values = np.random.default_rng(0).normal(0.3, 0.1, 7)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert found.mean == pytest.approx(values.mean())


def test_two_means_are_compared_as_welch_does():
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.3, 0.1, 7), rng.normal(0.2, 0.4, 4)
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    found = difference_interval(ours, theirs)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_one_value_has_no_bounds():
    for found in (interval([0.5]), difference_interval([0.5], [0.1, 0.2]), ratio_interval([2], [1])):
        assert (found.low, found.high) in ((-math.inf, math.inf), (0.0, math.inf))
        assert found.plain()["high"] is None


def test_equal_values_are_known_to_their_grain_only():
    assert interval([0.5] * 4).low == 0.5
    assert interval([0.5] * 4, grain=0.01).low == pytest.approx(0.5 - 3.1824 * 0.01 / math.sqrt(12) / 2, rel=1e-4)
    assert difference_interval([0.5] * 3, [0.4] * 3).low == pytest.approx(0.1)
    assert difference_interval([0.5] * 3, [0.4] * 3, grain=0.1).low < 0.1


def test_ratios_are_geometric_means():
    found = ratio_interval([200, 50], [100, 100])
    assert found.mean == pytest.approx(1)
    assert found.low * found.high == pytest.approx(1)
    assert ratio_interval([0, 50], [100, 100]) is None


def test_the_interval_holds_the_true_mean_in_95_of_100_cases():
    rng = np.random.default_rng(2)
    held = [found.low <= 0 <= found.high for found in (interval(rng.standard_normal(5)) for _ in range(4000))]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def test_a_ratio_beyond_all_floats_is_infinite():
    found = ratio_interval([1e300, 1], [1, 1e300])
    assert (found.low, found.high) == (0, np.inf)
