"""The picture of several results."""

import numpy as np

from tinyticket.report.pictures.comparison import plot_comparison
from tinyticket.results.comparison import Comparison, Side
from tinyticket.results.intervals import Interval
from tinyticket.results.naming import ACCURACY


def test_bars_are_intervals_of_the_difference_from_the_first_and_lie_apart(tmp_path):
    first = Side(0.5, 0.9, 0.88, 0.92, 100, 3, None)
    second = Side(0.5, 0.8, 0.79, 0.81, 150, 3, Interval(-0.1, -0.12, -0.08, 3))
    comparison = Comparison(["a.h5", "b.h5"], [True, True], [[first, second]], ACCURACY, ["", "pruned while training"])
    figure = plot_comparison(comparison, tmp_path / "picture.png")
    accuracy, stop = figure.axes
    assert not accuracy.containers[0].has_yerr
    ((bar,),) = [container.lines[2][0].get_segments() for container in accuracy.containers[1:]]
    assert np.allclose(bar[:, 1], [78, 82])
    low, high = accuracy.get_ylim()
    assert low < 78
    assert high > 90
    figure.draw_without_rendering()
    places = [container.lines[0].get_transform().transform((50, 0))[0] for container in accuracy.containers]
    assert places[1] - places[0] > 3
    assert figure.legends[0].get_texts()[1].get_text() == "b (pruned while training)"
    assert stop.get_ylabel() == "early-stopping iteration"
