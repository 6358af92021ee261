"""Fully-connected networks on a device, simulated where there is none, against eager ones."""

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.cuda.mlps import BATCH, X, Y, mlp, on_device
from tests.compiler.networks import assert_equal_bits, assert_equal_to_rounding, twins
from tinyticket.errors import InputError
from tinyticket.kernels.cuda import memory


@pytest.mark.parametrize(
    ("make", "density", "kernels"),
    [
        ("sgd", None, None),
        ("momentum", 0.5, "sparse"),
        ("nesterov", 0.5, {"0.weight": "sparse", "2.weight": "dense"}),
        ("adam", 0.4, {"0.weight": "dense", "2.weight": "sparse"}),
        ("adam", 0.0, "sparse"),
    ],
)
def test_steps_agree_with_eager_ones_to_rounding(make, density, kernels):
    step, eager = twins(mlp(density), make, BATCH, kernels=kernels, device="cuda")
    order = np.random.default_rng(1)
    for size, steps in ((BATCH, 1), (5, 1)):  # a smaller batch may follow
        batches = order.integers(0, len(X), (steps, size))
        np.testing.assert_allclose(step.run((X, Y), batches), eager.run((X, Y), batches), rtol=1e-5)
    assert_equal_to_rounding(step.model, eager.model, 1e-5)
    loss, accuracy = eager.evaluate((X, Y))
    assert step.evaluate((X, Y)) == (pytest.approx(loss, rel=1e-5), accuracy)
    for i, weight in enumerate(step.optimizer.params):
        if weight.mask is not None:
            for array in (weight.data, *step.optimizer.slots(i)):
                assert not array[~weight.mask].view(np.uint32).any()
        for one, other in zip(step.optimizer.slots(i), eager.optimizer.slots(i), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_same_again_has_the_same_bits_and_a_call_is_its_steps():
    one, other, third = (on_device(mlp(0.4), kernels={"0.weight": "sparse"}) for _ in range(3))
    batches = np.arange(18).reshape(2, BATCH)
    losses = one.run((X, Y), batches)
    assert losses.tolist() == other.run((X, Y), batches).tolist() == [third(X[batch], Y[batch]) for batch in batches]
    assert_equal_bits(one.model, other.model)
    assert_equal_bits(one.model, third.model)


def test_the_host_waits_once_a_call_and_once_an_evaluation(monkeypatch):
    step = on_device(mlp())
    step((X, Y), np.arange(BATCH)), step.evaluate((X, Y))
    waits, kind = [], type(memory.zeros(1, np.float32))
    fetch = kind.copy_to_host
    monkeypatch.setattr(kind, "copy_to_host", lambda self, *given: waits.append(self) or fetch(self, *given))
    step.run((X, Y), np.arange(18).reshape(2, BATCH))
    assert len(waits) == 1
    step.evaluate((X, Y))
    assert len(waits) == 2
    step.model.state_dict()
    assert len(waits) == 3, "all parameters come in one piece"


def test_predictions_are_those_of_the_model_for_any_number_of_examples():
    model = mlp(0.5)
    step = tt.compile(model, batch_size=BATCH, kernels={"0.weight": "sparse"}, device="cuda")
    with tt.no_grad():
        want = model(tt.Tensor(X)).data
    for count in (0, 1, BATCH, 2 * BATCH + 3):
        np.testing.assert_allclose(step.predict(X[:count]), want[:count], rtol=1e-5, atol=1e-6)
    score = step.evaluate((X, Y))
    assert score[1] == (want.argmax(axis=1) == Y).mean()
    with pytest.raises(InputError, match="predict takes examples of shape"):
        step.predict(X[:, :6])
    with pytest.raises(InputError, match="give compile an optimizer"):
        step((X, Y), np.arange(BATCH))
