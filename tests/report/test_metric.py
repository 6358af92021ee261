"""Where targets are numbers, all that is shown says R2 where it would say accuracy."""

import re

import numpy as np
import pytest

from tests.lottery.experiments import find
from tests.lottery.test_losses import CASES, NUMBERS
from tinyticket.data import from_arrays
from tinyticket.lottery.replay.supermask import supermask
from tinyticket.report.against_dense import accuracy_limits, accuracy_lines
from tinyticket.report.compared import comparison_cells
from tinyticket.report.export import export
from tinyticket.results import compare


@pytest.fixture(scope="module")
def numbers():
    """An experiment whose networks have learned so little that R2 is below 0."""
    return find(**CASES["mse"][0] | {"iterations": 1, "trials": 2}, data=NUMBERS, rounds=1)


def test_pages_and_tables_say_r2(numbers):
    text = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", numbers.report(), flags=re.DOTALL)
    assert "R2 and early stop" in text
    assert "test R2 (%)" in text
    assert "points of R2 below it" in text
    headings, _ = comparison_cells(compare([numbers, numbers]))
    for shown in (text, numbers._repr_html_(), " ".join(headings), supermask(numbers, NUMBERS).title):
        assert "R2" in shown
        assert "ccuracy" not in shown


def test_pictures_say_r2(numbers):
    for kind in ("overview", "curves"):
        labels = [axis.get_ylabel() for axis in numbers.plot(kind=kind).axes]
        assert any("R2" in label for label in labels)
        assert not any("accuracy" in label for label in labels)


def test_values_below_zero_are_shown(numbers):
    low, high = accuracy_limits(numbers)
    dense, lines = accuracy_lines(numbers)
    means = [mark.mean for line in lines for mark in line.marks]
    assert low < min([dense, *means]) < 0
    assert max([dense, *means]) < high


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_r2_of_minus_infinity_is_no_reason_to_draw_nothing():
    """Test examples so far away that their squared errors overflow."""
    data = from_arrays(NUMBERS.x_train, NUMBERS.y_train, 1e30 * NUMBERS.x_test, NUMBERS.y_test, numbers=True)
    result = find(**CASES["mse"][0] | {"iterations": 5, "trials": 2}, data=data, rounds=1)
    assert result.round(0, 0).test_accuracy == -np.inf
    assert result.verdict["smallest_winning_density"] is None
    for kind in ("overview", "accuracy", "curves"):
        assert result.plot(kind=kind)._repr_png_()
    assert "<svg" in result.report()


@pytest.mark.parametrize(
    ("case", "words"), [("mse", "2 numbers."), ("binary", "1 logit; the class is 1 where it is above 0.")]
)
def test_exported_programs_say_what_their_outputs_are(case, words, tmp_path):
    changes, data = CASES[case]
    export(find(**changes, data=data, rounds=0, controls="none"), path := tmp_path / "ticket.c")
    assert f"\n * Output: {words}\n" in path.read_text()
