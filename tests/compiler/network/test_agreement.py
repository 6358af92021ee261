"""Compiled networks against eager ones, step by step, on architectures that nobody has thought of."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tests.compiler.networks import (
    BLOCKS,
    ENDS,
    OPTIMIZERS,
    assert_equal_to_rounding,
    examples,
    masked,
    network,
    stable,
    twins,
)


@settings(max_examples=40, deadline=None)
@given(
    blocks=st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=6),
    end=st.sampled_from(sorted(ENDS)),
    shape=st.tuples(st.integers(1, 4), st.integers(4, 11), st.integers(4, 11)),
    density=st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    kernels=st.sampled_from(["dense", "sparse", None]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    batches=st.lists(st.integers(12, 35), min_size=1, max_size=3),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
def test_steps_agree_with_eager_ones_to_rounding(blocks, end, shape, density, kernels, make, batches, threads, seed):
    model = network(blocks, end, shape, seed)
    if density is not None:
        masked(model, density, seed)
    untrained = copy.deepcopy(model)
    step, eager = twins(model, make, 35, threads=threads, kernels=kernels, input_shape=shape)
    (x, y), order = examples(shape, seed=seed), np.random.default_rng(seed)
    chosen = [order.integers(0, len(x), size) for size in batches]
    for indices in chosen:
        assert step((x, y), indices) == pytest.approx(eager((x, y), indices), rel=1e-3, abs=1e-5)
    # Adam's first steps are as long as the learning rate whatever the gradient, down to one that is all rounding.
    tolerance = 1e-3 * len(batches) * 2.5 if make == "adam" else 2e-4
    try:
        assert_equal_to_rounding(step.model, eager.model, tolerance)
    except AssertionError:
        assume(stable(untrained, make, x, y, chosen, tolerance))
        raise
    assert step.evaluate((x, y))[0] == pytest.approx(eager.evaluate((x, y))[0], rel=2e-2)
    for weight in model.prunable().values():
        if density is not None:
            assert not weight.data[~weight.mask].view(np.uint32).any()


@pytest.mark.parametrize("kernels", ["dense", "sparse"])
@pytest.mark.parametrize(
    ("name", "shape", "make"),
    [
        ("conv-2", (3, 8, 8), "adam"),
        ("conv-2-dropout", (3, 8, 8), "momentum"),
        ("lenet-5", (1, 28, 28), "adam"),
        ("resnet-20", (3, 8, 8), "momentum"),
        ("resnet-8-identity", (3, 8, 8), "nesterov"),
        ("vgg-11", (3, 16, 16), "sgd"),
    ],
)
def test_the_library_s_models_agree_and_evaluate_alike(name, shape, make, kernels):
    # A seed that puts no number so close to a ReLU's corner that rounding decides on which side it falls.
    model = masked(tt.models.create(name, shape, classes=4, rng=2), 0.4)
    step, eager = twins(model, make, 20, kernels=kernels, threads=2)
    data = examples(shape)
    for start in (0, 20, 40):
        indices = np.arange(start, start + 20 - start // 10)
        assert step(data, indices) == pytest.approx(eager(data, indices), rel=2e-3)
    assert step.evaluate(data)[0] == pytest.approx(eager.evaluate(data)[0], rel=1e-2)
    assert_equal_to_rounding(model, eager.model, 8e-3 if make == "adam" else 1e-3)
