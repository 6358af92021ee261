"""The limits of pictures beside the dense network."""

import pytest

from tinyticket.report.against_dense import limits


@pytest.mark.parametrize("value", [1.0, 0.93, -20.0])
def test_where_all_values_are_equal_a_twentieth_on_either_side_is_shown(value):
    low, high = limits([], value)
    assert (value - low, high - value) == pytest.approx((abs(value) / 20, abs(value) / 20))


def test_zeros_alone_have_room():
    low, high = limits([], 0.0)
    assert low < 0 < high
