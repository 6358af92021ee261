"""Criteria of trained weights against their formulas, one weight at a time, and the masks made of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.prune.criteria import CRITERIA, prune_by

FORMULAS = {
    "large_final": lambda f, i: abs(f),
    "small_final": lambda f, i: -abs(f),
    "large_init": lambda f, i: abs(i),
    "small_init": lambda f, i: -abs(i),
    "magnitude_increase": lambda f, i: abs(f) - abs(i),
    "movement": lambda f, i: abs(f - i),
    "large_final_same_sign": lambda f, i: abs(f) if f * i > 0 else 0.0,
    "large_final_diff_sign": lambda f, i: abs(f) if f * i < 0 else 0.0,
    "magnitude_increase_same_sign": lambda f, i: abs(f) - abs(i) if f * i > 0 else 0.0,
    "magnitude_increase_diff_sign": lambda f, i: abs(f) - abs(i) if f * i < 0 else 0.0,
}
QUADRANTS = {"large_init_large_final": abs, "small_init_small_final": lambda w: -abs(w)}


def trained(seed=0, shapes=(("a", (6, 5)), ("b", (4, 3, 2, 2)))):
    rng = np.random.default_rng(seed)
    initial = {name: rng.standard_normal(shape) for name, shape in shapes}
    return {name: weight + rng.standard_normal(weight.shape) for name, weight in initial.items()}, initial


def test_every_criterion_is_checked_here():
    assert set(FORMULAS) | set(QUADRANTS) == set(CRITERIA)


@pytest.mark.parametrize("name", FORMULAS)
def test_scores_are_the_formula_of_each_weight(name):
    final, initial = trained()
    scores = CRITERIA[name](final["a"].ravel(), initial["a"].ravel())
    expected = [FORMULAS[name](f, i) for f, i in zip(final["a"].flat, initial["a"].flat, strict=True)]
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_the_survivors_with_the_largest_scores_stay(name, scope):
    final, initial = trained()
    masks = prune.random_masks({"a": (6, 5), "b": (4, 3, 2, 2)}, 0.7, rng=1)
    kept = prune_by(name, final, initial, masks, 0.4, scope)
    scored = [
        (FORMULAS[name](final[layer][place], initial[layer][place]), -number, layer, place)
        for number, (layer, place) in enumerate(
            (layer, place) for layer in masks for place in np.ndindex(masks[layer].shape)
        )
        if masks[layer][place]
    ]
    groups = [scored] if scope == "global" else [[row for row in scored if row[2] == layer] for layer in masks]
    expected = {layer: np.zeros(mask.shape, bool) for layer, mask in masks.items()}
    for group in groups:
        for _, _, layer, place in sorted(group, reverse=True)[: len(group) - math.floor(0.4 * len(group) + 0.5)]:
            expected[layer][place] = True
    for layer in masks:
        np.testing.assert_array_equal(kept[layer], expected[layer])


@pytest.mark.parametrize("name", QUADRANTS)
@pytest.mark.parametrize("fraction", [0.1, 0.35, 0.5, 0.8])
def test_the_combined_criteria_cut_both_ends_at_one_percentile(name, fraction):
    """The definition by thresholds: both magnitudes above the q-th of their sorted values, q being what meets the count."""
    final, initial = trained(3, (("a", (20, 10)),))
    kept = prune_by(name, final, initial, fraction=fraction)["a"].ravel()
    f, i = (QUADRANTS[name](weight["a"].ravel()) for weight in (final, initial))
    stays = lambda q: (f >= np.sort(f)[q]) & (i >= np.sort(i)[q])  # noqa: E731
    by_threshold = [set(np.flatnonzero(stays(q))) for q in range(200)]
    mine = set(np.flatnonzero(kept))
    smaller = max((one for one in by_threshold if len(one) <= len(mine)), key=len)
    larger = min((one for one in by_threshold if len(one) >= len(mine)), key=len)
    assert smaller <= mine <= larger
    assert len(larger) - len(smaller) <= 2  # one percentile holds at most two weights
    assert len(mine) == 200 - math.floor(fraction * 200 + 0.5)


@pytest.mark.parametrize("name", QUADRANTS)
def test_the_scale_between_initial_and_final_magnitudes_does_not_matter(name):
    final, initial = trained()
    scaled = {layer: 1000 * weight for layer, weight in final.items()}
    for layer, mask in prune_by(name, final, initial, fraction=0.5).items():
        np.testing.assert_array_equal(mask, prune_by(name, scaled, initial, fraction=0.5)[layer])


@pytest.mark.parametrize("name", [*CRITERIA, "random"])
@pytest.mark.parametrize("scope", ["layer", "global"])
@given(seed=st.integers(0, 1000), fraction=st.floats(0.05, 0.95))
def test_counts_are_exact_and_what_is_pruned_stays_pruned(name, scope, seed, fraction):
    final, initial = trained(seed)
    masks = prune.random_masks({"a": (6, 5), "b": (4, 3, 2, 2)}, 0.6, rng=seed)
    pieces = masks if scope == "layer" else {"all": np.concatenate([mask.ravel() for mask in masks.values()])}
    kept = prune_by(name, final, initial, masks, fraction, scope, rng=0)
    after = kept if scope == "layer" else {"all": np.concatenate([mask.ravel() for mask in kept.values()])}
    for layer, mask in pieces.items():
        assert after[layer].sum() == mask.sum() - math.floor(fraction * mask.sum() + 0.5)
        assert not (after[layer] & ~mask).any()


def test_large_final_is_magnitude_pruning():
    final, initial = trained()
    for layer, mask in prune.magnitude(final, fraction=0.3).items():
        np.testing.assert_array_equal(prune_by("large_final", final, initial, fraction=0.3)[layer], mask)


def test_of_equal_scores_the_higher_index_goes():
    ones = {"a": np.ones(6)}
    for name in CRITERIA:
        assert prune_by(name, ones, ones, fraction=0.5)["a"].tolist() == [True] * 3 + [False] * 3, name


def test_pruned_weights_take_no_part_in_percentiles():
    final, initial = trained()
    masks = {layer: np.abs(weight) > 0.5 for layer, weight in initial.items()}
    zeroed = {layer: np.where(masks[layer], weight, 0) for layer, weight in initial.items()}
    for layer, mask in prune_by("large_init_large_final", final, initial, masks, 0.5).items():
        np.testing.assert_array_equal(mask, prune_by("large_init_large_final", final, zeroed, masks, 0.5)[layer])


def test_a_criterion_may_be_a_function_of_ones_own():
    final, initial = trained()
    kept = prune_by(lambda final, initial: -final, final, initial, fraction=0.5)["a"]
    assert final["a"][kept].max() < final["a"][~kept].min()


def test_random_draws_are_repeated_by_their_seed():
    final, initial = trained()
    first, second, other = (prune_by("random", final, initial, rng=seed)["a"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


FINAL = {"a": np.ones((2, 3))}


@pytest.mark.parametrize(
    ("criterion", "final", "initial", "masks", "words"),
    [
        ("large_finl", FINAL, FINAL, None, "no criterion is called 'large_finl' .did you mean 'large_final'"),
        ("random", FINAL, FINAL, None, "needs rng"),
        ("movement", FINAL, {}, None, "initial weight of a is missing"),
        ("movement", FINAL, {"a": np.ones(3)}, None, r"initial weight of a has shape \(3,\)"),
        ("movement", FINAL, FINAL, {}, "mask of a is missing"),
        ("movement", FINAL, FINAL, {"a": np.ones((2, 3))}, "mask of a is missing, or not boolean"),
        ("movement", FINAL, {"a": np.full((2, 3), np.nan)}, None, "a has a weight that is not a number"),
        ("large_init_large_final", FINAL, {"a": np.full((2, 3), np.nan)}, None, "not a number"),
    ],
)
def test_bad_input_is_named(criterion, final, initial, masks, words):
    with pytest.raises(InputError, match=words):
        prune_by(criterion, final, initial, masks)


# -- ties


def flipped_in_few():
    """Return trained and initial weights of a 30 x 40 layer, of which one in ten changed its sign."""
    rng = np.random.default_rng(5)
    initial = rng.standard_normal((30, 40))
    return {"w": np.where(rng.random((30, 40)) < 0.1, -1, 1) * initial}, {"w": initial}


@pytest.mark.parametrize("criterion", prune.TIED)
def test_random_ties_leave_the_order_of_scores_and_make_no_rows(criterion):
    """Against lists that are sorted: all above the last score stay, and of its equals as many as are missing, anywhere."""
    final, initial = flipped_in_few()
    if criterion.startswith("magnitude"):
        final["w"] *= 1.5
    scores = CRITERIA[criterion](final["w"], initial["w"]).ravel()
    bar = sorted(scores, reverse=True)[599]
    kept = prune_by(criterion, final, initial, fraction=0.5, ties="random", rng=0)["w"]
    assert kept.sum() == 600
    assert all(kept.ravel()[scores > bar])
    assert not any(kept.ravel()[scores < bar])
    assert kept.sum(axis=1).min() > 8
    by_index = prune_by(criterion, final, initial, fraction=0.5)["w"]
    assert by_index.sum(axis=1)[:13].min() == 40  # the structure that random ties avoid
    again, other = (prune_by(criterion, final, initial, fraction=0.5, ties="random", rng=seed)["w"] for seed in (0, 1))
    np.testing.assert_array_equal(kept, again)
    assert (kept != other).any()


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_without_ties_their_breaking_changes_nothing(scope):
    final, initial = trained()
    masks = prune.random_masks({"a": (6, 5), "b": (4, 3, 2, 2)}, 0.7, rng=1)
    first, second = (
        prune_by("movement", final, initial, masks, 0.4, scope, rng=0, ties=ties) for ties in ("index", "random")
    )
    for name in masks:
        np.testing.assert_array_equal(first[name], second[name])


def test_ties_are_broken_between_layers_too():
    even = {"a": np.ones((10, 10)), "b": np.ones((10, 10))}
    kept = prune_by("large_final", even, even, fraction=0.5, scope="global", ties="random", rng=0)
    assert kept["a"].sum() + kept["b"].sum() == 100
    assert 30 < kept["b"].sum() < 70


@pytest.mark.parametrize(
    ("wrong", "words"), [({"ties": "random"}, "random ties need rng"), ({"ties": "toss"}, "broken by index or random")]
)
def test_ties_without_a_generator_or_of_an_unknown_kind_are_refused(wrong, words):
    final, initial = trained()
    with pytest.raises(InputError, match=words):
        prune_by("large_final", final, initial, **wrong)
