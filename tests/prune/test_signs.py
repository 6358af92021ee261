"""Flipped signs against a count by hand."""

import numpy as np
import pytest

from tinyticket import prune
from tinyticket.errors import InputError


def test_survivors_that_changed_sign_are_counted_over_all_layers():
    before = {"a": np.array([1.0, -1, 1, -1]), "b": np.array([[2.0]]), "bias": np.ones(3)}
    after = {"a": np.array([-1.0, -2, -1, 1]), "b": np.array([[3.0]]), "bias": -np.ones(3)}
    masks = {"a": np.array([True, True, True, False]), "b": np.array([[True]])}
    assert prune.sign_flips(before, after, masks) == 2 / 4
    assert prune.sign_flips(before, before, masks) == 0
    assert prune.sign_flips(before, after, {"a": np.zeros(4, bool)}) == 0


def test_independent_signs_differ_half_of_the_time():
    rng = np.random.default_rng(0)
    first, second = ({"a": rng.normal(size=(100, 100))} for _ in range(2))
    assert prune.sign_flips(first, second, {"a": rng.random((100, 100)) < 0.5}) == pytest.approx(0.5, abs=0.03)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"weights and mask of a have one shape.*\(2,\), \(3,\) and bool \(2,\)"):
        prune.sign_flips({"a": np.ones(2)}, {"a": np.ones(3)}, {"a": np.ones(2, bool)})
