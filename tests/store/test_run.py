"""What a training leaves behind, and the numbers that its history implies."""

import numpy as np
import pytest

from tinyticket.store import HISTORY, Run, summary


def history(validation_losses, test_accuracies, test_losses=None):
    table = np.zeros(len(validation_losses), HISTORY)
    table["iteration"] = 10 * np.arange(len(table))
    table["validation_loss"], table["test_accuracy"] = validation_losses, test_accuracies
    table["test_loss"] = test_losses if test_losses is not None else 1 - table["test_accuracy"]
    table["validation_accuracy"] = np.linspace(0, 1, len(table))
    return table


def test_one_stops_where_the_validation_loss_is_smallest_and_reads_the_test_accuracy_there():
    assert summary(history([3.0, 1.0, 2.0], [0.1, 0.5, 0.6])) == {
        "early_stop_iteration": 10,
        "validation_loss": 1.0,
        "test_accuracy": 0.5,
        "final_test_accuracy": 0.6,
    }


def test_the_test_set_would_choose_otherwise_and_is_not_asked():
    """Test loss is smallest and test accuracy largest at 20, validation accuracy largest at 30: none of them decides."""
    found = summary(history([3.0, 1.0, 1.5, 2.0], [0.1, 0.5, 0.9, 0.7], [2.0, 1.0, 0.1, 0.5]))
    assert (found["early_stop_iteration"], found["test_accuracy"]) == (10, 0.5)


@pytest.mark.parametrize(
    ("losses", "stop"),
    [
        ([2.0, 1.0, 1.0, 1.0], 10),  # the first of equals
        ([1.0, 1.0], 0),
        ([1.0], 0),
        ([3.0, 2.0, 1.0], 20),  # the last
        ([3.0, 1.0, 2.0, 0.5, 0.7], 30),  # the smallest of all, not the first dip
    ],
)
def test_the_first_of_the_smallest_losses_counts(losses, stop):
    assert summary(history(losses, np.linspace(0, 1, len(losses))))["early_stop_iteration"] == stop


def test_scalars_are_python_numbers_and_count_over_all_masks():
    masks = {"a": np.array([True, False, True, False]), "b": np.ones((2, 3), bool)}
    scalars = Run(masks, {}, history([2.0, 1.0], [0.25, 0.5]), {}, 1.5).scalars()
    assert (scalars["weights_left"], scalars["density"], scalars["seconds"]) == (8, 0.8, 1.5)
    assert {type(value) for value in scalars.values()} == {int, float}
