"""Pictures by name: what every kind has in common, and what is refused."""

import os

import pytest
from matplotlib import pyplot

from tinyticket.errors import InputError
from tinyticket.report.plot import KINDS, plot


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fields"])  # of images alone
def test_every_kind_is_a_figure_with_a_title_that_needs_no_file(kind, small):
    figure = small.plot(kind=kind)
    assert "mlp-12-16-8-3 on clusters" in figure.get_suptitle()
    for axis in figure.axes:  # words are those of people and never names of columns
        assert "_" not in axis.get_xlabel() + axis.get_ylabel()


def test_a_notebook_shows_it(small):
    assert small.plot(kind="layers")._repr_png_().startswith(b"\x89PNG")


def test_no_figure_is_left_open_and_no_window_is_chosen(small, tmp_path):
    before = pyplot.get_fignums()
    plot(small, tmp_path / "picture.svg")
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("picture", "no ending that says what it is"),
        (".", "no ending that says what it is"),
        ("picture.xyz", "no ending that says what it is"),
        ("missing/picture.png", "cannot be written"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_in_one_line(name, words, small, tmp_path):
    with pytest.raises(InputError, match=words) as error:
        plot(small, f"{tmp_path}/{name}")
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_a_round_of_a_picture_of_all_rounds_is_refused(small):
    with pytest.raises(InputError, match="curves and masks take a trial"):
        plot(small, kind="layers", trial=0)
