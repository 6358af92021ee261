"""What the trials say: every case, on results made by hand."""

from types import SimpleNamespace

import pytest

from tinyticket.lottery import verdict

DENSITIES = (1.0, 0.8, 0.64)


def run(number, accuracy, stop, controls=()):
    return SimpleNamespace(
        number=number,
        density=DENSITIES[number],
        test_accuracy=accuracy,
        early_stop_iteration=stop,
        controls={name: run(number, control, stop) for name, control in dict(controls).items()},
    )


def result(*trials):
    """Make a result of trials, each a list of (accuracy, early stop[, accuracies of controls]) by round."""
    return SimpleNamespace(
        trials=[
            SimpleNamespace(number=t, rounds=[run(number, *numbers) for number, numbers in enumerate(rounds)])
            for t, rounds in enumerate(trials)
        ]
    )


def judge(*trials):
    return verdict(result(*trials))


def test_nothing_pruned_yet():
    found = judge([(0.9, 100)])
    assert found == {
        "text": "nothing has been pruned yet: there is no ticket to judge",
        "trials": 1,
        "winning_rounds": [],
        "smallest_winning_density": None,
        "accuracy_difference": None,
        "early_stop_ratio": None,
        "control_differences": {},
    }


def test_the_smallest_winning_density_is_told_with_its_numbers():
    controls = {"reinit": 0.85, "random": 0.91}
    found = judge([(0.90, 100), (0.92, 90, controls), (0.93, 50, controls)])
    assert found["winning_rounds"] == [1, 2]
    assert found["smallest_winning_density"] == 0.64
    assert found["accuracy_difference"] == pytest.approx(0.03)
    assert found["early_stop_ratio"] == 0.5
    assert found["control_differences"] == {"reinit": pytest.approx(-0.05), "random": pytest.approx(0.01)}
    for words in ("64.0% density", "+3.00 points", "reinit -5.00", "random +1.00", "50 against 100", "1 trial"):
        assert words in found["text"]
    assert "no test of significance" in found["text"]


def test_a_gap_in_the_winning_rounds_shows():
    found = judge([(0.90, 100), (0.80, 100), (0.90, 100)])
    assert found["winning_rounds"] == [2]
    assert found["smallest_winning_density"] == 0.64


@pytest.mark.parametrize(
    ("accuracy", "stop", "wins"),
    [(0.90, 100, True), (0.91, 99, True), (0.89, 50, False), (0.95, 101, False), (0.9, 101, False)],
)
def test_a_ticket_wins_with_at_least_the_accuracy_in_at_most_the_iterations(accuracy, stop, wins):
    found = judge([(0.90, 100), (accuracy, stop)])
    assert found["winning_rounds"] == ([1] if wins else [])
    assert found["text"].startswith("winning ticket" if wins else "no winning ticket")


def test_without_a_winner_the_most_accurate_is_told():
    found = judge([(0.90, 100), (0.70, 10), (0.89, 120, {"reinit": 0.5})])
    assert found["smallest_winning_density"] is None
    assert (found["accuracy_difference"], found["early_stop_ratio"], found["control_differences"]) == (None, None, {})
    for words in ("no winning ticket", "64.0% density", "-1.00 points", "120 against 100"):
        assert words in found["text"]


def test_several_trials_are_judged_by_their_means():
    first, second = [(0.90, 100), (0.94, 60)], [(0.92, 100), (0.90, 120)]
    found = judge(first, second)
    assert found["winning_rounds"] == [1]
    assert found["accuracy_difference"] == pytest.approx(0.01)
    assert found["early_stop_ratio"] == pytest.approx(0.9)
    assert "means of 2 trials" in found["text"]
    assert judge(second)["winning_rounds"] == []


def test_a_round_is_compared_with_the_dense_networks_of_the_trials_that_have_it():
    """An unfinished second trial must not move the baseline of rounds that it has not reached."""
    found = judge([(0.90, 100), (0.91, 100)], [(0.99, 10)])
    assert found["winning_rounds"] == [1]
    assert found["accuracy_difference"] == pytest.approx(0.01)


def test_equal_means_are_equal_in_whatever_order_their_trials_come():
    dense, tickets = (0.1, 0.2, 0.3), (0.3, 0.2, 0.1)  # whose sums differ in the last bit
    found = judge(*[[(a, 100), (b, 100)] for a, b in zip(dense, tickets, strict=True)])
    assert found["winning_rounds"] == [1]
    assert "-0.00" not in found["text"]


def test_a_dense_network_that_never_improves_divides_by_nothing():
    found = judge([(0.3, 0), (0.3, 0)])
    assert found["winning_rounds"] == [1]
    assert found["early_stop_ratio"] is None
    assert judge([(0.3, 0), (0.3, 20)])["winning_rounds"] == []


def test_a_result_judges_itself(small):
    assert small.verdict == verdict(small)
    assert small.verdict["trials"] == 2
