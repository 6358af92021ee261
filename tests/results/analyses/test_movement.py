"""How far weights moved, against a slow count."""

import numpy as np
import pytest

from tests.lottery.experiments import find
from tinyticket.results.analyses import movement


def test_kept_and_pruned_weights_of_the_dense_network(small):
    row = movement(small).rows[0]
    kept, pruned, flipped = [], [], []
    for trial in small.trials:
        before, after = small.init(trial.number)["fc1.weight"], trial.rounds[0].trained["fc1.weight"]
        keeps = trial.rounds[1].masks["fc1.weight"]
        distances = [(abs(a - b), k, a * b < 0) for a, b, k in zip(after.flat, before.flat, keeps.flat, strict=True)]
        kept.append(np.mean([d for d, k, _ in distances if k]))
        pruned.append(np.mean([d for d, k, _ in distances if not k]))
        flipped.append(np.mean([f for _, k, f in distances if k]))
    assert row["kept_moved"] == pytest.approx(np.mean(kept), rel=1e-5)
    assert row["pruned_moved"] == pytest.approx(np.mean(pruned), rel=1e-5)
    assert row["kept_flipped"] == pytest.approx(np.mean(flipped))


def test_only_survivors_count_in_later_rounds(small):
    row = next(row for row in movement(small).rows if (row["round"], row["layer"]) == (1, "fc2.weight"))
    moved = []
    for trial in small.trials:
        gone = trial.rounds[1].masks["fc2.weight"] & ~trial.rounds[2].masks["fc2.weight"]
        moved.append(
            np.abs(trial.rounds[1].trained["fc2.weight"] - small.init(trial.number)["fc2.weight"])[gone].mean()
        )
    assert row["pruned_moved"] == pytest.approx(np.mean(moved), rel=1e-5)


def test_nothing_is_pruned_from_the_last_round(small):
    assert movement(small).rows[-1]["pruned_moved"] is None
    assert movement(small).rows[-1]["kept_moved"] > 0


def test_one_shot_tickets_have_no_successor():
    rows = movement(find(rounds=None, prune=None, one_shot=(0.5, 0.2), controls="none")).rows
    assert {row["pruned_moved"] for row in rows} == {None}
