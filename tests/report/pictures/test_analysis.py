"""Pictures of analyses."""

from dataclasses import replace

import numpy as np

from tinyticket.report.pictures.analysis import plot_analysis
from tinyticket.results.analyses import Analysis
from tinyticket.results.naming import R2


def analysis(names, y=("overlap", "over_chance"), log_x=True):
    rows = [
        {"density": density, "layer": name, **dict.fromkeys(y, place + density)}
        for place, name in enumerate(names)
        for density in (1.0, 0.5)
    ]
    return Analysis("A title", rows, "density", y, "layer", log_x)


def test_axes_have_words_with_units_and_a_line_where_nothing_is_found(tmp_path):
    figure = plot_analysis(analysis(["fc1", "fc2"]), tmp_path / "picture.svg")
    overlap, chance = figure.axes
    assert (overlap.get_ylabel(), overlap.get_xlabel()) == ("overlap of two trials' masks (%)", "weights left (%)")
    (line,) = [line for line in chance.lines if line.get_label() == "by chance"]
    assert line.get_ydata()[0] == 1
    assert np.allclose([line.get_ydata() for line in overlap.lines], [[100, 50], [200, 150]])


def test_lines_that_coincide_are_one_under_both_names(tmp_path):
    found = analysis(["fc1", "fc2", "output"], ("layer_density",))
    for row in found.rows:
        row["layer_density"] = row["density"] * (2 if row["layer"] == "output" else 1)
    figure = plot_analysis(found, tmp_path / "picture.svg")
    assert [line.get_label() for line in figure.axes[0].lines] == ["fc1, fc2", "output"]


def test_many_lines_have_a_panel_each_on_shared_axes(tmp_path):
    names = [f"layer {i}" for i in range(9)]
    figure = plot_analysis(analysis(names), tmp_path / "picture.svg")
    titled = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in titled] == names
    assert len({axis.get_ylim() for axis in titled}) == 1


def test_errors_of_numbers_are_said_to_be_one_minus_r2_and_shown_in_percent(tmp_path):
    found = replace(analysis(["one copy"], ("test_error",), log_x=False), metric=R2)
    figure = plot_analysis(found, tmp_path / "picture.svg")
    (panel,) = figure.axes
    assert figure.get_supylabel() == "test error, 1 - R2 (%)"
    assert panel.lines[-1].get_ydata().tolist() == [100, 50]
