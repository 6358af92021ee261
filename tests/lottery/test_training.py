"""One training: what it starts from, when it evaluates, what it returns, and where it stops."""

import math

import numpy as np
import pytest

from tests.lottery.experiments import DATA, MODEL, SMALL
from tinyticket.errors import DivergenceError
from tinyticket.lottery import reset, stream
from tinyticket.lottery.inputs import split
from tinyticket.lottery.settings import resolve
from tinyticket.lottery.start import Start
from tinyticket.lottery.step import make_optimizer
from tinyticket.lottery.training import Trainer
from tinyticket.nn import Dropout, Linear, Sequential, models
from tinyticket.optim import SGD, Adam, MultiStep, Warmup


def setting(**changes):
    return resolve(data="d", model=MODEL, training_examples=200, **{**SMALL, **changes})


def fresh():
    return models.create(MODEL, (12,), 3, 0)


MASKS = {name: np.random.default_rng(1).random(p.shape) < 0.5 for name, p in fresh().prunable().items()}
THETA_0 = fresh().state_dict()


def start(masks=MASKS, weights=None):
    return Start(masks, weights or reset(THETA_0, masks), {"weights": "init", "mask": "ticket"})


def run(model=None, begin=None, watch=lambda row: None, threads=1, order=0, **changes):
    settings = setting(**changes)
    streams = stream(order, 0, "batches"), stream(0, 0, "dropout")
    return Trainer(model or fresh(), settings, split(DATA, settings), threads).train(begin or start(), *streams, watch)


@pytest.mark.parametrize(
    ("iterations", "every", "expected"),
    [
        (20, 5, [0, 5, 10, 15, 20]),
        (20, 6, [0, 6, 12, 18, 20]),
        (20, 50, [0, 20]),
        (1, 1, [0, 1]),
        (3, 2, [0, 2, 3]),
    ],
)
def test_iteration_0_and_the_last_are_always_evaluated(iterations, every, expected):
    rows = []
    history = run(iterations=iterations, evaluate_every=every, watch=rows.append).history
    assert history["iteration"].tolist() == expected
    assert [row["iteration"] for row in rows] == expected
    assert list(rows[0]) == list(history.dtype.names)


def test_the_first_row_is_the_start_and_the_last_the_end():
    result = run()
    model = fresh()
    parts = split(DATA, setting())
    for weights, row in ((start().weights, result.history[0]), (result.trained, result.history[-1])):
        model.load_state_dict(weights)
        hits = (model(parts.test[0]).data.argmax(axis=1) == parts.test[1]).mean()
        assert row["test_accuracy"] == hits
        hits = (model(parts.validation[0]).data.argmax(axis=1) == parts.validation[1]).mean()
        assert row["validation_accuracy"] == hits


def test_the_training_loss_is_the_mean_since_the_last_row():
    every_step = run(evaluate_every=1).history["train_loss"]
    assert math.isnan(every_step[0])
    coarse = run(evaluate_every=5).history["train_loss"]
    assert math.isnan(coarse[0])
    np.testing.assert_allclose(coarse[1:], every_step[1:].reshape(4, 5).mean(axis=1), rtol=1e-12)


def test_how_often_one_evaluates_does_not_change_the_training():
    first, second = run(evaluate_every=1), run(evaluate_every=7)
    for name, value in first.trained.items():
        assert value.tobytes() == second.trained[name].tobytes()


def test_training_moves_the_survivors_and_leaves_the_start_alone():
    begin = start()
    before = {name: value.tobytes() for name, value in begin.weights.items()}
    result = run(begin=begin)
    assert {name: value.tobytes() for name, value in begin.weights.items()} == before
    for name, mask in MASKS.items():
        assert np.mean(result.trained[name][mask] != begin.weights[name][mask]) > 0.8


def test_negative_survivors_move_as_positive_ones_do():
    """Published code froze where(weight < eps): the pruned weights, and every negative one with them."""
    begin, trained = start().weights["fc1.weight"], run().trained["fc1.weight"]
    for chosen in (begin < 0, begin > 0):
        assert np.mean(trained[chosen] != begin[chosen]) > 0.8


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("weight_decay", [0, 0.1])
def test_pruned_weights_are_plus_zero_afterwards_bit_for_bit(optimizer, weight_decay):
    trained = run(optimizer=optimizer, weight_decay=weight_decay).trained
    for name, mask in MASKS.items():
        assert trained[name][~mask].tobytes() == bytes(4 * np.count_nonzero(~mask))


def test_a_model_that_was_used_before_leaves_no_trace():
    model = fresh()
    run(model, Start({name: ~mask for name, mask in MASKS.items()}, THETA_0, {}), optimizer="momentum", order=5)
    again, clean = run(model), run()
    for name, value in clean.trained.items():
        assert again.trained[name].tobytes() == value.tobytes()
    assert again.history.tobytes() == clean.history.tobytes()


def test_the_order_of_the_batches_comes_from_its_stream_alone():
    first, same, other = run(), run(), run(order=1)
    assert first.trained["fc1.weight"].tobytes() == same.trained["fc1.weight"].tobytes()
    assert first.trained["fc1.weight"].tobytes() != other.trained["fc1.weight"].tobytes()


def test_every_dropout_layer_draws_from_the_stream_given():
    def dropping():
        return Sequential(Linear(12, 16, rng=0), Dropout(0.5), Linear(16, 3, rng=0), Dropout(0.5))

    models_ = [dropping(), dropping()]
    masks = {name: np.ones(p.shape, bool) for name, p in models_[0].prunable().items()}
    begin = Start(masks, models_[0].state_dict(), {})
    first, second = (run(model, begin) for model in models_)  # whose own generators are unseeded
    assert first.trained["0.weight"].tobytes() == second.trained["0.weight"].tobytes()


def test_the_schedule_multiplies_the_learning_rate():
    frozen = run(optimizer="sgd", schedule=MultiStep((0,), gamma=0.0))
    assert frozen.trained["fc1.weight"].tobytes() == start().weights["fc1.weight"].tobytes()
    halved, direct = run(optimizer="sgd", lr=0.02, schedule=MultiStep((0,), 0.5)), run(optimizer="sgd", lr=0.01)
    assert halved.trained["fc1.weight"].tobytes() == direct.trained["fc1.weight"].tobytes()
    assert run(schedule=Warmup(10)).trained["fc1.weight"].tobytes() != run().trained["fc1.weight"].tobytes()


def test_a_milestone_is_met_at_its_iteration():
    full, cut = run(optimizer="sgd", iterations=8), run(optimizer="sgd", schedule=MultiStep((8,), 0.0))
    assert full.trained["fc1.weight"].tobytes() == cut.trained["fc1.weight"].tobytes()


@pytest.mark.parametrize(
    ("name", "kind", "momentum", "nesterov"),
    [("sgd", SGD, 0, False), ("momentum", SGD, 0.9, False), ("nesterov", SGD, 0.9, True), ("adam", Adam, None, None)],
)
def test_optimizers_by_name(name, kind, momentum, nesterov):
    optimizer = make_optimizer(fresh(), setting(optimizer=name, lr=0.3, weight_decay=0.2))
    assert (type(optimizer), optimizer.lr, optimizer.weight_decay) == (kind, 0.3, 0.2)
    assert getattr(optimizer, "momentum", None) == momentum
    assert getattr(optimizer, "nesterov", None) == nesterov


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_loss_that_is_no_number_stops_the_training_and_says_where(optimizer):
    rows = []
    with pytest.raises(DivergenceError, match=r"loss is (nan|inf) at iteration \d+; try a learning rate below 1e\+30"):
        run(optimizer=optimizer, lr=1e30, watch=rows.append)
    assert rows[0]["iteration"] == 0
    assert len(rows) <= 2


def test_a_start_with_nan_stops_at_iteration_0():
    weights = {**THETA_0, "output.bias": np.full(3, np.nan, np.float32)}
    with pytest.raises(DivergenceError, match="validation loss is nan at iteration 0"):
        run(begin=start(weights=weights))
