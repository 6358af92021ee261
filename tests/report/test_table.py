"""The table for a terminal."""

import io

from rich.console import Console

from tests.report.results import one_trial, two_trials
from tinyticket.report.table import table, title
from tinyticket.results.naming import UNTOUCHED


def printed(result):
    screen = io.StringIO()
    Console(file=screen, width=200).print(table(result))
    return screen.getvalue()


def cells(result):
    return [line.split() for line in printed(result).splitlines()]


def test_every_round_has_a_row_with_density_and_both_numbers_of_every_network():
    rows = cells(one_trial())
    assert ["dense", "1,000", "100.0%", "100", "90.00"] in rows
    assert ["1", "800", "80.0%", "80", "92.00", "120", "88.00"] in rows
    assert ["2", "640", "64.0%", "60", "91.00", "140", "80.00"] in rows


def test_several_trials_show_mean_and_below_it_smallest_and_largest():
    rows = cells(two_trials())
    mean = rows.index(["1", "800", "80.0%", "90", "94.00", "130", "89.00"])
    assert rows[mean + 1] == ["80-100", "92.00-96.00", "120-140", "88.00-90.00"]


def test_a_round_that_one_trial_has_shows_that_trial_alone():
    rows = cells(two_trials())
    alone = rows.index(["2", "640", "64.0%", "60", "91.00", "140", "80.00"])
    assert not any("-" in cell for cell in rows[alone + 1])


def test_headings_name_the_controls():
    assert "reinit:" in printed(two_trials())


def test_the_title_names_the_experiment_and_says_what_the_numbers_are():
    assert title(one_trial()) == "mlp-[b] on mine[0].npz, 1 trial"
    assert title(two_trials()) == "mlp-[b] on mine[0].npz, 2 trials: mean, and from smallest to largest"


def test_the_title_says_where_networks_are_no_tickets():
    result = one_trial()
    result.networks = UNTOUCHED
    assert title(result) == "mlp-[b] on mine[0].npz, 1 trial; below dense: networks whose weights were never trained"
