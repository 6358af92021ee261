"""Masks that move between two steps of a network of convolutions, and the gradients that say where to."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.networks import BLOCKS, ENDS, OPTIMIZERS, compiled, examples, masked, network, twins
from tests.compiler.test_changing_masks import by_hand, equal_bits, moved
from tinyticket.compiler import EagerStep

SHAPE = (3, 8, 8)
DATA = examples(SHAPE)
LAYERS = ("conv3", "norm relu", "residual", "conv3 stride", "max", "dropout")


@settings(max_examples=25, deadline=None)
@given(
    blocks=st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=5),
    end=st.sampled_from(sorted(ENDS)),
    density=st.sampled_from([0.1, 0.4, 1.0]),
    kernels=st.sampled_from(["dense", "sparse", None]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    change=st.sampled_from([0, 0, 3]),
    threads=st.sampled_from([1, 2]),
    asks=st.booleans(),
    seed=st.integers(0, 99),
)
def test_masks_changed_in_place_equal_masks_taken_over_anew(
    blocks, end, density, kernels, make, change, threads, asks, seed
):
    model = masked(network(blocks, end, SHAPE, seed), density, seed)
    quick = compiled(model, make, kernels=kernels, threads=threads, input_shape=SHAPE)
    chosen = {name: quick.plan()["kernels"][name] for name in model.prunable()}
    slow = compiled(copy.deepcopy(model), make, kernels=chosen, threads=1, input_shape=SHAPE)
    quick = compiled(model, make, kernels=chosen, threads=threads, input_shape=SHAPE)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        indices = rng.integers(0, len(DATA[0]), 16)
        assert quick(DATA, indices) == slow(DATA, indices)
        if asks:  # draws from dropout's stream, as the other's step then must
            for one in (quick, slow):
                one.backward(DATA[0][:16], DATA[1][:16])
        room = all((~weight.mask).sum() > 3 for weight in model.prunable().values())
        masks = moved(model, rng, change if room else 0)
        quick.change_masks(masks)
        by_hand(slow, masks)
        assert quick.evaluate(DATA) == slow.evaluate(DATA)
    indices = rng.integers(0, len(DATA[0]), 16)
    assert quick(DATA, indices) == slow(DATA, indices)
    equal_bits(quick, slow)


@pytest.mark.parametrize("kernels", ["dense", "sparse"])
def test_masks_of_equal_size_change_without_a_fetch_or_a_new_program(kernels):
    model = masked(network(LAYERS, "layers", SHAPE), 0.3)
    step = compiled(model, kernels=kernels)
    step(DATA, np.arange(16))
    program, before, masks = step._program, step.weights(), moved(model, np.random.default_rng(1))
    step.change_masks(masks)
    assert step._ahead
    assert step._program is program
    for name, weight in step.weights().items():
        both = masks[name] & (before[name] != 0)
        np.testing.assert_array_equal(weight[both], before[name][both])
        assert not weight[~both].view(np.uint32).any()
    step(DATA, np.arange(16))
    assert step._program is program
    for name, weight in model.prunable().items():
        np.testing.assert_array_equal(weight.mask, masks[name])
        assert not weight.data[~masks[name]].view(np.uint32).any()


@settings(max_examples=25, deadline=None)
@given(
    blocks=st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=5),
    end=st.sampled_from(sorted(ENDS)),
    density=st.sampled_from([None, 0.0, 0.2, 1.0]),
    kernels=st.sampled_from(["dense", "sparse"]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    size=st.integers(12, 16),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
def test_dense_gradients_are_those_of_the_autograd(blocks, end, density, kernels, make, size, threads, seed):
    model = network(blocks, end, SHAPE, seed)
    if density is not None:
        masked(model, density, seed)
    step, eager = twins(
        model, make, kernels=kernels if density is not None else None, threads=threads, input_shape=SHAPE
    )
    for one in (step, eager):
        one(DATA, np.arange(16))
    eager.model.load_state_dict(model.state_dict())  # equal to the bit, so that no ReLU or maximum decides otherwise
    step.optimizer.zero_grad()
    step._take_over()
    step._ahead = True
    x, y = DATA[0][20 : 20 + size], DATA[1][20 : 20 + size]
    for _ in range(2):  # the first time makes room
        loss, gradients = step.backward(x, y)
        expected, found = eager.backward(x, y)
        assert step._ahead
        assert loss == pytest.approx(expected, rel=1e-4)
        assert gradients.keys() == found.keys()
        for name, gradient in found.items():
            np.testing.assert_allclose(gradients[name], gradient, rtol=1e-3, atol=1e-5 * max(1, np.abs(gradient).max()))
    for name, value in eager.model.state_dict().items():
        assert value.tobytes() == model.state_dict()[name].tobytes(), name


def test_asking_for_gradients_changes_no_bit_of_what_is_trained():
    asked, alone = (
        compiled(masked(network(LAYERS[:-1], "global", SHAPE), 0.3), "adam", kernels="sparse") for _ in "ab"
    )
    for start in (0, 16, 32):
        indices = np.arange(start, start + 16)
        assert asked(DATA, indices) == alone(DATA, indices)
        asked.gradients(DATA[0][:16], DATA[1][:16])
        assert asked.evaluate(DATA) == alone.evaluate(DATA)
    equal_bits(asked, alone)


def test_a_larger_batch_than_compiled_for_still_has_gradients():
    step = compiled(masked(network(LAYERS[:-1], "global", SHAPE), 0.3))
    step(DATA, np.arange(16))
    found = step.gradients(*DATA)
    expected = EagerStep(step.model, step.optimizer).gradients(*DATA)
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-4, atol=1e-6)


def test_only_who_asks_for_gradients_has_memory_for_them():
    step = compiled(masked(network(LAYERS, "layers", SHAPE), 0.3), kernels="sparse")
    step(DATA, np.arange(16))
    before = step._program.floats.size
    step.gradients(DATA[0][:16], DATA[1][:16])
    program = step._program
    weights = sum(weight.size for weight in step.model.prunable().values())
    turned = 16 * sum(-(-w.shape[1] // 16) * 16 for w in step.model.prunable().values() if w.ndim == 2)
    assert before < program.floats.size < before + weights + turned + 4000  # small blocks lie on lines of their own
    step.gradients(DATA[0][:16], DATA[1][:16])
    assert step._program is program
