"""SET, RigL and SNFS against loops over single weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyticket.errors import InputError
from tinyticket.prune import drop_fraction, rigl_masks, set_masks, snfs_masks
from tinyticket.prune.dynamic import shares

VALUES = st.sampled_from([-1.5, -1.0, -0.25, 0.0, 0.25, 1.0, 2.0])  # so that ties are the rule


@st.composite
def layers(draw):
    """Draw masks, weights under them, and scores of all places, for one to three layers."""
    weights, masks, scores = {}, {}, {}
    for name in "abc"[: draw(st.integers(1, 3))]:
        shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=7))
        masks[name] = draw(hnp.arrays(bool, shape))
        weights[name] = np.where(masks[name], draw(hnp.arrays(np.float32, shape, elements=VALUES)), np.float32(0))
        scores[name] = draw(hnp.arrays(np.float32, shape, elements=VALUES))
    return weights, masks, scores


def drop(weight, mask, fraction, among=None, round_down=False):
    """Drop weights one at a time: the smallest magnitude, of equal ones the last."""
    left, among = set(np.flatnonzero(mask)), set(np.flatnonzero(mask if among is None else among))
    for _ in range(math.floor(fraction * len(among) + (0 if round_down else 0.5))):
        gone = min(among, key=lambda i: (abs(weight.flat[i]), -i))
        left.discard(gone)
        among.discard(gone)
    return left


def grow(left, score, count):
    """Grow weights one at a time: the largest score among the empty places, of equal ones the first."""
    left = set(left)
    for _ in range(count):
        left.add(min(set(range(score.size)) - left, key=lambda i: (-abs(score.flat[i]), i)))
    return left


def places(mask):
    return set(np.flatnonzero(mask))


fractions = st.floats(0.05, 0.45)


@given(layers(), fractions)
def test_rigl_drops_the_smallest_and_grows_where_the_gradient_is_largest(drawn, fraction):
    weights, masks, gradients = drawn
    before = {name: mask.copy() for name, mask in masks.items()}
    for name, after in rigl_masks(weights, masks, gradients, fraction).items():
        left = drop(weights[name], masks[name], fraction)
        assert places(after) == grow(left, gradients[name], masks[name].sum() - len(left))
        assert after.sum() == masks[name].sum()
        np.testing.assert_array_equal(masks[name], before[name])


@given(layers(), fractions, st.integers(0, 99), st.booleans())
def test_set_drops_what_is_nearest_zero_and_keeps_its_size(drawn, fraction, seed, by_sign):
    weights, masks, _ = drawn
    moved = set_masks(weights, masks, fraction, seed, by_sign)
    for name, after in moved.items():
        mask, weight = masks[name], weights[name]
        left = drop(weight, mask, fraction)
        if by_sign:  # the largest negative and the smallest positive ones
            negative = mask & (weight < 0)
            left = drop(weight, negative, fraction) | drop(weight, mask & ~negative, fraction)
        assert left <= places(after)
        assert after.sum() == mask.sum()
    again = set_masks(weights, masks, fraction, np.random.default_rng(seed), by_sign)
    for name, after in moved.items():
        np.testing.assert_array_equal(after, again[name])


def test_set_grows_everywhere_alike_where_it_is_empty_then():
    weights = {"w": np.array([[3.0, 1.0, 2.0, 0.0, 0.0, 0.0]], np.float32)}
    masks = {"w": np.array([[True, True, True, False, False, False]])}
    rng, counts = np.random.default_rng(0), np.zeros(6)
    for _ in range(2000):
        counts += set_masks(weights, masks, 1 / 3, rng)["w"][0]
    assert counts[0] == counts[2] == 2000
    assert (abs(counts[[1, 3, 4, 5]] - 500) < 100).all()  # five standard deviations; what was dropped may come back


@given(layers(), fractions, st.booleans())
def test_snfs_grows_where_the_momentum_is_largest(drawn, fraction, redistribute):
    weights, masks, momentum = drawn
    moved = snfs_masks(weights, masks, momentum, fraction, redistribute)
    left = {name: drop(weights[name], mask, fraction) for name, mask in masks.items()}
    counts = {name: mask.sum() - len(left[name]) for name, mask in masks.items()}
    assert sum(after.sum() for after in moved.values()) == sum(mask.sum() for mask in masks.values())
    if redistribute:
        worth = {n: float(np.abs(momentum[n][m]).mean()) if m.any() else 0.0 for n, m in masks.items()}
        counts = shares(sum(counts.values()), worth, {n: m.size - len(left[n]) for n, m in masks.items()})
    for name, after in moved.items():
        assert places(after) == grow(left[name], momentum[name], counts[name])


def test_snfs_moves_weights_to_the_layer_whose_momentum_is_larger():
    masks = {name: np.arange(40).reshape(4, 10) % 2 == 0 for name in "ab"}
    weights = {name: np.where(mask, 1.0, 0.0) for name, mask in masks.items()}
    momentum = {"a": np.full((4, 10), 3.0), "b": np.full((4, 10), -1.0)}
    moved = snfs_masks(weights, masks, momentum, 0.2)
    assert [moved[name].sum() for name in "ab"] == [20 - 4 + 6, 20 - 4 + 2]
    assert [mask.sum() for mask in snfs_masks(weights, masks, momentum, 0.2, redistribute=False).values()] == [20, 20]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 1.0, 3.0]), st.integers(0, 20)), min_size=1, max_size=5),
    st.floats(0, 1),
)
def test_shares_add_up_fit_and_are_fair(parts, filled):
    worth = {str(i): value for i, (value, _) in enumerate(parts)}
    room = {str(i): places for i, (_, places) in enumerate(parts)}
    total = math.floor(filled * sum(room.values()))
    given_ = shares(total, worth, room)
    assert sum(given_.values()) == total
    assert all(0 <= given_[name] <= room[name] for name in room)
    open_ = [name for name in room if given_[name] < room[name]]
    for one in open_:
        for other in open_:  # whoever is not full has his share to less than a whole weight more than the other
            if worth[one] > worth[other]:
                assert given_[one] >= given_[other]


def test_nothing_to_choose_by_is_an_even_choice():
    assert shares(7, {"a": 0.0, "b": 0.0}, {"a": 10, "b": 10}) == {"a": 4, "b": 3}
    assert shares(9, {"a": 1.0, "b": 0.0}, {"a": 4, "b": 10}) == {"a": 4, "b": 5}
    with pytest.raises(InputError, match="9 weights cannot grow where there are 8"):
        shares(9, {"a": 1.0}, {"a": 8})


def test_the_fraction_dropped_falls_along_a_cosine():
    assert drop_fraction(0, 100) == 0.3
    assert drop_fraction(50, 100) == pytest.approx(0.15)
    assert drop_fraction(25, 100, 0.4) == pytest.approx(0.2 * (1 + math.sqrt(0.5)))
    assert drop_fraction(100, 100) == drop_fraction(1000, 100) == 0
    values = [drop_fraction(t, 1000) for t in range(1001)]
    assert values == sorted(values, reverse=True)


def test_a_fraction_of_zero_moves_nothing():
    weights, masks = {"w": np.eye(4)}, {"w": np.eye(4, dtype=bool)}
    moved = rigl_masks(weights, masks, {"w": np.ones((4, 4))}, 0.1)  # floor(0.1 * 4 + 1/2) = 0
    np.testing.assert_array_equal(moved["w"], masks["w"])


WEIGHTS, MASKS = {"w": np.eye(4)}, {"w": np.eye(4, dtype=bool)}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: set_masks(WEIGHTS, MASKS, 1.0, 0), "between 0 and 1"),
        (lambda: set_masks(WEIGHTS, {"v": MASKS["w"]}, 0.3, 0), "masks are given for"),
        (lambda: rigl_masks(WEIGHTS, {"w": np.eye(4)}, WEIGHTS, 0.3), "must be boolean"),
        (lambda: rigl_masks(WEIGHTS, MASKS, {"w": np.ones((4, 3))}, 0.3), "shape"),
        (lambda: rigl_masks(WEIGHTS, MASKS, {"w": np.full((4, 4), np.nan)}, 0.3), "not a number"),
        (lambda: snfs_masks(WEIGHTS, MASKS, {}, 0.3), "masks are given for"),
        (lambda: drop_fraction(0, 0), "an end after it"),
        (lambda: drop_fraction(0, 10, 1.0), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
