"""A training step and the evaluation of a data set."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, MODEL, clusters
from tinyticket.compiler import EagerStep
from tinyticket.compiler.eager import CHUNK
from tinyticket.nn import BatchNorm1d, Dropout, Linear, Sequential, models
from tinyticket.optim import SGD


def step(model=None, threads=1):
    model = model or models.create(MODEL, (12,), 3, 0)
    return EagerStep(model, SGD(model.parameters(), 0.1), threads)


def by_hand(model, x, y):
    """Return mean cross-entropy and accuracy of an MLP in float64."""
    state = {name: value.astype(np.float64) for name, value in model.state_dict().items()}
    for layer in ("fc1", "fc2", "output"):
        x = np.maximum(x, 0) if layer != "fc1" else x
        x = x @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
    probabilities = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    return -np.log(probabilities[np.arange(len(y)), y]).mean(), (x.argmax(axis=1) == y).mean()


@pytest.mark.parametrize("count", [1, 7, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_evaluation_is_the_mean_over_all_examples_whatever_the_chunks(count):
    data = clusters(train=count)
    stepper = step()
    loss, accuracy = stepper.evaluate((data.x_train, data.y_train))
    expected_loss, expected_accuracy = by_hand(stepper.model, data.x_train, data.y_train)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert accuracy == expected_accuracy


def test_threads_change_no_bit_of_an_evaluation():
    data = clusters(train=4 * CHUNK + 50)
    results = {threads: step(threads=threads).evaluate((data.x_train, data.y_train)) for threads in (1, 2, 5)}
    assert results[1] == results[2] == results[5]


def test_a_step_returns_the_loss_before_its_update():
    stepper = step()
    x, y = DATA.x_train[:20], DATA.y_train[:20]
    before = stepper.evaluate((x, y))[0]
    assert stepper(x, y) == pytest.approx(before, rel=1e-6)
    assert stepper.evaluate((x, y))[0] < before


def test_dropout_drops_in_steps_and_not_in_evaluations():
    model = Sequential(Linear(12, 3, rng=0), Dropout(0.5, rng=0))
    stepper = step(model)
    first = stepper.evaluate((DATA.x_test, DATA.y_test))
    assert first == stepper.evaluate((DATA.x_test, DATA.y_test))
    stepper(DATA.x_train[:20], DATA.y_train[:20])
    assert model.training
    stepper.evaluate((DATA.x_test, DATA.y_test))
    assert not model.training


def test_gradients_update_nothing_running_statistics_included():
    rng = np.random.default_rng(0)
    model = Sequential(Linear(4, 3, rng=rng), BatchNorm1d(3))
    step, before = EagerStep(model, SGD(model.parameters(), 0.1)), model.state_dict()
    loss, gradients = step.backward(rng.normal(size=(8, 4)).astype(np.float32), rng.integers(0, 3, 8))
    assert np.isfinite(loss)
    assert gradients.keys() == dict(model.named_parameters()).keys()
    for name, value in model.state_dict().items():
        assert value.tobytes() == before[name].tobytes()
