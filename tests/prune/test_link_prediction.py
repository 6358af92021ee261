"""CHT's link prediction against a walk along every path, or over every node between."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyticket.errors import InputError
from tinyticket.prune import ch2_l3n_scores, ch3_l3_scores, cht_masks, original_cht_masks, without_dead_ends

GRAPHS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))


def ch3_l3(links, u, v):
    """Walk along all paths u, c, r, v, of a neuron u and an input v, and add up what their inner nodes say."""
    neighbours = {}
    for r, c in zip(*np.nonzero(links), strict=True):
        neighbours.setdefault(("neuron", r), set()).add(("input", c))
        neighbours.setdefault(("input", c), set()).add(("neuron", r))
    ends = ("neuron", u), ("input", v)
    first, last = (neighbours.get(end, set()) for end in ends)
    paths = [(c, r) for c, r in itertools.product(first, last) if r in neighbours[c] and c != ends[1] and r != ends[0]]
    inner = set(itertools.chain(*paths))
    outside = {node: len(neighbours[node] - inner - set(ends)) for node in inner}
    return sum(1 / math.sqrt((1 + outside[c]) * (1 + outside[r])) for c, r in paths)


@given(GRAPHS)
def test_scores_are_sums_over_paths(links):
    scores = ch3_l3_scores(links)
    for u, v in np.ndindex(links.shape):
        assert scores[u, v] == pytest.approx(0 if links[u, v] else ch3_l3(links, u, v), rel=1e-12)


def ch2_l3n(links, u, v):
    """Add up what the nodes say that are linked to one end and share nodes with the other."""
    total = 0
    for graph, end, other in ((links, u, v), (links.T, v, u)):
        for r in np.flatnonzero(graph[:, other]):
            shared = sum(graph[r] & graph[end])
            if shared:
                elsewhere = sum(graph[r]) - shared - 1  # nor to the other end
                total += (1 + shared) / (1 + elsewhere)
    return total


@given(GRAPHS)
def test_scores_by_nodes_are_sums_over_nodes(links):
    scores = ch2_l3n_scores(links)
    for u, v in np.ndindex(links.shape):
        assert scores[u, v] == pytest.approx(0 if links[u, v] else ch2_l3n(links, u, v), rel=1e-12)


def test_a_path_counts_less_the_more_links_lead_away_from_it():
    links = np.zeros((4, 4), bool)
    links[[0, 1, 1], [0, 0, 1]] = True  # neuron 0 - input 0 - neuron 1 - input 1
    assert ch3_l3_scores(links)[0, 1] == 1
    links[1, 2:] = True  # two links of neuron 1 lead away
    assert ch3_l3_scores(links)[0, 1] == pytest.approx(1 / math.sqrt(3))


@given(GRAPHS, st.integers(0, 99), st.floats(0.1, 0.6), st.booleans())
def test_masks_keep_their_size_and_grow_what_scores_highest(mask, seed, fraction, soft):
    weights = {"a": np.random.default_rng(seed).normal(size=mask.shape) * mask}
    after = cht_masks(weights, {"a": mask}, fraction, seed, soft)["a"]
    dropped = math.floor(fraction * mask.sum() + 0.5)
    kept = sorted(zip(*np.nonzero(mask), strict=True), key=lambda at: -abs(weights["a"][at]))[: mask.sum() - dropped]
    left = np.zeros(mask.shape, bool)
    left[tuple(zip(*kept, strict=True)) or ([], [])] = True
    assert after.sum() == mask.sum()
    assert not (left & ~after).any()
    scores = ch3_l3_scores(left)
    grown, empty = after & ~left, ~after
    if grown.any() and empty.any():
        least = scores[grown].min()
        assert least > 0 or (scores[grown] > 0).sum() == (scores[~left] > 0).sum() or not soft
        assert soft or least >= scores[empty].max()


def test_the_soft_rule_draws_in_proportion_to_the_scores():
    mask = np.random.default_rng(1).random((4, 5)) < 0.4
    mask[0, 0] = True
    weights = {"a": np.where(mask, 1.0, 0)}
    weights["a"][0, 0] = 0.1  # which is dropped, and one link grows
    left = mask.copy()
    left[0, 0] = False
    scores, times, rng = ch3_l3_scores(left), 3000, np.random.default_rng(0)
    drawn = sum(cht_masks(weights, {"a": mask}, 1 / mask.sum(), rng, soft=True)["a"] & ~left for _ in range(times))
    wanted = times * scores / scores.sum()
    assert np.all(np.abs(drawn - wanted) <= 5 * np.sqrt(wanted))


def test_dead_ends_lose_their_links_as_far_back_and_forth_as_they_lead():
    first, second, third = np.ones((3, 2), bool), np.eye(3, dtype=bool), np.ones((2, 3), bool)
    third[:, 0] = False  # neuron 0 of the second layer leads nowhere, and so does neuron 0 of the first
    first[1] = False  # neuron 1 of the first layer has no input
    left = without_dead_ends({"first": first, "second": second, "third": third})
    assert left["first"].tolist() == [[False, False], [False, False], [True, True]]
    assert left["second"].tolist() == [[False] * 3, [False] * 3, [False, False, True]]
    assert left["third"].tolist() == [[False, False, True]] * 2
    assert first[0].all()  # what was given is not changed


def test_layers_that_do_not_follow_each_other_have_no_dead_ends():
    masks = {"conv": np.zeros((4, 2, 3, 3), bool), "a": np.ones((3, 4), bool), "b": np.ones((2, 5), bool)}
    for name, mask in without_dead_ends(masks).items():
        np.testing.assert_array_equal(mask, masks[name])


@given(st.integers(0, 99), st.floats(0.1, 0.6), st.floats(1, 3))
def test_the_authors_rule_keeps_sizes_and_drops_small_weights_more_often(seed, fraction, power):
    rng = np.random.default_rng(seed)
    masks = {"a": rng.random((8, 6)) < 0.4, "b": np.ones((3, 8), bool)}
    weights = {name: rng.normal(size=mask.shape) * mask for name, mask in masks.items()}
    before = {name: mask.copy() for name, mask in masks.items()}
    after = original_cht_masks(weights, masks, fraction, seed, power)
    assert after["b"].all()  # what is dense grows back
    assert after["a"].sum() == masks["a"].sum()
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, before[name])


@pytest.mark.parametrize("power", [1, 3])
def test_the_authors_rule_draws_what_stays_by_a_power_of_its_magnitude(power):
    masks = {"a": np.eye(4, dtype=bool)}  # no paths of three links: what grows is drawn evenly
    weights, rng, times = {"a": np.diag([1.0, 2.0, 3.0, 4.0])}, np.random.default_rng(0), 2000
    stays = sum(original_cht_masks(weights, masks, 0.75, rng, power)["a"].diagonal() for _ in range(times))
    wanted = np.arange(1, 5) ** power / (np.arange(1, 5) ** power).sum()
    by_chance = (1 - wanted) * 3 / 15  # of the one that is left out, as three of fifteen places grow
    assert np.all(np.abs(stays / times - wanted - by_chance) < 0.05)


def test_a_convolutions_places_are_inputs():
    rng = np.random.default_rng(2)
    mask = rng.random((6, 2, 3, 3)) < 0.3
    weights = {"a": rng.normal(size=mask.shape) * mask}
    flat = {"a": mask.reshape(6, 18)}, {"a": weights["a"].reshape(6, 18)}
    moved = cht_masks(weights, {"a": mask}, 0.3, 0)["a"]
    np.testing.assert_array_equal(moved.reshape(6, 18), cht_masks(flat[1], flat[0], 0.3, 0)["a"])


def test_what_is_no_graph_is_refused():
    for scores in (ch3_l3_scores, ch2_l3n_scores):
        with pytest.raises(InputError, match="boolean matrix"):
            scores(np.ones((2, 2)))
    with pytest.raises(InputError, match="between 0 and 1"):
        original_cht_masks({"a": np.ones((2, 2))}, {"a": np.ones((2, 2), bool)}, 1.0, 0)
    with pytest.raises(InputError, match="between 0 and 1"):
        cht_masks({"a": np.ones((2, 2))}, {"a": np.ones((2, 2), bool)}, 1.0, 0)
