"""Experiments that read the test set at minima of the validation loss alone."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, contents, differing, find
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify

LONGER = {"iterations": 60, "lr": 0.05}  # long enough for the validation loss to rise again


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"eager": True},
        {"method": "rigl", "rounds": None, "one_shot": 0.3, "update_every": 7},
        {"gradual": (10, 40, 10), "rounds": None, "one_shot": 0.3},
        {"method": "supermask", "rounds": None, "controls": "random,rewound"},
    ],
)
def test_only_test_columns_of_other_rows_are_left_out(settings, tmp_path):
    everywhere = find(**LONGER, trials=3, **settings)
    minima = find(**LONGER, trials=3, **settings, test_at="minima", out=tmp_path / "minima.h5")
    assert minima.config["test_at"] == "minima"
    assert minima.verdict == everywhere.verdict
    left_out = 0
    for whole, part in zip(everywhere.trials, minima.trials, strict=True):
        for before, after in zip(whole.rounds, part.rounds, strict=True):
            runs = [(before, after), *((before.controls[name], after.controls[name]) for name in before.controls)]
            for one, other in runs:
                assert {**one.scalars(), "seconds": 0} == {**other.scalars(), "seconds": 0}
                there = ~np.isnan(other.history["test_accuracy"])
                assert there[-1]
                left_out += np.count_nonzero(~there)
                assert one.history[there].tobytes() == other.history[there].tobytes()
                for column in ("iteration", "train_loss", "validation_loss", "validation_accuracy"):
                    assert one.history[column].tobytes() == other.history[column].tobytes()
    assert left_out
    assert replay(minima, 0, 1, data=DATA).agrees
    assert not [check for check in verify(minima, data=DATA) if check.standing == "failed"]


def test_what_tickets_rewind_to_may_be_of_a_row_without_test_columns(tmp_path):
    result = find(**LONGER, rounds=1, test_at="minima", rewind_to=50, controls="none", out=tmp_path / "a.h5")
    dense = result.round(0, 0).history
    assert np.isnan(dense["test_loss"][dense["iteration"] == 50])
    assert not [check for check in verify(result, data=DATA) if check.standing == "failed"]


def test_a_run_that_goes_on_has_the_same_rows(tmp_path):
    find(**LONGER, rounds=1, test_at="minima", out=tmp_path / "a.h5")
    find(**LONGER, rounds=2, test_at="minima", out=tmp_path / "a.h5")
    find(**LONGER, rounds=2, test_at="minima", out=tmp_path / "b.h5")
    assert differing(contents(tmp_path / "a.h5"), contents(tmp_path / "b.h5")) == []
