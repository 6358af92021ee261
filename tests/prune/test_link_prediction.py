"""CHT's link prediction against a walk along every path."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyticket.errors import InputError
from tinyticket.prune import ch3_l3_scores, cht_masks

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


def test_a_convolutions_places_are_inputs():
    rng = np.random.default_rng(2)
    mask = rng.random((6, 2, 3, 3)) < 0.3
    weights = {"a": rng.normal(size=mask.shape) * mask}
    flat = {"a": mask.reshape(6, 18)}, {"a": weights["a"].reshape(6, 18)}
    moved = cht_masks(weights, {"a": mask}, 0.3, 0)["a"]
    np.testing.assert_array_equal(moved.reshape(6, 18), cht_masks(flat[1], flat[0], 0.3, 0)["a"])


def test_what_is_no_graph_is_refused():
    with pytest.raises(InputError, match="boolean matrix"):
        ch3_l3_scores(np.ones((2, 2)))
    with pytest.raises(InputError, match="between 0 and 1"):
        cht_masks({"a": np.ones((2, 2))}, {"a": np.ones((2, 2), bool)}, 1.0, 0)
