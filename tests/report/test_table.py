"""The table for a terminal."""

import io

import pytest
from rich.console import Console

from tests.report.results import one_trial, two_trials
from tinyticket.report.table import comparison_table, table, title
from tinyticket.results.comparison import Comparison, Side
from tinyticket.results.intervals import Interval
from tinyticket.results.naming import ACCURACY, UNTOUCHED


def printed(result, width=80):
    screen = io.StringIO()
    Console(file=screen, width=200).print(*table(result, width))
    return screen.getvalue()


def cells(result):
    return [line.split() for line in printed(result).splitlines()]


def test_every_round_has_a_row_with_density_and_both_numbers_of_every_network():
    rows = cells(one_trial())
    assert ["dense", "100.0%", "1,000", "100", "90.00"] in rows
    assert ["1", "80.0%", "800", "80", "92.00", "120", "88.00"] in rows
    assert ["2", "64.0%", "640", "60", "91.00", "140", "80.00"] in rows


def test_several_trials_show_mean_and_below_it_smallest_and_largest():
    rows = cells(two_trials())
    mean = rows.index(["1", "80.0%", "800", "90", "94.00", "130", "89.00"])
    assert rows[mean + 1] == ["80-100", "92.0-96.0", "120-140", "88.0-90.0"]


def test_a_round_that_one_trial_has_shows_that_trial_alone():
    rows = cells(two_trials())
    alone = rows.index(["2", "64.0%", "640", "60", "91.00", "140", "80.00"])
    assert not any("-" in cell for cell in rows[alone + 1])


def test_headings_name_the_networks():
    assert "ticket:" in printed(two_trials())
    assert "reinit:" in printed(two_trials())


@pytest.mark.parametrize("width", [80, 60, 40])
def test_columns_without_room_stand_in_tables_below(width):
    seen, whole = printed(two_trials(), width), printed(two_trials(), 200)
    assert max(map(len, seen.splitlines())) <= width
    numbers = set(whole.split()) - {"─" * len(word) for word in whole.split()}
    assert numbers <= set(seen.split())
    assert seen.count("density") == {80: 1, 60: 1, 40: 3}[width]


def test_the_title_names_the_experiment_and_says_what_the_numbers_are():
    assert title(one_trial()) == "mlp-[b] on mine[0].npz, 1 trial"
    assert title(two_trials()) == "mlp-[b] on mine[0].npz, 2 trials: mean, and from smallest to largest"


def test_the_title_says_where_networks_are_no_tickets():
    result = one_trial()
    result.networks = UNTOUCHED
    assert title(result) == "mlp-[b] on mine[0].npz, 1 trial; below dense: networks whose weights were never trained"


def test_a_difference_that_rounds_to_nothing_has_no_sign_of_less():
    held = Interval(-1e-6, -4e-5, 3e-5, 3)
    sides = [Side(0.5, 0.98, 0.97, 0.99, 500.0, 3, difference) for difference in (None, held)]
    comparison = Comparison(["a.h5", "b.h5"], [True, True], [sides], ACCURACY, ["", ""])
    screen = io.StringIO()
    Console(file=screen, width=200).print(*comparison_table(comparison))
    assert "+0.00" in screen.getvalue()
    assert "-0.00" not in screen.getvalue()
