"""A result as plain values."""

import csv
import io
import json

from tests.report.results import two_trials
from tinyticket.report import rows, summary, to_csv


def test_a_summary_is_nested_by_trial_round_and_control():
    found = json.loads(json.dumps(summary(two_trials())))
    assert found["verdict"] == {"text": "a verdict"}
    assert found["config"] == {"model": "mlp-[b]", "data": "mine[0].npz"}
    assert [(trial["trial"], trial["seed"], len(trial["rounds"])) for trial in found["trials"]] == [
        (0, 7, 3),
        (1, 7, 2),
    ]
    dense, ticket, _ = found["trials"][0]["rounds"]
    assert dense["controls"] == {}
    assert (ticket["round"], ticket["test_accuracy"]) == (1, 0.92)
    assert ticket["controls"]["reinit"] == {
        "round": 1,
        "density": 0.8,
        "weights_left": 800,
        "early_stop_iteration": 120,
        "validation_loss": 0.5,
        "test_accuracy": 0.88,
        "final_test_accuracy": 0.88 - 0.01,
        "seconds": 2.5,
    }


def test_rows_are_flat_one_a_training():
    found = [(row["trial"], row["round"], row["network"], row["test_accuracy"]) for row in rows(two_trials())]
    assert found == [
        (0, 0, "ticket", 0.90),
        (0, 1, "ticket", 0.92),
        (0, 1, "reinit", 0.88),
        (0, 2, "ticket", 0.91),
        (0, 2, "reinit", 0.80),
        (1, 0, "ticket", 0.94),
        (1, 1, "ticket", 0.96),
        (1, 1, "reinit", 0.90),
    ]


def test_csv_is_the_rows_under_a_header():
    text = to_csv(two_trials())
    read = list(csv.DictReader(io.StringIO(text)))
    assert [{key: str(value) for key, value in row.items()} for row in rows(two_trials())] == read
    assert text.startswith("trial,round,network,density,")
