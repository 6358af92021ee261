"""Masks of untrained weights in the experiment: weights stay as they are to the bit, results are those of a plain loop."""

import math

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SMALL, InterruptAt, Recorder, contents, differing, find, interrupted
from tinyticket import nn
from tinyticket.compiler import EagerStep
from tinyticket.data import batches, split_validation
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment, stream
from tinyticket.nn import Dropout
from tinyticket.nn.sources import kaiming_constant, signed_deviation
from tinyticket.optim import SGD

METHODS = {
    "supermask": {"method": "supermask", "rounds": None},
    "constant": {"method": "supermask", "rounds": None, "signed_constant": True},
    "rescaled": {"method": "supermask", "rounds": None, "rescale": True, "signed_constant": True},
    "edge-popup": {"method": "edge-popup", "rounds": None, "one_shot": (0.5, 0.25)},
    "edge-constant": {"method": "edge-popup", "rounds": None, "one_shot": 0.5, "signed_constant": True},
}


@pytest.fixture(scope="module")
def found():
    return {name: find(**options, iterations=60) for name, options in METHODS.items()}


def untrained(name, initial):
    if name in ("constant", "rescaled"):
        return signed_deviation(initial)
    return kaiming_constant(initial) if name == "edge-constant" else initial


@pytest.mark.parametrize("name", METHODS)
def test_no_weight_is_changed_by_a_bit(found, name):
    result = found[name]
    initial = result.init(0)
    for round in result.trials[0].rounds[1:]:
        trained = round.trained
        for layer, mask in round.masks.items():
            expected = untrained(name, initial[layer])
            if name == "rescaled":
                expected = expected * np.float32(mask.size / mask.sum())
            assert trained[layer].tobytes() == np.where(mask, expected, np.float32(0)).tobytes()
            assert 0 < mask.sum() < mask.size
        for bias in trained.keys() - round.masks.keys():
            assert trained[bias].tobytes() == initial[bias].tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_a_result_gives_the_weights_that_it_began_with(found, name):
    initial, start = found[name].init(0), found[name].start(0, 1)
    for layer, value in initial.items():
        expected = untrained(name, value) if layer.endswith("weight") else value
        assert start[layer].tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_the_file_has_scores_a_history_and_a_network_that_does_what_it_says(found, name):
    result = found[name]
    for number, round in enumerate(result.trials[0].rounds[1:], start=1):
        assert round.history["iteration"].tolist() == list(range(0, 61, 5))
        assert {layer: score.shape for layer, score in round.scores.items()} == {
            layer: mask.shape for layer, mask in round.masks.items()
        }
        model = result.model(0, number)
        _, accuracy = EagerStep(model, SGD(model.parameters(), 0)).evaluate((DATA.x_test, DATA.y_test))
        assert accuracy == round.final_test_accuracy
        assert round.origin["training"] == "scores"
        assert round.origin["mask"] == result.config["method"]


def test_edge_popup_keeps_the_share_of_every_layer_with_the_largest_scores(found):
    for density, round in zip((0.5, 0.25), found["edge-popup"].trials[0].rounds[1:], strict=True):
        for name, mask in round.masks.items():
            assert mask.sum() == mask.size * density
            scores = np.abs(round.scores[name])
            assert scores[mask].min() >= scores[~mask].max()


def test_supermasks_are_drawn_from_the_probabilities(found):
    round = found["supermask"].trials[0].rounds[1]
    thresholds = stream(0, 0, "supermask-evaluation", 1)
    for name, score in round.scores.items():
        draw = thresholds.random(score.shape, np.float32)
        expected = draw < 1 / (1 + np.exp(-score.astype(np.float64)))
        np.testing.assert_array_equal(round.masks[name], expected)


def test_edge_popup_is_sgd_on_the_scores_with_the_papers_settings(found):
    """A loop of its own: forward and backward in NumPy, momentum 0.9, weight decay 1e-4, half a cosine from 0.1 to 0."""
    round, initial = found["edge-popup"].trials[0].rounds[1], found["edge-popup"].init(0)
    names = list(round.masks)
    rng = stream(0, 0, "scores", 1)
    bounds = {name: initial[name].shape[1] ** -0.5 for name in names}
    scores = {n: rng.uniform(-bounds[n], bounds[n], initial[n].shape).astype(np.float32) for n in names}
    velocity = {name: np.zeros_like(scores[name]) for name in names}
    part, _ = split_validation(len(DATA.x_train), SMALL["validation"], stream(0, 0, "validation"))
    feed = batches(len(part), SMALL["batch_size"], stream(0, 0, "batches", 1))
    for step in range(60):
        chosen = part[next(feed)]
        x, y = DATA.x_train[chosen], DATA.y_train[chosen]
        weights = {}
        for name in names:
            order = np.argsort(-np.abs(scores[name]), axis=None, kind="stable")
            weights[name] = np.zeros_like(initial[name])
            kept = order[: order.size // 2]
            weights[name].ravel()[kept] = initial[name].ravel()[kept]
        inputs, reached = [x], x
        for name in names[:-1]:
            reached = np.maximum(reached @ weights[name].T, 0)
            inputs.append(reached)
        logits = reached @ weights[names[-1]].T
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        back = chances / chances.sum(axis=1, keepdims=True)
        back[np.arange(len(y)), y] -= 1
        back /= len(y)
        rate = 0.1 * (1 + math.cos(math.pi * step / 60)) / 2
        for name, inward in zip(names[::-1], inputs[::-1], strict=True):
            gradient = back.T @ inward * initial[name] * np.sign(scores[name]) + 1e-4 * scores[name]
            back = back @ weights[name] * (inward > 0)
            velocity[name] = 0.9 * velocity[name] + gradient
            scores[name] = scores[name] - np.float32(rate) * velocity[name]
    for name in names:
        np.testing.assert_allclose(round.scores[name], scores[name], atol=2e-4)


def test_controls_are_evaluated_and_not_trained(found):
    result = find(**METHODS["rescaled"], controls="reinit,random,inverted,reshuffle")
    round, initial = result.trials[0].rounds[1], result.init(0)
    for name, control in round.controls.items():
        assert control.history["iteration"].tolist() == [0]
        assert control.origin["training"] == "none"
        assert control.weights_left == round.weights_left
        for layer, mask in control.masks.items():
            constant = signed_deviation(initial[layer]) * np.float32(mask.size / mask.sum())
            if name in ("random", "inverted"):
                assert control.trained[layer].tobytes() == np.where(mask, constant, np.float32(0)).tobytes()
            else:
                np.testing.assert_array_equal(mask, round.masks[layer])
                assert (control.trained[layer] != round.trained[layer]).any()
    for layer, mask in round.controls["inverted"].masks.items():
        scores = round.scores[layer]
        assert scores[mask].max() <= scores[~mask].min()


def test_the_control_rewound_is_the_network_found_trained(found):
    round = find(**METHODS["edge-constant"], iterations=60, controls="rewound").trials[0].rounds[1]
    control = round.controls["rewound"]
    assert control.history["iteration"].tolist() == list(range(0, 61, 5))
    assert control.history["test_loss"][0] == pytest.approx(round.history["test_loss"][-1], rel=1e-5)
    assert control.history["train_loss"][-1] < round.history["train_loss"][-1]
    for layer, mask in round.masks.items():
        np.testing.assert_array_equal(control.masks[layer], mask)
        assert (control.trained[layer][mask] != round.trained[layer][mask]).any()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_only_evaluated_is_no_training(tmp_path, workers):
    """A dense network, a learned mask and what training makes of it are three; the random mask and new weights are none."""
    options = {**METHODS["edge-constant"], "controls": "random,rewound,reinit", "trials": workers, "workers": workers}
    progress = Recorder()
    result = find(**options, out=tmp_path / "edge.h5", callbacks=progress)
    assert progress.of("run_begun") == [(3 * workers, 20, 0)]
    trained = [(trial, round, name) for trial, round, name, *_ in progress.of("training_begun") if trial == 0]
    assert trained == [(0, 0, None), (0, 1, None), (0, 1, "rewound")]
    assert len(progress.of("evaluated")) == 3 * workers * 5
    told = [told for told in progress.of("untrained") if told[0].trial == 0]
    assert [training[1:4] for training, _ in told] == [(1, "random", 0.5), (1, "reinit", 0.5)]
    assert told[0][-1] == result.trials[0].rounds[1].controls["random"].scalars()
    again = Recorder()
    find(**{**options, "trials": workers + 1}, out=tmp_path / "edge.h5", callbacks=again)
    assert again.of("run_begun") == [(3 * workers + 3, 20, 3 * workers)]


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_bits_and_an_interrupted_run_too(found, name, tmp_path):
    options = {**METHODS[name], "iterations": 60, "threads": 1}
    halves = interrupted(find, **options, out=tmp_path / "halves.h5")
    assert not differing(contents(found[name], tmp_path), contents(halves, tmp_path))
    assert find(
        **options, out=tmp_path / "halves.h5", callbacks=InterruptAt("training_begun")
    ).path  # nothing is left to do


def test_another_seed_or_trial_learns_another_mask():
    result = find(**METHODS["edge-popup"], trials=2, controls="none")
    first, second = (trial.rounds[1].scores["fc1.weight"] for trial in result.trials)
    assert (first != second).mean() > 0.99


def test_running_statistics_run_and_dropout_drops():
    def make(rng):
        layers = {"a": nn.Linear(12, 8, rng=rng), "norm": nn.BatchNorm1d(8), "relu": nn.ReLU(), "drop": Dropout(0.5)}
        return nn.Sequential({**layers, "output": nn.Linear(8, 3, rng=rng)})

    result = find(make, **METHODS["supermask"], controls="random")
    before, after = result.init(0), result.trials[0].rounds[1].trained
    assert (before["norm.running_mean"] != after["norm.running_mean"]).all()
    assert before["norm.weight"].tobytes() == after["norm.weight"].tobytes()
    model = result.model(0, 1)
    _, accuracy = EagerStep(model, SGD(model.parameters(), 0)).evaluate((DATA.x_test, DATA.y_test))
    assert accuracy == result.trials[0].rounds[1].final_test_accuracy


def test_a_diverging_learning_rate_is_an_error_in_words():
    with pytest.raises(tt.errors.DivergenceError, match=r"trial 0, round 1: .* below 1e\+30"):
        find(**METHODS["edge-popup"], score_lr=1e30)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "supermasks"}, "no method is called 'supermasks'.*did you mean 'supermask'"),
        ({"method": "edge-popup"}, "give the densities with one-shot"),
        ({"method": "edge-popup", "one_shot": 0}, "a density is above 0 and at most 1; got 0"),
        ({"method": "edge-popup", "one_shot": 1.5}, "1.5"),
        ({"method": "edge-popup", "one_shot": 1}, "round 1 would remove none of 344 weights"),
        ({"method": "edge-popup", "one_shot": (0.5, 1), "scope": "layer"}, "got 1"),
        ({"method": "edge-popup", "one_shot": 0.001}, "would remove nothing|all of|keep"),
        ({"method": "edge-popup", "one_shot": 0.5, "scope": "global"}, "a density for each layer"),
        (
            {"method": "edge-popup", "one_shot": 0.5, "rescale": True},
            "rescale is a setting of the method supermask, not",
        ),
        ({"method": "edge-popup", "one_shot": 0.5, "criterion": "movement"}, "leave criterion"),
        ({"method": "supermask", "one_shot": 0.5}, "one round, whose density it finds"),
        ({"method": "supermask", "rounds": 3}, "one round"),
        ({"method": "supermask", "prune": 0.2}, "one round"),
        ({"method": "supermask", "score_lr": -1.0}, "scores is above 0; got -1"),
        ({"method": "supermask", "score_lr": math.nan}, "scores is above 0; got nan"),
        ({"score_lr": 1.0, "rounds": 1}, "score-lr is a setting of the method supermask or edge-popup, not of tickets"),
        ({"signed_constant": True, "rounds": 1}, "signed-constant is a setting"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(changes, words):
    with pytest.raises(InputError, match=words):
        Experiment(MODEL, DATA, **{**SMALL, "rounds": None, **changes})
