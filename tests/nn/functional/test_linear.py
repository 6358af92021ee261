"""The fully-connected layer as a function: what it refuses."""

import numpy as np
import pytest

from tinyticket.nn import functional as F


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(2, 3), (4, 5)], r"\(2, 3\).*\(4, 5\)"),
        ([(), (4, 5)], r"\(\).*\(4, 5\)"),
        ([(2, 3), (4, 3), (5,)], r"\(2, ?4\).*\(5,\)"),
        ([(2, 3), (3,)], r"\(3,\)"),
        ([(2, 3), ()], r"\(\)"),
        ([(2, 3), (2, 4, 3)], r"\(2, 4, 3\)"),
    ],
    ids=["features", "no features", "bias", "weight of one axis", "weight of no axis", "weight of three axes"],
)
def test_linear_refuses_shapes_that_do_not_fit_and_names_them(shapes, words):
    with pytest.raises(ValueError, match=words):
        F.linear(*(np.ones(shape) for shape in shapes))
