"""The picture, seen from the figure that is drawn."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from tests.report.results import one_trial, run, two_trials
from tinyticket.errors import InputError
from tinyticket.report import plot as plotting
from tinyticket.results.naming import UNTOUCHED


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw a result and return the two panels, which are otherwise closed after saving."""

    def draw(result, name="picture.png"):
        figures = []
        with monkeypatch.context() as patch:
            patch.setattr(plotting.pyplot, "close", figures.append)
            plotting.plot(result, tmp_path / name)
        (figure,) = figures
        plotting.pyplot.close(figure)
        return figure.axes

    return draw


def points(axis):
    """Return (label, densities, values) of every series of a panel."""
    return {
        container.get_label(): [
            np.round(np.array(values, float), 6).tolist() for values in container.lines[0].get_data()
        ]
        for container in axis.containers
    }


def test_both_panels_have_tickets_and_controls_over_the_densities(drawn):
    accuracy, stop = drawn(two_trials())
    assert points(accuracy) == {
        "winning ticket": [[100, 80, 64], [92, 94, 91]],
        "re-initialised": [[80, 64], [89, 80]],
    }
    assert points(stop) == {
        "winning ticket": [[100, 80, 64], [150, 90, 60]],
        "re-initialised": [[80, 64], [130, 140]],
    }


def test_networks_that_were_never_trained_are_not_called_winning_tickets(drawn):
    result = two_trials()
    result.networks = UNTOUCHED
    accuracy, _ = drawn(result)
    assert points(accuracy)["untrained weights, learned mask"] == [
        [80, 64],
        [94, 91],
    ]  # the dense one is the dashed line
    assert "winning ticket" not in points(accuracy)


def test_bars_run_from_the_smallest_to_the_largest_trial(drawn):
    result = one_trial()
    result.trials = [
        SimpleNamespace(number=t, rounds=[run(0, 1.0, accuracy, 100)]) for t, accuracy in enumerate((0.9, 0.91, 0.98))
    ]
    accuracy, _ = drawn(result)
    _, _, (bars,) = accuracy.containers[0].lines
    assert np.round([segment[:, 1] for segment in bars.get_segments()], 6).tolist() == [[90, 98]]


def test_a_dashed_line_is_the_dense_network(drawn):
    accuracy, stop = drawn(two_trials())
    for axis, height in ((accuracy, 92), (stop, 150)):
        (line,) = [line for line in axis.lines if line.get_label() == "dense network"]
        assert line.get_linestyle() == "--"
        assert np.round(line.get_ydata(), 6).tolist() == [height, height]


def test_density_falls_from_left_to_right_as_in_the_paper(drawn):
    for axis in drawn(two_trials()):
        left, right = axis.get_xlim()
        assert left > 100 > 64 > right
        assert axis.get_xscale() == "log"


def test_a_second_control_of_a_kind_has_its_own_name(drawn):
    result = one_trial()
    for round in result.trials[0].rounds[1:]:
        round.controls["reinit-2"] = run(round.number, round.density, 0.7, 90)
    accuracy, _ = drawn(result)
    assert set(points(accuracy)) == {"winning ticket", "re-initialised", "reinit-2"}


def test_many_rounds_have_ticks_that_do_not_crowd(drawn):
    result = one_trial()
    result.trials[0].rounds = [run(n, 0.8**n, 0.9, 100) for n in range(30)]
    for axis in drawn(result):
        assert 5 <= len(axis.get_xticks()) <= 10


def test_no_figure_is_left_open(tmp_path):
    before = plotting.pyplot.get_fignums()
    plotting.plot(two_trials(), tmp_path / "picture.png")
    with pytest.raises(InputError):
        plotting.plot(two_trials(), tmp_path / "missing" / "picture.png")
    assert plotting.pyplot.get_fignums() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("picture", "no ending that says what it is"),
        (".", "no ending that says what it is"),
        ("picture.xyz", "no ending that says what it is"),
        ("missing/picture.png", "cannot be written"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_in_one_line(name, words, tmp_path):
    with pytest.raises(InputError, match=words) as error:
        plotting.plot(two_trials(), f"{tmp_path}/{name}")
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []
