"""Accuracy and early stop against density, seen from the figure."""

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import find
from tinyticket.report.pictures.charts import accuracy, early_stop, overview
from tinyticket.results.naming import UNTOUCHED


def marks(axis):
    """Return (label, densities, values) of every network of a panel."""
    return {
        container.get_label(): [np.array(values, float) for values in container.lines[0].get_data()]
        for container in axis.containers
    }


def dense_line(axis):
    (line,) = [line for line in axis.lines if line.get_label() == "dense network"]
    return line.get_ydata()[0]


def test_points_lie_at_the_verdicts_differences_from_the_dense_network(small):
    panel = overview(small).axes[0]
    dense = dense_line(panel)
    found = marks(panel)
    assert set(found) == {"ticket", "re-initialised", "random mask"}
    expected = [100 * each["accuracy_difference"]["mean"] for each in small.verdict["densities"]]
    assert np.allclose(found["ticket"][1] - dense, expected)
    expected = [100 * each["controls"]["reinit"]["accuracy_difference"]["mean"] for each in small.verdict["densities"]]
    assert np.allclose(found["re-initialised"][1] - dense, expected)


def test_bars_are_the_verdicts_intervals_and_the_picture_says_so(small):
    figure = accuracy(small)
    (panel,) = figure.axes
    dense = dense_line(panel)
    segments = panel.containers[0].lines[2][0].get_segments()
    for segment, each in zip(segments, small.verdict["densities"], strict=True):
        bounds = each["accuracy_difference"]
        assert np.allclose(segment[:, 1] - dense, [100 * bounds["low"], 100 * bounds["high"]])
    assert "verdict's 95% intervals" in figure.legends[0].get_title().get_text()


def test_bars_of_two_networks_do_not_lie_on_each_other(small):
    panel = overview(small).axes[0]
    panel.figure.draw_without_rendering()
    places = [container.lines[0].get_transform().transform((80.8, 0))[0] for container in panel.containers]
    assert min(np.diff(places)) > 3


def test_density_falls_from_left_to_right_with_a_tick_for_every_round(small):
    for panel in overview(small).axes:
        left, right = panel.get_xlim()
        densities = [100 * each["density"] for each in small.verdict["densities"]]
        assert left > max(densities) > min(densities) > right
        assert np.allclose(panel.get_xticks(), densities)


def test_a_ticket_is_called_winning_by_the_verdict_alone(small):
    assert "ticket" in marks(accuracy(small).axes[0])
    winner = type(small)(small.archive)
    winner.verdict = {**small.verdict, "winning_rounds": [2], "smallest_winning_density": 0.65}
    figure = accuracy(winner)
    assert "ticket (filled: winning)" in marks(figure.axes[0])
    assert "winning ticket at 65.0% of the weights" in figure.get_suptitle()
    (hollow,) = [line for line in figure.axes[0].lines if line.get_label() == "_hollow"]
    assert len(hollow.get_xdata()) == 1  # round 1, which does not win


def test_where_iterations_do_not_compare_there_is_no_early_stop(small):
    other = type(small)(small.archive)
    other.networks = UNTOUCHED
    assert len(overview(other).axes) == 1
    assert "untrained weights, learned mask" in marks(accuracy(other).axes[0])
    with pytest.raises(tt.InputError, match="no early stop to draw"):
        early_stop(other)


def test_one_trial_has_no_bars_and_a_result_without_tickets_a_picture():
    result = find(rounds=1, controls="none")
    figure = overview(result)
    assert "no intervals" in figure.legends[0].get_title().get_text()
    assert not figure.axes[0].containers[0].has_yerr
    assert overview(find(rounds=0)).axes
