"""SRigL against loops over single neurons and weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.prune import constant_fan_in_masks, rigl_masks, srigl_masks

VALUES = [0.0, 0.25, 0.25, 0.5, -1.0, 1.0, -2.0]  # so that ties are the rule


def layers(seed, shapes, densities):
    """Draw masks of constant fan-in, weights under them and gradients of all places."""
    rng = np.random.default_rng(seed)
    masks = constant_fan_in_masks(shapes, densities, rng)
    weights = {name: np.where(mask, rng.choice(VALUES, mask.shape), 0) for name, mask in masks.items()}
    return weights, masks, {name: rng.choice(VALUES, mask.shape) for name, mask in masks.items()}


def by_hand(weight, mask, gradient, fraction, salient, budget):
    """Follow the steps of the paper's section 3.1 for one linear layer, weight by weight."""
    neurons, inputs = mask.shape
    before = max(sum(row) for row in mask)
    alive = [row for row in range(neurons) if mask[row].any()]
    survivors = [(row, i) for row in range(neurons) for i in range(inputs) if mask[row, i]]
    dropped = math.floor(fraction * len(survivors) + 0.5)
    left = sorted(survivors, key=lambda at: (-abs(weight[at]), at))[: len(survivors) - dropped]
    places = [(row, i) for row in alive for i in range(inputs) if (row, i) not in left]
    worth = left + sorted(places, key=lambda at: (-abs(gradient[at]), at))[:dropped]
    stays = [row for row in alive if sum(at[0] == row for at in worth) >= salient * before]
    after = min(inputs, budget // len(stays))
    kept = set()
    for row in stays:
        own = {i for r, i in left if r == row}
        grown = sorted(set(range(inputs)) - own, key=lambda i, row=row: (-abs(gradient[row, i]), i))
        kept |= {(row, i) for i in [*own, *grown[: after - len(own)]]}
    return kept


@given(st.integers(0, 10**6), st.floats(0.05, 0.6), st.sampled_from([0, 0.3, 0.5, 0.9]), st.floats(0.1, 1))
def test_an_update_is_the_papers_neuron_by_neuron(seed, fraction, salient, density):
    shapes = {"a": (5, 6), "b": (3, 5)}
    weights, masks, gradients = layers(seed, shapes, dict.fromkeys(shapes, density))
    budget = {name: int(mask.sum()) for name, mask in masks.items()}
    for _ in range(3):  # neurons that were ablated before stay so
        moved = srigl_masks(weights, masks, gradients, fraction, salient, budget)
        for name, after in moved.items():
            share = salient if name == "a" else 0  # neurons of the last layer are the classes
            wanted = by_hand(weights[name], masks[name], gradients[name], fraction, share, budget[name])
            assert {(int(row), int(i)) for row, i in zip(*np.nonzero(after), strict=True)} == wanted
            assert len({*after.sum(axis=1)} - {0}) == 1
            assert not after[~masks[name].any(axis=1)].any()
            assert after.sum() <= budget[name]
        weights = {name: np.where(after, weights[name], 0) for name, after in moved.items()}
        masks = moved


def test_nothing_is_ablated_at_0_and_sizes_stay():
    weights, masks, gradients = layers(0, {"conv": (6, 3, 3, 3), "fc": (4, 6)}, {"conv": 0.3, "fc": 0.5})
    moved = srigl_masks(weights, masks, gradients, 0.3, salient=0)
    for name, after in moved.items():
        assert {*after.reshape(len(after), -1).sum(axis=1)} == {*masks[name].reshape(len(after), -1).sum(axis=1)}
    assert any((after != masks[name]).any() for name, after in moved.items())
    of_rigl = rigl_masks(weights, masks, gradients, 0.3)  # which drops the same and grows anywhere
    assert any((after != of_rigl[name]).any() for name, after in moved.items())


def test_a_neuron_of_small_weights_gives_its_own_to_the_others():
    weights = {"a": np.array([[5.0, 4, 0, 0], [0.1, 0.1, 0, 0], [3, 2, 0, 0]]), "b": np.ones((2, 3))}
    masks = {name: weight != 0 for name, weight in weights.items()}
    gradients = {"a": np.array([[0.0, 0, 1, 2], [0, 0, 0, 0], [0, 0, 2, 1]]), "b": np.zeros((2, 3))}
    moved = srigl_masks(weights, masks, gradients, 1 / 3, salient=0.5)
    assert moved["a"].astype(int).tolist() == [[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]]


def test_first_masks_have_the_fan_in_of_their_density():
    masks = constant_fan_in_masks({"a": (7, 2, 3, 3), "b": (5, 40)}, {"a": 0.01, "b": 0.3125}, 3)
    assert {*masks["a"].sum(axis=(1, 2, 3))} == {1}  # not none
    assert {*masks["b"].sum(axis=1)} == {13}  # a half is rounded up
    assert len({row.tobytes() for row in masks["b"]}) == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fraction": 1.0}, "between 0 and 1"),
        ({"salient": 1.0}, "from 0 to below 1; got 1.0"),
        ({"budget": {"a": 3, "b": 3}}, "a: 4 weights do not fit into a budget of 3"),
        ({"masks": {"a": np.array([[True, True], [True, False]]), "b": np.ones((2, 2), bool)}}, "not 1 to 2"),
        ({"gradients": {"a": np.full((2, 2), np.nan), "b": np.ones((2, 2))}}, "not a number"),
        ({"gradients": {"a": np.ones((2, 2))}}, "b has no gradient"),
    ],
)
def test_what_cannot_be_moved_is_refused(changes, words):
    given = {"weights": {name: np.ones((2, 2)) for name in "ab"}, "fraction": 0.3}
    given |= {"masks": {name: np.ones((2, 2), bool) for name in "ab"}, "gradients": given["weights"]}
    with pytest.raises(InputError, match=words):
        srigl_masks(**{**given, **changes})
