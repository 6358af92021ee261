"""Distances between masks, counted place by place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.prune import expected_overlap, hamming_distance, overlap

LAYERS = {"a": (3, 4), "b": (2, 2, 2)}
MASKS = st.fixed_dictionaries({name: hnp.arrays(bool, shape) for name, shape in LAYERS.items()})


@given(MASKS, MASKS)
def test_distance_and_overlap_are_counts_of_places(a, b):
    pairs = [pair for name in LAYERS for pair in zip(a[name].ravel().tolist(), b[name].ravel().tolist(), strict=True)]
    assert hamming_distance(a, b) == sum(x != y for x, y in pairs) / 20
    union = sum(x or y for x, y in pairs)
    assert overlap(a, b) == (sum(x and y for x, y in pairs) / union if union else 1.0)
    assert hamming_distance(a, b) == hamming_distance(b, a)
    assert overlap(a, b) == overlap(b, a)


@given(MASKS)
def test_a_mask_is_itself_and_as_far_as_can_be_from_its_opposite(a):
    opposite = {name: ~mask for name, mask in a.items()}
    assert (hamming_distance(a, a), overlap(a, a)) == (0, 1)
    assert (hamming_distance(a, opposite), overlap(a, opposite)) == (1, 0)


def test_random_masks_overlap_as_expected():
    shapes = {"a": (50, 40), "b": (30, 20)}
    a, b = prune.random_masks(shapes, {"a": 0.1, "b": 0.5}, 0), prune.random_masks(shapes, {"a": 0.3, "b": 0.5}, 1)
    rng = np.random.default_rng(2)
    drawn = [overlap(prune.random(a, rng), prune.random(b, rng)) for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(expected_overlap(a, b), abs=4 * np.std(drawn) / 20 + 1e-3)
    assert expected_overlap(a, b) == pytest.approx((60 + 150) / (200 + 600 + 300 + 300 - 210))


def test_chance_gives_full_masks_and_empty_masks_full_overlap():
    full, empty = {"a": np.ones(4, bool)}, {"a": np.zeros(4, bool)}
    assert expected_overlap(full, full) == expected_overlap(empty, empty) == 1
    assert expected_overlap(full, empty) == 0


@pytest.mark.parametrize("distance", [hamming_distance, overlap, expected_overlap])
@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ({"a": np.ones(2, bool)}, {"b": np.ones(2, bool)}, r"same layers; got \['a'\] and \['b'\]"),
        ({"a": np.ones(2, bool)}, {"a": np.ones(3, bool)}, r"those of a are bool \(2,\) and bool \(3,\)"),
        ({"a": np.ones(2)}, {"a": np.ones(2)}, "boolean of one shape"),
        ({}, {}, "at least one weight"),
    ],
)
def test_masks_that_cannot_be_compared_are_refused(distance, a, b, words):
    with pytest.raises(InputError, match=words):
        distance(a, b)
