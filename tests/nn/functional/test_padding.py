"""Padding as a function: what it refuses, and which node it is."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn import functional as F


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((1,),), "pad wants a count before and one after for some of the last axes"),
        (((1, 2, 3),), "pad wants a count before and one after"),
        (((1, 1) * 5,), r"of the last axes of shape \(1, 1, 2, 2\)"),
        (((-2, -1),), r"pad: \(-2, -1\) removes more than an input of shape \(1, 1, 2, 2\) has"),
        (
            ((1, 1), "mirror"),
            "mode is 'constant', or, without a value, one of reflect, replicate, circular.*got 'mirror'",
        ),
        (((1, 1), "reflect", 1.0), r"got 'reflect', \(1, 1\) and the value 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, words):
    with pytest.raises(tt.InputError, match=words):
        F.pad(np.ones((1, 1, 2, 2)), *arguments)


def test_zeros_around_images_are_the_node_that_compiles_and_all_else_is_another():
    x = tt.Tensor(np.ones((1, 2, 3, 3)), requires_grad=True)
    assert F.pad(x, (1, 0)).node.name == "pad2d"
    for other in (
        F.pad(x, (1, 0), value=2.0),
        F.pad(x, (1, 0, -1, 0), value=1),
        F.pad(x[0], (1, 0)),
        F.pad(x, (0, 0) * 3 + (1, 0)),
    ):
        assert other.node.name == "pad"
