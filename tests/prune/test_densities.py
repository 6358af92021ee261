"""Densities: shared among layers as published, met to the weight."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.prune import allocate, collapsed, erdos_renyi_kernel, keep_density

LENET = {"fc1": (300, 784), "fc2": (100, 300), "output": (10, 100)}
CONV = {"conv1": (64, 3, 3, 3), "conv2": (128, 64, 3, 3), "output": (10, 128)}


def by_bisection(shapes, density):
    """ERK from its definition: min(1, s * sum / product) with the s that gives the density, found by halving."""
    low, high = 0.0, 1e6
    for _ in range(200):
        scale = (low + high) / 2
        shares = {name: min(1.0, scale * sum(shape) / math.prod(shape)) for name, shape in shapes.items()}
        found = sum(shares[name] * math.prod(shape) for name, shape in shapes.items())
        low, high = (scale, high) if found < density * sum(map(math.prod, shapes.values())) else (low, scale)
    return shares


@pytest.mark.parametrize("shapes", [LENET, CONV])
@pytest.mark.parametrize("density", [0.01, 0.1, 0.3, 0.6, 0.9, 0.99])
def test_erk_is_its_definition(shapes, density):
    assert erdos_renyi_kernel(shapes, density) == pytest.approx(by_bisection(shapes, density), rel=1e-9)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.integers(1, 30), min_size=2, max_size=4).map(tuple), min_size=1
    ),
    st.floats(0.001, 1),
)
def test_erk_has_the_networks_density_and_no_layer_above_one(shapes, density):
    shares = erdos_renyi_kernel(shapes, density)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    assert sum(shares[name] * size for name, size in sizes.items()) == pytest.approx(density * sum(sizes.values()))
    assert all(0 < share <= 1 for share in shares.values())


def test_erk_makes_small_layers_dense_and_keeps_the_order_of_the_layers():
    shares = erdos_renyi_kernel(LENET, 0.2)
    assert list(shares) == list(LENET)
    assert shares["output"] == 1
    assert shares["fc1"] < shares["fc2"] < 1


def test_allocations_by_name_and_by_layer():
    assert allocate(LENET, 0.25) == 0.25
    assert allocate(LENET, 0.25, "uniform") == {"fc1": 0.25, "fc2": 0.25, "output": 0.25}
    assert allocate(LENET, 0.25, "uniform-first-dense") == {"fc1": 1.0, "fc2": 0.25, "output": 0.25}
    assert allocate(LENET, 0.25, "uniform-last-dense") == {"fc1": 0.25, "fc2": 0.25, "output": 1.0}
    assert allocate(LENET, 0.25, "erk") == erdos_renyi_kernel(LENET, 0.25)
    shares = {"a": 0.1, "b": 0.7}
    assert allocate({"a": (10, 10), "b": (10, 5)}, 0.3, shares) == shares


SCORES = st.integers(0, 2**32).map(
    lambda seed: {
        name: np.random.default_rng(seed).integers(0, 5, shape) for name, shape in CONV.items() if name != "conv2"
    }
)


@given(SCORES, st.floats(0.01, 1))
def test_all_layers_together_keep_exactly_the_density(scores, density):
    masks = keep_density(scores, density)
    kept, flat = (np.concatenate([part.ravel() for part in parts.values()]) for parts in (masks, scores))
    count = math.floor(density * flat.size + 0.5)
    expected = sorted(range(flat.size), key=lambda i: (-flat[i], i))[:count]
    assert sorted(expected) == np.flatnonzero(kept).tolist()


@given(SCORES, st.floats(0.01, 1))
def test_so_does_each_layer_by_itself(scores, density):
    densities = {"conv1": density, "output": 1 - density / 2}
    for name, mask in keep_density(scores, densities).items():
        flat = scores[name].ravel()
        count = math.floor(densities[name] * flat.size + 0.5)
        expected = sorted(range(flat.size), key=lambda i: (-flat[i], i))[:count]
        assert sorted(expected) == np.flatnonzero(mask).tolist()


def test_what_was_pruned_stays_pruned_and_counts_in_the_density():
    mask = np.array([False, False, True, True, True, True, True, True])
    kept = keep_density({"a": np.arange(8, 0, -1)}, 0.5, {"a": mask})["a"]
    assert np.flatnonzero(kept).tolist() == [2, 3, 4, 5]


def test_layers_without_survivors_have_collapsed():
    assert collapsed({"a": np.zeros((2, 2), bool), "b": np.array([False, True])}) == ["a"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: allocate(LENET, 0), "above 0 and at most 1; got 0"),
        (lambda: allocate(LENET, 1.5, "erk"), "got 1.5"),
        (lambda: allocate(LENET, math.nan), "got nan"),
        (lambda: allocate(LENET, 0.1, "erkk"), "no allocation of densities is called 'erkk' .did you mean 'erk'"),
        (lambda: allocate(LENET, 0.1, {"fc1": 0.1}), r"densities are given for \['fc1'\], but the weights are"),
        (lambda: allocate(LENET, 0.1, dict.fromkeys(LENET, 0.2)), "amount to 0.2 of the network, not to 0.1"),
        (lambda: keep_density({"a": np.ones(10)}, 0.01), "keep none of the 10 weights of the network"),
        (lambda: keep_density({"a": np.ones(10)}, {"a": 0.01}), "keep none of the 10 weights of a"),
        (lambda: keep_density({"a": np.ones(10)}, {"b": 0.1}), r"given for \['b'\], but the weights are \['a'\]"),
        (
            lambda: keep_density({"a": np.ones(4)}, 0.9, {"a": np.arange(4) < 2}),
            "keeps 4 weights of the network, but only 2 of 4 survive",
        ),
        (lambda: keep_density({"a": np.full(4, np.nan)}, 0.5), "not a number"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
