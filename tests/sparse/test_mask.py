"""Masks: immutable truth values that know their count and density."""

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.sparse import Mask


def test_count_and_density():
    mask = Mask([[1, 0], [1, 1]])
    assert (mask.shape, mask.size, mask.count, mask.density) == ((2, 2), 4, 3, 0.75)
    assert np.asarray(mask).dtype == np.bool_
    assert Mask.full((3, 2)).density == 1.0


def test_it_does_not_follow_the_array_it_was_made_from():
    array = np.ones((2, 2), bool)
    mask = Mask(array)
    array[:] = False
    assert mask.count == 4
    with pytest.raises(ValueError, match="read-only"):
        mask.array[0, 0] = False


def test_equal_masks_are_equal():
    assert Mask([True, False]) == Mask([1, 0])
    assert Mask([True, False]) != Mask([True, True])
    assert len({Mask([True]), Mask([1]), Mask([0])}) == 2


def test_anything_but_truth_values_is_refused():
    with pytest.raises(InputError, match="truth values"):
        Mask([0.5, 1.0])
