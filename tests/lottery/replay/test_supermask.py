"""Untrained weights under masks of the trained network, against masks and networks made by hand."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, SMALL, clusters, find
from tinyticket import prune
from tinyticket.data import split_validation
from tinyticket.errors import InputError
from tinyticket.lottery import stream
from tinyticket.lottery.replay.supermask import supermask


@pytest.fixture(scope="module")
def found():
    result = find(rounds=0, trials=2, iterations=60)
    return result, supermask(result, DATA).rows


def by_hand(weights, masks, initial, x, y):
    for name in ("fc1", "fc2", "output"):
        x = x @ (weights[f"{name}.weight"] * masks[f"{name}.weight"]).T + initial[f"{name}.bias"]
        x = x if name == "output" else np.maximum(x, 0)
    return float((x.argmax(axis=1) == y).mean())


def test_every_criterion_is_there_at_every_density(found):
    _, rows = found
    masks = {row["mask"] for row in rows}
    names = (*prune.CRITERIA, "random")
    assert masks == set(names)
    assert len(rows) == len(masks) * 8
    for mask in masks:
        densities = [row["density"] for row in rows if row["mask"] == mask]
        assert densities == sorted(densities, reverse=True)


@pytest.mark.parametrize("criterion", ["large_final", "magnitude_increase", "large_final_same_sign", "random"])
def test_accuracies_are_those_of_the_masked_initial_network(found, criterion):
    result, rows = found
    _, part = split_validation(len(DATA.x_train), SMALL["validation"], stream(0, 0, "validation"))
    for kind in ("initial", "constant"):
        row = [row for row in rows if row["mask"] == criterion][2]  # as after four rounds
        accuracies, densities = [], []
        for trial in result.trials:
            initial, trained = result.init(trial.number), trial.rounds[0].trained
            names = [name for name in initial if name.endswith("weight")]
            fractions = {name: 1 - (0.9 if "output" in name else 0.8) ** 4 for name in names}
            final, first = ({name: state[name] for name in names} for state in (trained, initial))
            rng = stream(0, trial.number, "supermask-random", 4)
            masks = prune.prune_by(criterion, final, first, fraction=fractions, rng=rng)
            weights = first
            if kind == "constant":
                weights = {name: np.sign(weight) * weight.std() for name, weight in first.items()}
            pairs = (DATA.x_train[part], DATA.y_train[part]), (DATA.x_test, DATA.y_test)
            accuracies.append([by_hand(weights, masks, initial, *pair) for pair in pairs])
            densities.append(sum(m.sum() for m in masks.values()) / sum(m.size for m in masks.values()))
        expected = np.mean(accuracies, axis=0)
        assert (row[f"{kind}_validation_accuracy"], row[f"{kind}_test_accuracy"]) == pytest.approx(tuple(expected))
        assert row["density"] == pytest.approx(densities[0])


def test_the_title_names_the_best_by_validation_and_chance(found):
    result, rows = found
    title = supermask(result, DATA).title
    kinds = [(row, kind) for row in rows for kind in ("initial", "constant")]
    best, kind = max(kinds, key=lambda each: each[0][f"{each[1]}_validation_accuracy"])
    assert f"at best {best[f'{kind}_test_accuracy']:.1%} test accuracy ({best['mask']}, {kind} weights" in title
    assert "random masks at best" in title


def test_other_data_are_refused_and_missing_ones_asked_for(found):
    result, _ = found
    with pytest.raises(
        InputError, match="clusters is not what the result was trained on: by their fingerprints x_train"
    ):
        supermask(result, clusters(seed=3))
    with pytest.raises(InputError, match=r"about 'clusters', which is not in the catalogue"):
        supermask(result)
