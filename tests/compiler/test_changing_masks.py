"""Masks that change between two steps: moved in place, or through the parameters, to the same bits."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.compiling import nothing_compiled
from tests.compiler.networks import (
    CLASSES,
    OPTIMIZERS,
    architectures,
    compiled,
    examples,
    masked,
    mlp,
    network,
    state,
    twins,
)
from tinyticket.compiler import EagerStep
from tinyticket.lottery.dropping import dropouts

SHAPE = (3, 8, 8)
DATA = examples(SHAPE)
BLOCKS = ("conv3", "norm relu", "residual", "conv3 stride", "max", "dropout")


def features(density, seed=0):
    return masked(mlp(192, 30, 16, CLASSES, seed=seed, flatten=True), density, seed)


def images(density, seed=0):
    return masked(network(BLOCKS, "layers", SHAPE, seed), density, seed)


KINDS = pytest.mark.parametrize("make", [features, images])


def moved(model, rng, change=0):
    """Return masks of as many survivors, or some more, at partly other places."""
    masks = {}
    for name, weight in model.prunable().items():
        flat = weight.mask.ravel().copy()
        survivors, empty = np.flatnonzero(flat), np.flatnonzero(~flat)
        count = max(0, min(len(survivors), len(empty) - change) // 3)
        flat[rng.permutation(survivors)[:count]] = False
        flat[rng.permutation(empty)[: count + change]] = True
        masks[name] = flat.reshape(weight.shape)
    return masks


def by_hand(step, masks):
    """Change masks as slowly as can be: everything is fetched, masked and taken over again."""
    names = {id(parameter): name for name, parameter in step.model.named_parameters()}
    for i, parameter in enumerate(step.optimizer.params):
        parameter.fetch()
        if (name := names[id(parameter)]) in masks:
            parameter.mask = masks[name]
            for slot in step.optimizer.slots(i):
                slot[~masks[name]] = 0
    step._program = None  # made anew for these masks


def bits(step):
    parameters = [array.tobytes() for arrays in state(step).values() for array in arrays]
    return parameters + [buffer.data.tobytes() for _, buffer in step.model.named_buffers()]


def refuse_to_fetch(step, monkeypatch):
    """Fail where values are brought from the step to the parameters."""
    monkeypatch.setattr(step, "fetch", lambda: pytest.fail("the step's values were fetched"))


@settings(max_examples=30, deadline=None)
@given(
    architecture=architectures(densities=(0.1, 0.4, 1.0)),
    kernels=st.sampled_from(["dense", "sparse", None]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    change=st.sampled_from([0, 0, 3]),
    batch_size=st.sampled_from([16, 35]),
    threads=st.sampled_from([1, 2]),
    asks=st.booleans(),
    seed=st.integers(0, 99),
)
def test_masks_changed_in_place_equal_masks_taken_over_anew(
    architecture, kernels, make, change, batch_size, threads, asks, seed
):
    (model, shape), rng = architecture, np.random.default_rng(seed)
    data = examples(shape, seed=seed)
    chosen = compiled(model, make, kernels=kernels, input_shape=shape).plan()["kernels"]
    slow = compiled(copy.deepcopy(model), make, batch_size, kernels=chosen, threads=1, input_shape=shape)
    quick = compiled(model, make, batch_size, kernels=chosen, threads=threads, input_shape=shape)
    room = all((~weight.mask).sum() > 3 for weight in model.prunable().values())
    for _ in range(3):
        for _ in range(2):
            indices = rng.integers(0, len(data[0]), batch_size)
            assert quick(data, indices) == slow(data, indices)
        if asks:  # draws from dropout's stream, as the other's step then must
            for one in (quick, slow):
                one.backward(data[0][:16], data[1][:16])
        masks = moved(model, rng, change if room else 0)
        quick.change_masks(masks)
        by_hand(slow, masks)
        assert quick.evaluate(data) == slow.evaluate(data)
    indices = rng.integers(0, len(data[0]), batch_size)
    assert quick(data, indices) == slow(data, indices)
    assert bits(quick) == bits(slow)


@pytest.mark.parametrize("kernels", ["dense", "sparse"])
@KINDS
def test_masks_of_equal_size_change_without_a_fetch_or_a_compilation(make, kernels, monkeypatch):
    model = make(0.3)
    step = compiled(model, kernels=kernels)
    step(DATA, np.arange(16))
    before, masks = step.weights(), moved(model, np.random.default_rng(1))
    with monkeypatch.context() as patch, nothing_compiled():
        refuse_to_fetch(step, patch)
        patch.setattr(step.network, "step", lambda *given, **options: pytest.fail("another program was made"))
        step.change_masks(masks)
        for name, weight in step.weights().items():
            both = masks[name] & (before[name] != 0)
            np.testing.assert_array_equal(weight[both], before[name][both])
            assert not weight[~both].view(np.uint32).any()
        step(DATA, np.arange(16))
    for name, weight in model.prunable().items():
        np.testing.assert_array_equal(weight.mask, masks[name])
        assert not weight.data[~masks[name]].view(np.uint32).any()
        assert np.count_nonzero(weight.data[masks[name] & (before[name] == 0)]), "what is new has been trained"


@pytest.mark.parametrize(
    ("kernels", "change", "anew"), [("dense", 0, 0), ("dense", 3, 0), ("sparse", 0, 0), ("sparse", 3, 1)]
)
@KINDS
def test_a_program_is_made_anew_only_for_masks_without_room_in_it(make, kernels, change, anew, monkeypatch):
    model, made = make(0.3), []
    step, start = compiled(model, kernels=kernels), model.state_dict()
    step(DATA, np.arange(16))
    masks, program = moved(model, np.random.default_rng(1), change), step.network.step
    monkeypatch.setattr(step.network, "step", lambda *given, **options: made.append(1) or program(*given, **options))
    fresh, losses = compiled(make(0.3), kernels=kernels), []
    for one in (step, fresh):  # as the next training of an experiment begins
        one.optimizer.reset()
        for name, weight in one.model.prunable().items():
            weight.mask = masks[name]
        one.model.load_state_dict(start)
        for layer in dropouts(one.model):
            layer.rng = np.random.default_rng(2)
        losses.append(one.run(DATA, np.arange(48).reshape(3, 16)).tolist())
    assert len(made) == anew
    assert losses[0] == losses[1]
    assert bits(step) == bits(fresh)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@KINDS
def test_new_weights_and_their_slots_start_at_zero(make, optimizer):
    step, eager = twins(make(0.3), optimizer)
    old = {name: weight.mask for name, weight in step.model.prunable().items()}
    masks = moved(step.model, np.random.default_rng(2))
    for trained in (step, eager):
        for start in (0, 16, 32):
            trained(DATA, np.arange(start, start + 16))
        trained.change_masks(masks)
        for name, arrays in state(trained).items():
            for values in arrays if name in masks else ():
                assert not values[~(masks[name] & old[name])].view(np.uint32).any()
                assert values[masks[name] & old[name]].any()


@settings(max_examples=30, deadline=None)
@given(
    architecture=architectures(densities=(None, 0.0, 0.2, 1.0)),
    kernels=st.sampled_from(["dense", "sparse", None]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    size=st.integers(12, 35),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
def test_dense_gradients_are_those_of_the_autograd(architecture, kernels, make, size, threads, seed):
    model, shape = architecture
    x, y = examples(shape, seed=seed)
    step, eager = twins(model, make, 35, kernels=kernels, threads=threads, input_shape=shape)
    other = compiled(copy.deepcopy(model), make, 35, kernels=kernels, threads=1, input_shape=shape)
    for one in (step, other, eager):
        one((x, y), np.arange(16))
    # Equal to the bit, so that no ReLU or maximum decides otherwise; the values are still the step's.
    eager.model.load_state_dict(other.model.state_dict())
    x, y = x[20 : 20 + size], y[20 : 20 + size]
    for _ in range(2):  # the first time makes room
        loss, gradients = step.backward(x, y)
        expected, found = eager.backward(x, y)
        assert loss == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert gradients.keys() == found.keys()
        for name, gradient in found.items():
            # Before a normalisation a bias has none, and what is found is rounding.
            np.testing.assert_allclose(
                gradients[name], gradient, rtol=1e-3, atol=1e-4 * max(0.5, np.abs(gradient).max()), err_msg=name
            )
    for name, value in eager.model.state_dict().items():
        assert value.tobytes() == model.state_dict()[name].tobytes(), name


@KINDS
def test_gradients_of_values_that_the_parameters_hold_are_the_autograd_s(make):
    step, eager = twins(make(0.2))
    one, other = (each.backward(DATA[0][:16], DATA[1][:16]) for each in (step, eager))
    assert one[0] == other[0]
    assert all(gradient.tobytes() == other[1][name].tobytes() for name, gradient in one[1].items())


def test_gradients_of_images_fetch_nothing_once_there_is_room(monkeypatch):
    step = compiled(images(0.3))
    step(DATA, np.arange(16))
    step.backward(DATA[0][:16], DATA[1][:16])
    with monkeypatch.context() as patch, nothing_compiled():
        refuse_to_fetch(step, patch)
        step.backward(DATA[0][:16], DATA[1][:16])
        step(DATA, np.arange(16))


@pytest.mark.parametrize("end", ["global", "linear"])
def test_asking_for_gradients_changes_no_bit_of_what_is_trained(end):
    asked, alone = (compiled(masked(network(BLOCKS[:-1], end, SHAPE), 0.3), "adam", kernels="sparse") for _ in "ab")
    for start in (0, 16, 32):
        indices = np.arange(start, start + 16)
        assert asked(DATA, indices) == alone(DATA, indices)
        asked.gradients(DATA[0][:16], DATA[1][:16])
        assert asked.evaluate(DATA) == alone.evaluate(DATA)
    assert bits(asked) == bits(alone)


def test_a_larger_batch_than_compiled_for_still_has_gradients():
    step = compiled(masked(network(BLOCKS[:-1], "global", SHAPE), 0.3))
    step(DATA, np.arange(16))
    found = step.gradients(*DATA)
    expected = EagerStep(step.model, step.optimizer).gradients(*DATA)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-4, atol=1e-6)
