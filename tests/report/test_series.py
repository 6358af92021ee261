"""A quantity over densities: mean, smallest and largest over the trials that have it."""

import pytest

from tests.report.results import two_trials
from tinyticket.report.series import controls, series


def accuracy(run):
    return run.test_accuracy


def test_tickets_begin_with_the_dense_network():
    points = series(two_trials(), "ticket", accuracy)
    assert [(point.round, point.density, point.values) for point in points] == [
        (0, 1.0, (0.90, 0.94)),
        (1, 0.8, (0.92, 0.96)),
        (2, 0.64, (0.91,)),
    ]


def test_a_control_begins_with_the_first_round():
    points = series(two_trials(), "reinit", accuracy)
    assert [(point.round, point.values) for point in points] == [(1, (0.88, 0.90)), (2, (0.80,))]


def test_points_have_mean_smallest_and_largest():
    point = series(two_trials(), "ticket", accuracy)[1]
    assert (point.mean, point.low, point.high) == (pytest.approx(0.94), 0.92, 0.96)


def test_what_no_trial_has_is_empty():
    assert series(two_trials(), "random", accuracy) == []


def test_controls_are_named_in_the_order_in_which_they_ran():
    assert controls(two_trials()) == ["reinit"]
