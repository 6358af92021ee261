"""How masks of untrained weights are learned, apart from the learning."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, MODEL, SIZES, SMALL
from tinyticket.lottery import Experiment
from tinyticket.lottery.methods import METHODS
from tinyticket.lottery.methods.learned import Untrained
from tinyticket.optim import Constant, Cosine

KEY = (0, 0, 1)


def experiment(**changes):
    return Experiment(MODEL, DATA, **{**SMALL, "rounds": None, **changes})


def score_settings(made):
    return made.method.score_settings(made.settings)


def test_scores_are_trained_as_the_papers_train_them():
    made = experiment(method="edge-popup", one_shot=0.5, optimizer="adam", weight_decay=0.3)
    found = score_settings(made)
    assert (found.lr, found.optimizer, found.weight_decay, found.schedule) == (0.1, "momentum", 1e-4, Cosine(20))
    assert made.settings.scope == "uniform"
    found = score_settings(experiment(method="supermask", schedule=Cosine(3)))
    assert (found.lr, found.optimizer, found.weight_decay, found.schedule) == (100, "momentum", 0, Constant())
    assert score_settings(experiment(method="supermask", score_lr=7)).lr == 7


@pytest.mark.parametrize(("scope", "share"), [("uniform", 0.25), ("layer", None), ("erk", None)])
def test_edge_popup_keeps_the_counts_of_the_plan(scope, share):
    made = experiment(method="edge-popup", one_shot=0.25, scope=scope)
    start = made.method.untrained_start(made.settings, made.plan, 0, 1, made.model.state_dict())
    counts = start.untrained.counts
    assert sum(counts.values()) == made.plan.weights_left[1]
    if share:
        assert counts == {name: size * share for name, size in SIZES.items()}
    assert all(mask.all() for mask in start.masks.values())


def test_rescaling_multiplies_by_size_over_count_where_there_is_a_mask():
    weights = {"w": np.arange(4, dtype=np.float32), "b": np.ones(2, np.float32)}
    masks = {"w": np.array([True, False, False, False])}
    how = Untrained(METHODS["supermask"], {"w": 4}, False, True, KEY)
    assert how.rescaled(weights, masks)["w"].tolist() == [0, 4, 8, 12]
    assert how.rescaled(weights, masks)["b"] is weights["b"]
    assert Untrained(METHODS["supermask"], {"w": 4}, False, False, KEY).rescaled(weights, masks) is weights


def test_constants_replace_weights_and_not_biases():
    initial = {"w": np.array([[1, -3]], np.float32), "b": np.array([0.5], np.float32)}
    found = Untrained(METHODS["edge-popup"], {"w": 1}, True, False, KEY).weights(initial)
    assert found["w"].tolist() == [[1, -1]]
    assert found["b"].tolist() == [0.5]
    kept = Untrained(METHODS["edge-popup"], {"w": 1}, False, False, KEY).weights(initial)["w"]
    assert kept.tolist() == [[1, -3]]
    assert kept is not initial["w"]
