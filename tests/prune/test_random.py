"""Random masks: as many survivors in every layer, other ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyticket import prune


@given(
    st.dictionaries(st.sampled_from("abcd"), hnp.arrays(bool, hnp.array_shapes(max_dims=3, max_side=7)), min_size=1),
    st.integers(0, 2**32),
)
def test_every_layer_keeps_its_count_and_shape_and_the_masks_given_stay(masks, seed):
    before = {name: mask.tobytes() for name, mask in masks.items()}
    drawn = prune.random(masks, seed)
    for name, mask in masks.items():
        assert (drawn[name].shape, drawn[name].dtype, drawn[name].sum()) == (mask.shape, bool, mask.sum())
    assert {name: mask.tobytes() for name, mask in masks.items()} == before
    assert list(drawn) == list(masks)


MASK = {"a": np.arange(1000).reshape(20, 50) < 100}


def test_the_survivors_are_others_than_the_given_ones():
    kept_in_both = (prune.random(MASK, 0)["a"] & MASK["a"]).sum()
    assert 0 < kept_in_both < 25  # 10 are expected by chance, with a standard deviation of 2.8


def test_the_same_generator_state_draws_the_same_masks_and_another_does_not():
    assert np.array_equal(prune.random(MASK, 3)["a"], prune.random(MASK, np.random.default_rng(3))["a"])
    assert not np.array_equal(prune.random(MASK, 3)["a"], prune.random(MASK, 4)["a"])


def test_layers_of_equal_shape_get_masks_of_their_own():
    drawn = prune.random({"a": MASK["a"], "b": MASK["a"]}, 0)
    assert not np.array_equal(drawn["a"], drawn["b"])


def test_every_place_is_equally_likely():
    rng = np.random.default_rng(0)
    mask = {"a": np.arange(20) < 5}
    counts = sum(prune.random(mask, rng)["a"].astype(int) for _ in range(4000))
    assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75))  # five standard deviations


def test_masks_of_given_densities_keep_exact_counts_of_each_layer():
    shapes = {"a": (30, 20), "b": (7, 3, 2, 2)}
    assert {n: int(m.sum()) for n, m in prune.random_masks(shapes, 0.25, 0).items()} == {"a": 150, "b": 21}
    densities = prune.erdos_renyi_kernel(shapes, 0.2)
    for name, mask in prune.random_masks(shapes, densities, 0).items():
        assert (mask.shape, mask.sum()) == (shapes[name], int(densities[name] * mask.size + 0.5))


def test_masks_of_given_densities_are_uniform_and_repeated_by_their_seed():
    rng = np.random.default_rng(0)
    counts = sum(prune.random_masks({"a": (20,)}, 0.25, rng)["a"].astype(int) for _ in range(4000))
    assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75))
    assert np.array_equal(*(prune.random_masks({"a": (40,)}, 0.5, 7)["a"] for _ in range(2)))
