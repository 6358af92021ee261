"""L1 penalties in compiled networks: those of eager training."""

import numpy as np
import pytest

from tests.compiler.networks import (
    CLASSES,
    OPTIMIZERS,
    assert_equal_bits,
    assert_equal_to_rounding,
    assert_one_update_agrees,
    compiled,
    examples,
    hand_over,
    mlp,
    network,
    state,
    twins,
)
from tinyticket.errors import InputError

SHAPE, STRENGTH = (3, 8, 8), 0.05
DATA = examples(SHAPE)


def images(end="layers"):
    return network(("conv3", "norm relu", "residual", "projection"), end, SHAPE)


def features():
    return mlp(192, 30, 16, CLASSES, flatten=True)


def plain():
    return network(("conv3", "relu", "max"), "linear", SHAPE)


def penalised(step):
    """Return the scales of normalisations, or all biases of networks that have none."""
    named = [(name, p) for name, p in step.model.named_parameters() if p.ndim == 1]
    return [p for name, p in named if name.endswith("weight")] or [p for _, p in named]


def train(step, steps=4):
    return [step(DATA, np.arange(i * 16, (i + 1) * 16)) for i in range(steps)]


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("make", [images, features, plain])
def test_they_are_those_of_eager_steps(make, optimizer):
    step, eager = twins(make(), optimizer, batch_size=20)
    for one in (step, eager):
        one.optimizer.penalise(penalised(one), STRENGTH)
    for start in (0, 20, 40):
        indices = np.arange(start, start + 20)
        assert step(DATA, indices) == pytest.approx(eager(DATA, indices), rel=1e-4)
        assert_one_update_agrees(state(step), eager, noise=1e-4)
        hand_over(state(step), eager)


def test_they_make_what_is_penalised_smaller():
    step, free = (compiled(images(), "sgd") for _ in range(2))
    step.optimizer.penalise(penalised(step), STRENGTH)
    train(step), train(free)
    assert all(
        np.abs(p.data).sum() < np.abs(q.data).sum() for p, q in zip(penalised(step), penalised(free), strict=True)
    )


def test_one_that_begins_or_ends_between_two_steps_is_heeded():
    step, eager = twins(images("global"))
    for strength in (0, STRENGTH, 2 * STRENGTH, 0):
        for one in (step, eager):
            one.optimizer.penalise(penalised(one), strength)
            train(one, 2)
        assert_equal_to_rounding(step.model, eager.model, 1e-4)


@pytest.mark.parametrize("make", [images, features, plain])
def test_one_of_zero_changes_no_bit(make):
    step, free = compiled(make()), compiled(make())
    step.optimizer.penalise(penalised(step), 0)
    assert train(step) == train(free)
    assert_equal_bits(step.model, free.model)


@pytest.mark.parametrize("make", [images, features])
def test_threads_change_no_bit(make):
    steps = [compiled(make(), threads=threads) for threads in (1, 2)]
    for step in steps:
        step.optimizer.penalise(penalised(step), STRENGTH)
    assert train(steps[0]) == train(steps[1])
    assert_equal_bits(steps[0].model, steps[1].model)


def test_gradients_are_of_the_loss_alone():
    step, free = (compiled(images("global")) for _ in range(2))  # without dropout, which draws anew
    step.optimizer.penalise(penalised(step), STRENGTH)
    train(step, 1)
    free.model.load_state_dict(step.model.state_dict())
    x, y = DATA[0][:16], DATA[1][:16]
    ours, theirs = step.gradients(x, y), free.gradients(x, y)
    for name, gradient in ours.items():
        np.testing.assert_allclose(gradient, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("make", [images, features])
def test_what_no_kernel_does_is_refused(make):
    step = compiled(make())
    step.optimizer.penalise(step.model.parameters(), STRENGTH)
    before = step.model.state_dict()
    with pytest.raises(InputError, match="not for weights of linear layers: train eagerly"):
        train(step)
    assert all(np.array_equal(before[name], value) for name, value in step.model.state_dict().items())
