"""A step without an optimizer: what it does, and the one sentence about what it does not."""

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import CLASSES, compiled, examples, masked, network
from tinyticket.errors import InputError
from tinyticket.nn import Linear, Module, ReLU, Sequential

DATA = examples((12,))


class Halved(Module):
    def forward(self, x):
        return x * 0.5


MODELS = {
    "mlp": lambda: Sequential(Linear(12, 9, rng=0), ReLU(), Linear(9, CLASSES, rng=1)),
    "images": lambda: network(("conv3", "norm relu", "max"), "linear", (3, 2, 2)),
    "eager": lambda: Sequential(Linear(12, 9, rng=0), Halved(), Linear(9, CLASSES, rng=1)),
}


def alone(name):
    model = masked(MODELS[name](), 0.5)
    shape = (3, 2, 2) if name == "images" else (12,)
    return tt.compile(model, batch_size=16, input_shape=shape), (DATA[0].reshape(-1, *shape), DATA[1])


@pytest.mark.parametrize("name", MODELS)
def test_without_an_optimizer_a_step_predicts_evaluates_and_explains(name):
    step, (x, y) = alone(name)
    logits = step.predict(x)
    loss, accuracy = step.evaluate((x, y))
    assert accuracy == (logits.argmax(axis=1) == y).mean()
    wide = logits.astype(np.float64)
    exact = np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(y)), y]
    assert loss == pytest.approx(exact.mean(), rel=1e-5)
    assert ("eager" if name == "eager" else "compiled") in step.explain()
    assert step.plan()["mode"] == ("eager" if name == "eager" else "compiled")
    assert step.weights().keys() == step.model.prunable().keys()


@pytest.mark.parametrize("name", MODELS)
def test_training_without_an_optimizer_is_refused_in_one_sentence(name):
    step, (x, y) = alone(name)
    before, masks = step.model.state_dict(), {"0.weight": np.ones_like(step.model.prunable()["0.weight"].mask)}
    for train in (
        lambda: step((x, y), np.arange(16)),
        lambda: step(x[:16], y[:16]),
        lambda: step.run((x, y), np.arange(32).reshape(2, 16)),
        lambda: step.run((x, y), np.arange(32).reshape(2, 16), [0.1, 0.1]),
        lambda: step.gradients(x[:16], y[:16]),
        lambda: step.backward(x[:16], y[:16]),
        lambda: step.change_masks(masks),
        lambda: step.optimizer,
    ):
        with pytest.raises(InputError, match="give compile an optimizer to train"):
            train()
    assert all(np.array_equal(before[key], value) for key, value in step.model.state_dict().items())


def test_a_step_that_trains_and_one_that_predicts_hand_the_model_to_each_other():
    trains = compiled(masked(MODELS["mlp"](), 0.5))
    predicts = tt.compile(trains.model, batch_size=1)
    x = DATA[0][:3]
    for start in (0, 16, 32):
        before = predicts.predict(x)
        trains(DATA, np.arange(start, start + 16))
        assert not np.array_equal(predicts.predict(x), before)
        assert predicts.predict(x).tobytes() == trains.predict(x).tobytes()
