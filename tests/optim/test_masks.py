"""Pruned weights and their slots are +0.0 bit for bit after every update; survivors train as if nothing were pruned."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nn.bits import assert_positive_zeros
from tinyticket import nn, optim
from tinyticket.nn.functional import cross_entropy

OPTIMIZERS = {
    "SGD": lambda params, lr=0.1: optim.SGD(params, lr),
    "SGD, decay": lambda params, lr=0.1: optim.SGD(params, lr, weight_decay=0.01),
    "momentum": lambda params, lr=0.1: optim.SGD(params, lr, momentum=0.9),
    "momentum, decay": lambda params, lr=0.1: optim.SGD(params, lr, momentum=0.9, weight_decay=0.01),
    "Nesterov": lambda params, lr=0.1: optim.SGD(params, lr, momentum=0.9, nesterov=True),
    "Nesterov, decay": lambda params, lr=0.1: optim.SGD(params, lr, momentum=0.9, weight_decay=0.01, nesterov=True),
    "Adam": lambda params, lr=0.1: optim.Adam(params, lr),
    "AdamW": lambda params, lr=0.1: optim.AdamW(params, lr),
    "Sign-In": lambda params, lr=0.1: optim.SignIn(params, lr),
    "Adam, decay": lambda params, lr=0.1: optim.Adam(params, lr, weight_decay=0.01),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())

SHAPE = (4, 5)
MASK = np.random.default_rng(0).random(SHAPE) < 0.5


def random_weights(seed=1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def slots(optimizer) -> list[np.ndarray]:
    return [slot for i in range(len(optimizer.params)) for slot in optimizer.slots(i)]


def assert_pruned_are_zero(optimizer, parameter) -> None:
    for array in (parameter.data, *slots(optimizer)):
        assert array.dtype == np.float32
        assert_positive_zeros(array[~parameter.mask])


def take_steps(optimizer, parameter, gradients, check=assert_pruned_are_zero) -> None:
    for gradient in gradients:
        parameter.grad = gradient.copy()
        optimizer.step()
        check(optimizer, parameter)


@every_optimizer
@pytest.mark.parametrize("gradient", [-1.0, 1.0, -0.0, 1e30, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("lr", [0.1, np.float64(0.1), np.float32(0.1)], ids=lambda lr: type(lr).__name__)
def test_whatever_gradient_pruned_weights_get_they_and_their_slots_stay_positive_zeros(make, gradient, lr):
    parameter = nn.Parameter(random_weights(), MASK)
    everywhere = np.where(MASK, random_weights(2), np.float32(gradient))
    take_steps(make([parameter], lr), parameter, [everywhere, -everywhere, everywhere])
    assert np.isfinite(parameter.data).all()


@every_optimizer
def test_a_float64_gradient_made_by_hand_is_masked_too(make):
    parameter = nn.Parameter(random_weights(), MASK)
    take_steps(make([parameter]), parameter, [random_weights(2).astype(np.float64)] * 2)
    same = nn.Parameter(random_weights(), MASK)
    take_steps(make([same]), same, [random_weights(2)] * 2)
    np.testing.assert_allclose(parameter.data, same.data, rtol=1e-5)


@every_optimizer
def test_parameters_and_gradients_in_any_memory_order_are_masked(make):
    columns = np.asfortranarray(random_weights())
    parameter = nn.Parameter(columns, MASK)
    take_steps(make([parameter]), parameter, [random_weights(2).T.copy().T] * 2)
    same = nn.Parameter(random_weights(), MASK)
    take_steps(make([same]), same, [random_weights(2)] * 2)
    np.testing.assert_array_equal(parameter.data, same.data)


@every_optimizer
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    shape=hnp.array_shapes(max_dims=4, max_side=4),
    density=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 6),
)
def test_survivors_train_bit_for_bit_as_without_a_mask(make, shape, density, seed, steps):
    """Every update is elementwise, so a mask must not show in what survives, negative weights included."""
    rng = np.random.default_rng(seed)
    start = rng.standard_normal(shape).astype(np.float32)
    gradients = rng.standard_normal((steps, *shape)).astype(np.float32)
    masked, whole = nn.Parameter(start.copy(), rng.random(shape) < density), nn.Parameter(start.copy())
    masked_optimizer, whole_optimizer = make([masked]), make([whole])
    take_steps(masked_optimizer, masked, gradients)
    take_steps(whole_optimizer, whole, gradients, check=lambda *_: None)
    pairs = [(masked.data, whole.data), *zip(slots(masked_optimizer), slots(whole_optimizer), strict=True)]
    for ours, unmasked in pairs:
        assert ours[masked.mask].tobytes() == unmasked[masked.mask].tobytes()


@every_optimizer
def test_a_mask_that_tightens_in_training_takes_the_slots_with_it(make):
    """The published mistake: the momentum of a weight pruned just now brings it back."""
    parameter = nn.Parameter(random_weights())
    optimizer = make([parameter])
    take_steps(optimizer, parameter, [random_weights(2)] * 3, check=lambda *_: None)
    parameter.mask = MASK
    take_steps(optimizer, parameter, [random_weights(3)] * 3)


@every_optimizer
def test_negative_survivors_keep_training(make):
    """The published mistake: where(weight < eps, 0, gradient) freezes every negative weight."""
    start = -np.abs(random_weights()) - 1
    parameter = nn.Parameter(start.copy(), MASK)
    take_steps(make([parameter]), parameter, [np.ones(SHAPE, np.float32)])
    assert (parameter.data[MASK] < start[MASK]).all()


@every_optimizer
def test_a_survivor_that_happens_to_be_zero_is_trained(make):
    """A weight survives because the mask says so, not because it differs from 0."""
    parameter = nn.Parameter(np.zeros(SHAPE, np.float32), MASK)
    take_steps(make([parameter]), parameter, [np.ones(SHAPE, np.float32)])
    assert (parameter.data[MASK] < 0).all()


@every_optimizer
def test_masks_hold_in_the_training_of_a_network(make):
    rng = np.random.default_rng(0)
    model = nn.models.create("mlp-6-8-3", (6,), 3, rng=rng)
    masks = {}
    for name, weight in model.prunable().items():
        masks[name] = weight.mask = rng.random(weight.shape) < 0.4
    start = model.state_dict()
    optimizer = make(model.parameters())
    x = rng.standard_normal((64, 6)).astype(np.float32)
    labels = x[:, :3].argmax(axis=1)
    losses = []
    for _ in range(60):
        loss = cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for name, weight in model.prunable().items():
        assert_positive_zeros(weight.data[~masks[name]])
        assert (weight.data != start[name])[masks[name]].mean() > 0.5  # dead units' weights do not move
        for slot in (array for array in slots(optimizer) if array.shape == weight.shape):
            assert_positive_zeros(slot[~masks[name]])


# -- the mistakes themselves: the checks above must fail on them


class MasksTheGradientOnly(optim.SGD):
    def step(self):
        for i, parameter in enumerate(self.params):
            self.steps[i] += 1
            self._update(i, parameter.data, np.where(parameter.mask, parameter.grad, 0))


class MasksTheWeightsOnly(optim.SGD):
    def step(self):
        for i, parameter in enumerate(self.params):
            self.steps[i] += 1
            self._update(i, parameter.data, parameter.grad)
            parameter.data[~parameter.mask] = 0


class MultipliesByTheMask(optim.SGD):
    def step(self):
        for i, parameter in enumerate(self.params):
            self.steps[i] += 1
            self._update(i, parameter.data, parameter.grad)
            parameter.data[...] *= parameter.mask
            self.velocities[i][...] *= parameter.mask


@pytest.mark.parametrize("mistaken", [MasksTheGradientOnly, MasksTheWeightsOnly, MultipliesByTheMask])
def test_the_check_fails_on_a_mistaken_optimizer(mistaken):
    parameter = nn.Parameter(random_weights())
    optimizer = mistaken([parameter], 0.1, momentum=0.9)
    parameter.mask = np.ones(SHAPE, bool)
    take_steps(optimizer, parameter, [random_weights(2)] * 2)
    parameter.mask = MASK
    with pytest.raises(AssertionError, match="not"):
        take_steps(optimizer, parameter, [-random_weights(3)] * 3)
