"""Signs that changed, against a slow count."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.lottery.experiments import find
from tinyticket.errors import InputError
from tinyticket.results.analyses import signs
from tinyticket.results.analyses.signs import with_other_masks


def slowly(first, second, masks):
    flips = [
        (a < 0) != (b < 0)
        for name, mask in masks.items()
        for a, b, keeps in zip(first[name].flat, second[name].flat, mask.flat, strict=True)
        if keeps
    ]
    return np.mean(flips)


def row_of(result, number, network):
    (row,) = [row for row in signs(result).rows if (row["round"], row["network"]) == (number, network)]
    return row


def test_with_weights_rewound_a_training_starts_at_theta_0(small):
    row, since = row_of(small, 2, "ticket"), []
    for trial in small.trials:
        before, after = trial.rounds[1].trained, trial.rounds[2].trained
        since.append(slowly(before, after, trial.rounds[2].masks))
    assert row["since_before"] == pytest.approx(np.mean(since))
    assert row["in_training"] == row["since_initial"] > 0
    assert row_of(small, 0, "ticket")["since_before"] is None


def test_the_control_of_another_mask_is_beside_it_and_one_of_other_weights_is_not(small):
    row, found = row_of(small, 1, "random"), []
    for trial in small.trials:
        run = trial.rounds[1].controls["random"]
        found.append(slowly(small.init(trial.number), run.trained, run.masks))
    assert row["since_initial"] == pytest.approx(np.mean(found))
    assert row["since_before"] is None
    assert {row["network"] for row in signs(small).rows} == {"ticket", "random"}


def test_with_the_learning_rate_rewound_a_training_starts_where_the_one_before_ended():
    result = find(rewind="lr", lr=0.1, controls="random,prune-at-0")
    row = row_of(result, 2, "ticket")
    assert row["in_training"] == row["since_before"] != row["since_initial"]
    (trial,) = result.trials
    run = trial.rounds[2].controls["random"]
    assert row_of(result, 2, "random")["in_training"] == slowly(trial.rounds[1].trained, run.trained, run.masks)


def test_one_shot_tickets_came_of_the_dense_network():
    result = find(rounds=None, prune=None, one_shot=(0.5, 0.2), controls="none")
    dense, _, last = result.trials[0].rounds
    assert row_of(result, 2, "ticket")["since_before"] == slowly(dense.trained, last.trained, last.masks)


def test_where_a_redrawn_control_began_is_not_in_the_file(small):
    with pytest.raises(InputError, match="does not hold the weights that the control reinit began with"):
        small.start(0, 1, "reinit")


@pytest.mark.parametrize("origin", [{}, {"weights": "init"}, {"mask": "random"}])
def test_a_damaged_origin_names_no_other_mask(origin):
    assert with_other_masks(SimpleNamespace(controls={"random": SimpleNamespace(origin=origin)})) == {}
