"""Masks that change between two steps: moved in place, or through the parameters, to the same bits."""

import copy
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tinyticket.compiler import EagerStep
from tinyticket.compiler.mlp.dense_gradients import dense_gradients
from tinyticket.nn import Linear, ReLU, Sequential, functional
from tinyticket.optim import SGD, Adam

RNG = np.random.default_rng(0)
X, Y = RNG.random((150, 20), np.float32), RNG.integers(0, 4, 150)
OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, 0.05, weight_decay=1e-3),
    "momentum": lambda parameters: SGD(parameters, 0.02, momentum=0.9),
    "adam": lambda parameters: Adam(parameters, 1e-3, weight_decay=1e-3),
}
WEIGHTS = ("0.weight", "2.weight", "4.weight")


def network(density, seed=0, sizes=(20, 30, 16, 4), bias=True):
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs, bias=bias, rng=rng), ReLU()]
    model = Sequential(*layers[:-1])
    for weight in model.prunable().values():
        weight.mask = rng.random(weight.shape) < density
    return model


def compiled(model, make="adam", threads=1, sparse=WEIGHTS):
    kernels = {name: "sparse" if name in sparse else "dense" for name in WEIGHTS}
    optimizer = OPTIMIZERS[make](model.parameters())
    return tt.compile(model, functional.cross_entropy, optimizer, 16, threads=threads, kernels=kernels)


def moved(model, rng, change=0):
    """Return masks of as many survivors, or some more, at partly other places."""
    masks = {}
    for name, weight in model.prunable().items():
        flat = weight.mask.ravel().copy()
        survivors, empty = np.flatnonzero(flat), np.flatnonzero(~flat)
        count = min(len(survivors), len(empty) - change) // 3
        flat[rng.permutation(survivors)[:count]] = False
        flat[rng.permutation(empty)[: count + change]] = True
        masks[name] = flat.reshape(weight.shape)
    return masks


def by_hand(step, masks):
    """Change masks as slowly as can be: everything is fetched, masked and taken over again."""
    for i, parameter in enumerate(step.optimizer.params):
        name = next(n for n, p in step.model.named_parameters() if p is parameter)
        parameter.fetch()
        if name in masks:
            parameter.mask = masks[name]
            for slot in step.optimizer.slots(i):
                slot[~masks[name]] = 0


def equal_bits(one, two):
    for name, value in one.model.state_dict().items():
        assert value.tobytes() == two.model.state_dict()[name].tobytes(), name
    for i in range(len(one.optimizer.params)):
        for slot, other in zip(one.optimizer.slots(i), two.optimizer.slots(i), strict=True):
            assert slot.tobytes() == other.tobytes()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([0.1, 0.4, 1.0]),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.sampled_from([WEIGHTS, (), WEIGHTS[:1], WEIGHTS[1:]]),
    st.sampled_from([0, 0, 3]),
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 99),
)
def test_masks_changed_in_place_equal_masks_taken_over_anew(density, make, sparse, change, threads, bias, seed):
    model = network(density, seed, bias=bias)
    quick, slow = compiled(model, make, threads, sparse), compiled(copy.deepcopy(model), make, 1, sparse)
    rng = np.random.default_rng(seed)
    batches = iter(np.split(np.random.default_rng(seed).integers(0, len(X), 16 * 8), 8))
    for _ in range(3):
        for _ in range(2):
            chosen = next(batches)
            assert quick((X, Y), chosen) == slow((X, Y), chosen)
        masks = moved(model, rng, change if density < 1 else 0)
        quick.change_masks(masks)
        by_hand(slow, masks)
    chosen = next(batches)
    assert quick((X, Y), chosen) == slow((X, Y), chosen)
    assert quick.evaluate((X, Y)) == slow.evaluate((X, Y))
    equal_bits(quick, slow)


def test_masks_of_equal_size_change_without_a_fetch():
    model = network(0.3)
    step = compiled(model)
    step((X, Y), np.arange(16))
    program = step._program
    before, masks = step.weights(), moved(model, np.random.default_rng(1))
    step.change_masks(masks)
    assert step._ahead
    assert step._program is program
    for name, weight in step.weights().items():
        both = masks[name] & (before[name] != 0)
        np.testing.assert_array_equal(weight[both], before[name][both])
        assert not weight[~both].view(np.uint32).any()
    step((X, Y), np.arange(16))
    for name, weight in model.prunable().items():
        np.testing.assert_array_equal(weight.mask, masks[name])
        assert not weight.data[~masks[name]].view(np.uint32).any()


@pytest.mark.parametrize("make", sorted(OPTIMIZERS))
def test_new_weights_and_their_slots_start_at_zero(make):
    model = network(0.3)
    old = {name: weight.mask for name, weight in model.prunable().items()}
    step, eager = compiled(model, make), EagerStep(twin := copy.deepcopy(model), OPTIMIZERS[make](twin.parameters()))
    masks = moved(model, np.random.default_rng(2))
    for trained in (step, eager):
        for start in (0, 16, 32):
            trained((X, Y), np.arange(start, start + 16))
        trained.change_masks(masks)
        for i, parameter in enumerate(trained.optimizer.params):
            name = next(n for n, p in trained.model.named_parameters() if p is parameter)
            for values in (parameter.data, *trained.optimizer.slots(i)) if name in masks else ():
                assert not values[~(masks[name] & old[name])].view(np.uint32).any()
                assert values[masks[name] & old[name]].any()


@pytest.mark.parametrize("density", [0.2, 1.0])
def test_dense_gradients_are_those_of_the_autograd(density):
    model = network(density)
    step = compiled(model)
    fresh = step.backward(X[:16], Y[:16])  # of values that the parameters hold
    loss, gradients = EagerStep(model, step.optimizer).backward(X[:16], Y[:16])
    assert fresh[0] == loss
    step((X, Y), np.arange(16))
    loss, gradients = step.backward(X[:16], Y[:16])  # of values that the step holds
    assert step._ahead
    expected, eager = EagerStep(model, step.optimizer).backward(X[:16], Y[:16])
    assert loss == pytest.approx(expected, rel=1e-6)
    assert gradients.keys() == eager.keys()
    for name, gradient in eager.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-4, atol=1e-7)


def test_dense_gradients_are_differences_of_the_loss():
    rng = np.random.default_rng(3)
    weights, biases = [rng.normal(size=(5, 4)), rng.normal(size=(3, 5))], [rng.normal(size=5), rng.normal(size=3)]
    x, y = rng.normal(size=(7, 4)), rng.integers(0, 3, 7)
    _, gradients = dense_gradients(weights, biases, x, y)
    for array, gradient in zip((*weights, *biases), [g[k] for k in (0, 1) for g in gradients], strict=True):
        for place in np.ndindex(array.shape):
            array[place] += 1e-6
            above = dense_gradients(weights, biases, x, y)[0]
            array[place] -= 2e-6
            below = dense_gradients(weights, biases, x, y)[0]
            array[place] += 1e-6
            assert gradient[place] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-7)
