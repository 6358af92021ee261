"""The paper's criterion: what ended large stays, whatever its sign."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.prune.lenet import FRACTIONS, PERCENT_LEFT, SHAPES, WEIGHTS
from tinyticket.errors import InputError
from tinyticket.prune import magnitude


def test_large_negative_weights_survive_as_positive_ones_do():
    weights = {"a": np.array([-5.0, 4.0, -0.1, 0.2, -3.0, 0.3])}
    assert magnitude(weights, fraction=0.5)["a"].tolist() == [True, True, False, False, True, False]


@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-2, 2, width=32)), st.floats(0.05, 0.95))
def test_signs_do_not_matter(weights, fraction):
    masks = [magnitude({"a": signed}, fraction=fraction)["a"] for signed in (weights, -weights, np.abs(weights))]
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


def test_minus_zero_ties_with_zero_and_opposite_signs_tie_with_each_other():
    zeros = {"a": np.array([0.0, -0.0, 0.0, -0.0])}
    assert magnitude(zeros, fraction=0.5)["a"].tolist() == [True, True, False, False]
    opposites = {"a": np.array([-1.0, 1.0, -1.0, 1.0])}
    assert magnitude(opposites, fraction=0.5)["a"].tolist() == [True, True, False, False]


def test_infinite_weights_are_the_largest():
    assert magnitude({"a": np.array([-np.inf, 1.0, 2.0, np.inf])}, fraction=0.5)["a"].tolist() == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("shape", [(12,), (3, 4), (3, 2, 2, 1), (0,)])
def test_masks_are_boolean_and_shaped_like_the_weights(dtype, shape):
    mask = magnitude({"a": np.ones(shape, dtype)}, fraction=0.25)["a"]
    assert (mask.dtype, mask.shape, mask.sum()) == (bool, shape, round(0.75 * np.prod(shape)))


def test_without_masks_all_weights_are_survivors_and_a_fifth_of_them_goes():
    weights = {"a": np.arange(10.0), "b": np.arange(20.0).reshape(4, 5)}
    assert {name: int(mask.sum()) for name, mask in magnitude(weights).items()} == {"a": 8, "b": 16}


def test_lists_will_do_for_weights_and_masks():
    assert magnitude({"a": [[1, -3], [2, 0]]}, {"a": [[True, True], [False, True]]}, 0.4)["a"].tolist() == [
        [True, True],
        [False, False],
    ]


def test_weights_and_masks_given_are_not_modified_even_where_they_are_read_only():
    weights, masks = {"a": np.array([-1.0, 2.0, -3.0, 4.0])}, {"a": np.array([True, True, True, False])}
    for array in (weights["a"], masks["a"]):
        array.flags.writeable = False
    kept = magnitude(weights, masks, 0.34)["a"]
    assert kept.tolist() == [False, True, True, False]
    assert kept.flags.writeable


def test_a_weight_that_is_not_a_number_is_refused_by_name():
    with pytest.raises(InputError, match="fc2 has a weight that is not a number"):
        magnitude({"fc1": np.ones(3), "fc2": np.array([1.0, np.nan])}, fraction=0.5)


def test_the_shares_of_the_paper_come_out_of_real_weights_round_after_round():
    rng = np.random.default_rng(0)
    masks = {name: np.ones(shape, bool) for name, shape in SHAPES.items()}
    left = {}
    for number in range(1, 17):
        weights = {name: rng.standard_normal(shape, np.float32) for name, shape in SHAPES.items()}
        masks = magnitude(weights, masks, FRACTIONS)
        left[number] = sum(int(mask.sum()) for mask in masks.values())
    assert {number: round(100 * left[number] / WEIGHTS, 2) for number in PERCENT_LEFT} == PERCENT_LEFT
