"""Which fraction each group of layers loses, as numbers, text or a mapping."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prune.lenet import SIZES, WEIGHTS
from tinyticket.errors import InputError
from tinyticket.prune import fractions_by_layer, one_shot_fractions, parse_fractions, plan_rounds

LENET_GROUPS = {"fc1.weight": "fc", "fc2.weight": "fc", "output.weight": "output"}


@pytest.mark.parametrize("value", [0.2, "0.2", np.float64(0.2)])
def test_one_number_is_for_all_groups_and_the_output_layer_gets_half_of_it(value):
    assert parse_fractions(value) == {"conv": 0.2, "fc": 0.2, "output": 0.1}


def test_in_global_scope_nothing_is_halved():
    assert parse_fractions(0.2, "global") == {"conv": 0.2, "fc": 0.2, "output": 0.2}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("conv=0.1,fc=0.2,output=0.1", {"conv": 0.1, "fc": 0.2, "output": 0.1}),
        (" fc = 0.3 , output=0.05", {"fc": 0.3, "output": 0.05}),
        ("fc=0.3", {"fc": 0.3, "output": 0.15}),
        ({"fc": 0.3}, {"fc": 0.3, "output": 0.15}),
        ({"output": 0.4, "conv": 0.1}, {"conv": 0.1, "output": 0.4}),
        ("conv=0.2,fc=0", {"conv": 0.2, "fc": 0, "output": 0}),
        ("fc=0.2,output=0", {"fc": 0.2, "output": 0}),
    ],
)
def test_groups_can_have_their_own_fractions(value, expected):
    assert parse_fractions(value) == expected


def test_what_was_given_is_not_modified():
    given = {"fc": 0.3}
    parse_fractions(given)
    assert given == {"fc": 0.3}


def test_global_scope_may_leave_groups_alone():
    assert parse_fractions("conv=0.2,fc=0", "global") == {"conv": 0.2, "fc": 0, "output": 0}


@pytest.mark.parametrize(
    ("value", "scope", "words"),
    [
        (0, "layer", "between 0 and 1.*got 0"),
        (1, "layer", "between 0 and 1.*got 1"),
        (-0.2, "layer", "between 0 and 1.*got -0.2"),
        ("1.5", "layer", "between 0 and 1.*got 1.5"),
        (math.nan, "layer", "between 0 and 1.*got nan"),
        ("nan", "layer", "between 0 and 1.*got nan"),
        ("fc=1", "layer", "between 0 and 1.*got 1"),
        ({"fc": -0.2}, "layer", "between 0 and 1.*got -0.2"),
        ({"fc": math.nan}, "layer", "between 0 and 1.*got nan"),
        ("fc=0", "layer", "nothing would be pruned"),
        ("conv=0,fc=0,output=0", "global", "nothing would be pruned"),
        ("a fifth", "layer", "'a fifth' is no fraction: write 0.2"),
        ("", "layer", "'' is no fraction"),
        ("fc=", "layer", "'fc=' is no fraction"),
        ("fc=0.2=0.1", "layer", "is no fraction"),
        ("fc=0.2,", "layer", "is no fraction"),
        ("ouput=0.1", "layer", "'ouput'.*did you mean 'output'"),
        ({"linear": 0.1}, "layer", "'linear'.*known: conv, fc, output"),
        ("fc=0.2,output=0.1", "global", "global scope.*share one fraction"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(value, scope, words):
    with pytest.raises(InputError, match=words):
        parse_fractions(value, scope)


def test_each_layer_gets_the_fraction_of_its_group():
    assert fractions_by_layer(LENET_GROUPS, parse_fractions(0.2)) == {
        "fc1.weight": 0.2,
        "fc2.weight": 0.2,
        "output.weight": 0.1,
    }


def test_a_layer_of_a_group_without_a_fraction_is_named():
    with pytest.raises(InputError, match=r"output\.weight.*'output'.*write output=0"):
        fractions_by_layer(LENET_GROUPS, {"fc": 0.2})


@given(st.floats(0.01, 0.99))
def test_one_shot_reaches_the_density_with_the_output_layer_at_half(density):
    fractions = one_shot_fractions(SIZES, LENET_GROUPS, density)
    assert fractions["fc1.weight"] == fractions["fc2.weight"] == 2 * fractions["output.weight"]
    left = plan_rounds(SIZES, [fractions], "layer", iterative=False)[1]
    assert abs(left - density * WEIGHTS) <= 0.5 * len(SIZES) + 1e-6  # half a weight of rounding in each layer


@given(st.floats(0.01, 0.99))
def test_one_shot_in_global_scope_gives_all_layers_one_fraction(density):
    fractions = one_shot_fractions(SIZES, LENET_GROUPS, density, "global")
    (fraction,) = set(fractions.values())
    assert fraction == pytest.approx(1 - density, rel=1e-12)
    left = plan_rounds(SIZES, [fractions], "global", iterative=False)[1]
    assert abs(left - density * WEIGHTS) <= 0.5 + 1e-6


@pytest.mark.parametrize("density", [0, 1, -0.5, 2, math.nan])
def test_a_density_outside_zero_and_one_is_refused(density):
    with pytest.raises(InputError, match=f"density lies between 0 and 1.*got {density}"):
        one_shot_fractions(SIZES, LENET_GROUPS, density)


def test_a_density_is_what_stays_and_a_fraction_what_goes():
    """Published code called either of them the pruning rate."""
    assert one_shot_fractions({"a": 1000}, {"a": "fc"}, 0.2) == {"a": 0.8}
    assert plan_rounds({"a": 1000}, [{"a": 0.8}], "layer", iterative=False)[1] == 200


def test_a_density_that_would_empty_the_hidden_layers_is_refused_with_the_least_that_can_be_had():
    sizes, groups = {"fc": 100, "output": 100}, {"fc": "fc", "output": "output"}
    with pytest.raises(InputError, match=r"density of 0\.2 cannot be reached.*at least 0\.25"):
        one_shot_fractions(sizes, groups, 0.2)
    assert one_shot_fractions(sizes, groups, 0.4)["fc"] == pytest.approx(0.8)
