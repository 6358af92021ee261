"""Analyses of masks against counts by hand: layers, overlap, degrees."""

import numpy as np
import pytest

from tests.lottery.experiments import SIZES, find
from tinyticket.errors import InputError
from tinyticket.results.analyses import degrees, layers, overlap
from tinyticket.results.analyses.degrees import degrees_of


def test_layers_count_what_is_left(small):
    rows = layers(small).rows
    assert [(row["round"], row["layer"], row["weights"]) for row in rows[:3]] == [(0, n, s) for n, s in SIZES.items()]
    assert {row["layer_density"] for row in rows[:3]} == {1.0}
    last = {row["layer"]: row["weights_left"] for row in rows[-3:]}
    assert last == {name: np.count_nonzero(mask) for name, mask in small.trials[0].rounds[2].masks.items()}
    assert rows[-1]["density"] == small.trials[0].rounds[2].density


def test_overlap_of_a_result(small):
    rows = overlap(small).rows
    first, second = (trial.rounds[2].masks["fc2.weight"] for trial in small.trials)
    row = next(row for row in rows if (row["round"], row["layer"]) == (2, "fc2.weight"))
    assert row["overlap"] == (first & second).sum() / (first | second).sum()
    assert row["over_chance"] == pytest.approx(row["overlap"] / row["by_chance"])
    assert {row["round"] for row in rows} == {1, 2}


def test_overlap_wants_two_trials():
    with pytest.raises(InputError, match="one trial: overlap is what the masks of two trials share"):
        overlap(find(rounds=1, controls="none"))


def test_degrees_count_connections():
    mask = np.array([[1, 1, 0], [0, 1, 0]], bool)
    inputs, outputs = degrees_of(mask)
    assert (inputs.tolist(), outputs.tolist()) == ([2, 1], [1, 2, 0])
    kernels = np.ones((2, 3, 5, 5), bool)
    kernels[0, 1, :, :2] = False
    inputs, outputs = degrees_of(kernels)
    assert (inputs.tolist(), outputs.tolist()) == ([65, 75], [50, 40, 50])


def test_degrees_of_a_result(small):
    row = degrees(small).rows[-1]
    masks = [trial.rounds[2].masks["output.weight"] for trial in small.trials]
    assert row["in_mean"] == pytest.approx(np.mean([mask.sum(axis=1).mean() for mask in masks]))
    assert row["out_none"] == pytest.approx(np.mean([(mask.sum(axis=0) == 0).mean() for mask in masks]))
    spreads = [mask.sum(axis=0).std() / mask.sum(axis=0).mean() for mask in masks]
    assert row["out_spread"] == pytest.approx(np.mean(spreads))
    assert degrees(small).rows[0]["in_spread"] == 0
