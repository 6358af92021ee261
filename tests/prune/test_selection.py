"""Removing an exact number of the smallest scores."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyticket.errors import InputError
from tinyticket.prune import keep_largest
from tinyticket.prune.selection import SAMPLED, all_but_smallest, largest

FEW_VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0])  # so that ties are the rule


@st.composite
def layers(draw):
    """Draw scores full of ties, and masks that have pruned some of them already."""
    scores, masks = {}, {}
    for name in "abc"[: draw(st.integers(1, 3))]:
        shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=6))
        scores[name] = draw(hnp.arrays(np.float32, shape, elements=FEW_VALUES))
        masks[name] = draw(hnp.arrays(bool, shape))
    return scores, masks


def by_hand(scores, mask, count):
    """Remove weights one at a time: the smallest score, of equal ones the last."""
    scores, kept = scores.ravel(), mask.ravel().copy()
    for _ in range(count):
        smallest = min(scores[i] for i in np.flatnonzero(kept))
        kept[max(i for i in np.flatnonzero(kept) if scores[i] == smallest)] = False
    return kept.reshape(mask.shape)


@given(layers(), st.floats(0.01, 0.99))
def test_each_layer_loses_exactly_its_count_smallest_first_and_later_ones_first_among_equals(drawn, fraction):
    scores, masks = drawn
    kept = keep_largest(scores, masks, fraction)
    for name, mask in masks.items():
        count = math.floor(fraction * mask.sum() + 0.5)
        assert kept[name].sum() == mask.sum() - count
        np.testing.assert_array_equal(kept[name], by_hand(scores[name], mask, count))


@given(layers(), st.floats(0.01, 0.99))
def test_in_global_scope_all_layers_together_lose_exactly_one_count(drawn, fraction):
    scores, masks = drawn
    together = np.concatenate([mask.ravel() for mask in masks.values()])
    count = math.floor(fraction * together.sum() + 0.5)
    kept = keep_largest(scores, masks, fraction, "global")
    assert [kept[name].shape for name in masks] == [mask.shape for mask in masks.values()]
    joined = np.concatenate([kept[name].ravel() for name in masks])
    assert joined.sum() == together.sum() - count
    np.testing.assert_array_equal(
        joined, by_hand(np.concatenate([s.ravel() for s in scores.values()]), together, count)
    )


@given(layers(), st.floats(0.01, 0.99), st.sampled_from(["layer", "global"]))
def test_masks_only_shrink_and_what_was_given_stays_as_it_was(drawn, fraction, scope):
    scores, masks = drawn
    before = [array.tobytes() for given in drawn for array in given.values()]
    kept = keep_largest(scores, masks, fraction, scope)
    assert not any((kept[name] & ~mask).any() for name, mask in masks.items())
    assert not any(np.shares_memory(kept[name], mask) for name, mask in masks.items() if mask.size)
    assert [array.tobytes() for given in drawn for array in given.values()] == before


def test_a_threshold_would_remove_more_than_the_count_where_scores_are_equal():
    """Removing all that is not above the k-th smallest score, as published code did, takes every one of the ties."""
    scores = {"a": np.array([3.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0])}
    threshold = np.sort(scores["a"])[1]
    assert (scores["a"] <= threshold).sum() == 4
    kept = keep_largest(scores, {"a": np.ones(10, bool)}, 0.2)["a"]
    assert np.flatnonzero(~kept).tolist() == [3, 4]


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_equal_scores_everywhere_keep_the_first(scope):
    kept = keep_largest({"a": np.ones((4, 5))}, {"a": np.ones((4, 5), bool)}, 0.25, scope)["a"]
    assert kept.ravel().tolist() == [True] * 15 + [False] * 5


def test_in_global_scope_a_tie_goes_to_the_later_layer():
    ones = {"first": np.ones(4), "second": np.ones(4)}
    masks = {name: np.ones(4, bool) for name in ones}
    kept = keep_largest(ones, masks, 0.5, "global")
    assert (kept["first"].sum(), kept["second"].sum()) == (4, 0)
    kept = keep_largest(dict(reversed(ones.items())), dict(reversed(masks.items())), 0.5, "global")
    assert (kept["first"].sum(), kept["second"].sum()) == (0, 4)


def test_global_scope_follows_the_masks_order_where_the_scores_have_another():
    scores = {"b": np.array([5.0, 6.0]), "a": np.array([1.0, 2.0])}
    masks = {"a": np.ones(2, bool), "b": np.ones(2, bool)}
    kept = keep_largest(scores, masks, 0.5, "global")
    assert (kept["a"].sum(), kept["b"].sum()) == (0, 2)


def test_global_scores_are_compared_as_they_are_and_not_normalised_by_layer():
    scores = {"small": np.array([0.1, 0.2, 0.3, 0.4]), "large": np.array([10.0, 20.0, 30.0, 40.0])}
    kept = keep_largest(scores, {name: np.ones(4, bool) for name in scores}, 0.5, "global")
    assert (kept["small"].sum(), kept["large"].sum()) == (0, 4)


@pytest.mark.parametrize("kind", ["drawn", "many zeros", "three values", "ascending", "a sample that misleads"])
@pytest.mark.parametrize("fraction", [0.0001, 0.28, 0.3, 0.9999, 1])
def test_of_many_scores_exactly_the_smallest_go(kind, fraction):
    rng = np.random.default_rng(0)
    scores = rng.random(3 * SAMPLED**2, np.float32)
    if kind == "many zeros":
        scores[rng.random(scores.size) < 0.29] = 0
    elif kind == "three values":
        scores = np.floor(3 * scores)
    elif kind == "ascending":
        scores.sort()
    elif kind == "a sample that misleads":
        scores[::SAMPLED] += 1
    count = round(fraction * scores.size)
    expected = np.ones(scores.size, bool)
    expected[np.lexsort((-np.arange(scores.size), scores))[:count]] = False
    np.testing.assert_array_equal(all_but_smallest(scores, count), expected)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_pruned_weights_do_not_count_among_the_smallest(scope):
    scores = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0])
    mask = np.array([False, False, False, True, True, True])
    kept = keep_largest({"a": scores}, {"a": mask}, 0.34, scope)["a"]
    assert np.flatnonzero(kept).tolist() == [4, 5]


def test_each_layer_may_have_its_own_fraction_and_zero_leaves_one_alone():
    scores = {name: np.arange(10.0) for name in "abc"}
    masks = {name: np.ones(10, bool) for name in "abc"}
    kept = keep_largest(scores, masks, {"a": 0.5, "b": 0.1, "c": 0})
    assert {name: int(mask.sum()) for name, mask in kept.items()} == {"a": 5, "b": 9, "c": 10}


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, math.nan, math.inf])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_fraction_outside_zero_and_one_is_refused(fraction, scope):
    with pytest.raises(InputError, match=f"between 0 and 1.*got {fraction}"):
        keep_largest({"a": np.ones(4)}, {"a": np.ones(4, bool)}, fraction, scope)


@pytest.mark.parametrize("fraction", [1, -0.1, 1.5, math.nan])
def test_so_is_one_of_a_single_layer(fraction):
    with pytest.raises(InputError, match=f"between 0 and 1.*got {fraction}"):
        keep_largest({"a": np.ones(4)}, {"a": np.ones(4, bool)}, {"a": fraction})


ONES, MASK = np.ones((2, 3)), np.ones((2, 3), bool)


@pytest.mark.parametrize(
    ("scores", "masks", "fraction", "scope", "words"),
    [
        ({"a": ONES}, {"b": MASK}, 0.5, "layer", r"masks are given for \['b'\], but the weights are \['a'\]"),
        ({"a": ONES, "b": ONES}, {"a": MASK}, 0.5, "global", r"\['a'\], but the weights are \['a', 'b'\]"),
        ({"a": ONES}, {"a": MASK.T}, 0.5, "layer", r"mask of a.*shape \(2, 3\), not bool of shape \(3, 2\)"),
        ({"a": ONES}, {"a": MASK.astype(int)}, 0.5, "layer", "mask of a must be boolean.*not int64"),
        (
            {"a": ONES},
            {"a": MASK},
            {"b": 0.5},
            "layer",
            r"fractions are given for \['b'\], but the weights are \['a'\]",
        ),
        ({"a": ONES}, {"a": MASK}, {"a": 0.5}, "global", "global scope all layers share one fraction"),
        ({"a": ONES}, {"a": MASK}, 0.5, "tensor", "'layer' or 'global', not 'tensor'"),
        ({"a": ONES * np.nan}, {"a": MASK}, 0.5, "layer", "a has a weight that is not a number"),
        ({"a": ONES, "b": ONES * np.nan}, {"a": MASK, "b": MASK}, 0.5, "global", "b has a weight that is not a number"),
    ],
)
def test_what_disagrees_is_named(scores, masks, fraction, scope, words):
    with pytest.raises(InputError, match=words):
        keep_largest(scores, masks, fraction, scope)


def test_a_nan_that_was_pruned_already_does_no_harm():
    kept = keep_largest({"a": np.array([np.nan, 1.0, 2.0])}, {"a": np.array([False, True, True])}, 0.5)
    assert kept["a"].tolist() == [False, False, True]


@given(
    st.integers(0, 2000), st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.03, 0.5, 1.0]), st.booleans(), st.integers(0, 99)
)
def test_the_largest_are_found_with_and_without_a_sample(size, share, ties, seed):
    scores = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    scores = np.round(scores) if ties else np.sort(scores) if seed % 2 else scores
    count = math.ceil(share * size)
    expected = sorted(sorted(range(size), key=lambda i: (-scores[i], i))[:count])
    assert largest(scores, count).tolist() == expected
