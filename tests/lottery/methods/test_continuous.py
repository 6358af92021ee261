"""Continuous sparsification as an experiment: weights and scores trained together, controls as beside pruned networks."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, MODEL, SMALL, contents, differing, find
from tinyticket.data import batches
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream

SETTINGS = {
    "method": "continuous",
    "rounds": None,
    "optimizer": "sgd",
    "lr": 0.3,
    "score_penalty": 0.002,
    "iterations": 40,
}


@pytest.fixture(scope="module")
def found():
    return find(**SETTINGS, controls="rewound,random,reinit")


def by_hand(result):
    """Train weights and scores in NumPy, as equations 4 to 6 of the paper say, by plain SGD at one rate."""
    experiment = Experiment(MODEL, DATA, **{**SMALL, **SETTINGS}, controls="none")
    x, y = experiment.examples.train
    state = {name: value.astype(np.float64) for name, value in result.init(0).items()}
    layers = ("fc1", "fc2", "output")
    scores = {name: np.zeros_like(state[f"{name}.weight"]) for name in layers}
    order = batches(len(x), SMALL["batch_size"], stream(0, 0, "batches", 1))
    for t in range(40):
        chosen, beta = next(order), 200 ** (t / 39)
        gates = {name: 1 / (1 + np.exp(-beta * score)) for name, score in scores.items()}
        inputs, reached = [], x[chosen].astype(np.float64)
        for name in layers:
            inputs.append(reached)
            reached = reached @ (state[f"{name}.weight"] * gates[name]).T + state[f"{name}.bias"]
            reached = reached if name == "output" else np.maximum(reached, 0)
        chances = np.exp(reached - reached.max(axis=1, keepdims=True))
        back = chances / chances.sum(axis=1, keepdims=True)
        back[np.arange(len(chosen)), y[chosen]] -= 1
        back /= len(chosen)
        for name, inward in zip(layers[::-1], inputs[::-1], strict=True):
            weight, gate = state[f"{name}.weight"], gates[name]
            gradient, below = back.T @ inward, (back @ (weight * gate)) * (inward > 0)
            to_score = (gradient * weight + 0.002) * beta * gate * (1 - gate)
            state[f"{name}.weight"] = weight - 0.3 * gradient * gate
            state[f"{name}.bias"] = state[f"{name}.bias"] - 0.3 * back.sum(axis=0)
            scores[name] = scores[name] - 0.3 * to_score
            back = below
    return state, scores


def test_the_training_is_the_papers_step_by_step(found):
    round = found.trials[0].rounds[1]
    state, scores = by_hand(found)
    for name, score in scores.items():
        np.testing.assert_allclose(round.scores[f"{name}.weight"], score, atol=2e-4)
        kept = round.masks[f"{name}.weight"]
        np.testing.assert_array_equal(kept, round.scores[f"{name}.weight"] > 0)
        np.testing.assert_allclose(round.trained[f"{name}.weight"][kept], state[f"{name}.weight"][kept], atol=2e-3)
        np.testing.assert_allclose(round.trained[f"{name}.bias"], state[f"{name}.bias"], atol=2e-3)
        assert not round.trained[f"{name}.weight"][~kept].view(np.uint32).any()
    assert 0 < round.density < 1


def test_what_is_reported_is_the_last_network_and_controls_are_trained(found):
    round = found.trials[0].rounds[1]
    assert round.early_stop_iteration == 40
    assert round.origin["training"] == "weights and scores"
    for control in round.controls.values():
        assert control.history["iteration"][-1] == 40
        assert control.weights_left == round.weights_left
    rewound = round.controls["rewound"]
    assert rewound.origin["weights"] == "init"
    for name, mask in round.masks.items():
        np.testing.assert_array_equal(rewound.masks[name], mask)
    assert "sparsified while it trained" in found.verdict["text"]


def test_files_verify_replay_and_go_on_to_the_same_bits(found, tmp_path):
    checks = verify(found, data=DATA)
    assert [(check.what, check.failures) for check in checks if check.failures] == []
    again = find(**SETTINGS, controls="rewound,random,reinit", out=tmp_path / "again.h5")
    assert differing(contents(again.path), contents(found, tmp_path)) == []


def test_a_larger_penalty_leaves_fewer_weights():
    left = [
        find(**{**SETTINGS, "score_penalty": p}, controls="none").trials[0].rounds[1].weights_left for p in (0, 0.01)
    ]
    assert left[1] < left[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": 3}, "continuous has one round, whose density it finds"),
        ({"weight_decay": 0.1}, "weight decay would pull scores to 0"),
        ({"score_penalty": -1}, "the penalty of a soft mask is at least 0"),
        ({"score_lr": 0.1}, "score-lr is a setting of the method supermask or edge-popup"),
        ({"controls": "inverted"}, "continuous has none"),
        ({"method": "supermask"}, "score-penalty is a setting of the method continuous"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        find(**{**SETTINGS, "controls": "none", **changes})
