"""Results side by side: which densities meet, which trials are paired, and what cannot be compared."""

from types import SimpleNamespace

import pytest

from tinyticket.errors import InputError
from tinyticket.lottery import compare
from tinyticket.results.naming import TICKETS


def run(number, density, accuracy, stop=100, **controls):
    held = {name: run(number, density, value) for name, value in controls.items()}
    return SimpleNamespace(
        number=number, density=density, test_accuracy=accuracy, early_stop_iteration=stop, controls=held
    )


def result(name, *trials, seed=0, data="digits", validation=10):
    return SimpleNamespace(
        path=name,
        seed=seed,
        config={"data": data, "validation": validation},
        networks=TICKETS,
        data={"fingerprints": {"x": data}, "examples": {"test": 1000}},
        trials=[SimpleNamespace(number=t, rounds=rounds) for t, rounds in enumerate(trials)],
    )


def two(name, shift, **more):
    return result(
        name,
        [run(0, 1.0, 0.90), run(1, 0.8, 0.92 + shift, 60)],
        [run(0, 1.0, 0.94), run(1, 0.8, 0.97 + shift, 80)],
        **more,
    )


def test_rows_are_densities_and_sides_are_results():
    found = compare([two("a.h5", 0), two("b.h5", 0.01)])
    assert found.names == ["a.h5", "b.h5"]
    assert [[side.density for side in row] for row in found.rows] == [[1.0, 1.0], [0.8, 0.8]]
    side = found.rows[1][1]
    assert (side.accuracy, side.lowest, side.highest) == pytest.approx((0.955, 0.93, 0.98))
    assert (side.early_stop, side.trials) == (70, 2)
    assert found.rows[1][0].difference is None


def test_trials_of_one_seed_are_compared_in_pairs():
    paired = compare([two("a", 0), two("b", 0.01)])
    assert paired.paired == [True, True]
    assert paired.rows[1][1].difference.mean == pytest.approx(0.01)
    assert paired.rows[1][1].difference.low > 0  # each trial is better by just that
    other = compare([two("a", 0), two("b", 0.01, seed=1)])
    assert other.paired == [True, False]
    assert other.rows[1][1].difference.low < 0  # what trials differ by does not cancel


def test_densities_that_nearly_agree_meet_and_others_stand_alone():
    first = result("a", [run(0, 1.0, 0.9), run(1, 0.8, 0.9), run(2, 0.64, 0.9)])
    second = result("b", [run(0, 1.0, 0.9), run(1, 0.79, 0.8), run(2, 0.5, 0.8)])
    rows = compare([first, second]).rows
    assert [[side and side.density for side in row] for row in rows] == [
        [1.0, 1.0],
        [0.8, 0.79],
        [0.64, None],
        [None, 0.5],
    ]
    assert rows[3][1].difference is None


def test_two_rounds_of_one_result_never_share_a_row():
    close = result("a", [run(0, 1.0, 0.9), run(1, 0.99, 0.8)])
    rows = compare([close, close]).rows
    assert [[side.density for side in row] for row in rows] == [[1.0, 1.0], [0.99, 0.99]]


def test_controls_are_compared_on_request():
    first = result("a", [run(0, 1.0, 0.9), run(1, 0.8, 0.92, reinit=0.85)])
    found = compare([first, first], network="reinit")
    assert [row[0].accuracy for row in found.rows] == [0.85]
    with pytest.raises(InputError, match="none of these results has a network called 'noise'"):
        compare([first, first], network="noise")


def test_what_cannot_be_compared_is_said():
    with pytest.raises(InputError, match="at least two"):
        compare([two("a", 0)])
    with pytest.raises(InputError, match=r"a\.h5 is on digits and b.h5 on other data"):
        compare([two("a.h5", 0), two("b.h5", 0, data="mnist")])


def test_it_becomes_json():
    plain = compare([two("a", 0), two("b", 0.01)]).plain()
    assert plain["results"] == ["a", "b"]
    assert plain["densities"][0][1]["difference"]["mean"] == 0.0
    assert plain["densities"][0][0]["difference"] is None
