"""How many weights a round removes, and what is refused before anything is trained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prune.lenet import FRACTIONS, PERCENT_LEFT, SIZES, WEIGHTS
from tinyticket.errors import InputError
from tinyticket.prune import plan_rounds, removed


@pytest.mark.parametrize(
    ("survivors", "fraction", "gone"),
    [(10, 0.2, 2), (12, 0.2, 2), (13, 0.2, 3), (5, 0.1, 1), (4, 0.1, 0), (10, 0.25, 3), (9, 0.95, 9), (1000, 0.1, 100)],
)
def test_the_nearest_whole_number_goes_and_halves_are_rounded_up(survivors, fraction, gone):
    assert removed(survivors, fraction) == gone


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_a_count_is_within_half_a_weight_of_the_fraction(survivors, fraction):
    gone = removed(survivors, fraction)
    assert 0 <= gone <= survivors
    assert abs(gone - fraction * survivors) <= 0.5


@pytest.mark.parametrize(("number", "percent"), PERCENT_LEFT.items())
def test_lenet_keeps_the_shares_of_the_paper(number, percent):
    left = plan_rounds(SIZES, [FRACTIONS] * 16, "layer")
    assert left[0] == WEIGHTS
    assert round(100 * left[number] / WEIGHTS, 2) == percent


def test_every_round_prunes_what_the_last_one_left():
    assert plan_rounds({"a": 100, "b": 10}, [{"a": 0.2, "b": 0.1}] * 3, "layer") == [110, 80 + 9, 64 + 8, 51 + 7]


def test_one_shot_rounds_each_prune_the_dense_network():
    rounds = [{"a": 0.2, "b": 0.1}, {"a": 0.5, "b": 0.3}, {"a": 0.1, "b": 0.1}]
    assert plan_rounds({"a": 100, "b": 10}, rounds, "layer", iterative=False) == [110, 89, 57, 99]


def test_a_fraction_of_zero_leaves_a_layer_alone():
    assert plan_rounds({"a": 100, "b": 3}, [{"a": 0.5, "b": 0}] * 2, "layer") == [103, 53, 28]


def test_global_scope_counts_the_layers_that_are_pruned_together():
    # 40 + 10 weights share the fraction, 7 are left alone: 50 -> 40 -> 32
    rounds = [{"a": 0.2, "b": 0.2, "c": 0}] * 2
    assert plan_rounds({"a": 40, "b": 10, "c": 7}, rounds, "global") == [57, 47, 39]


def test_global_scope_rounds_the_sum_and_not_the_layers():
    layers = {"a": 12, "b": 12}  # 2.4 of each layer, 4.8 of both
    assert plan_rounds(layers, [{"a": 0.2, "b": 0.2}], "layer") == [24, 20]
    assert plan_rounds(layers, [{"a": 0.2, "b": 0.2}], "global") == [24, 19]


@pytest.mark.parametrize(
    ("sizes", "fraction", "scope", "words"),
    [
        ({"fc": 100, "output": 2}, 0.2, "layer", ["round 1", "remove nothing from output", "0.2", "2 weights"]),
        ({"fc": 100, "output": 3}, 0.2, "layer", ["round 2", "remove nothing from output", "2 weights"]),
        ({"fc": 2, "output": 100}, 0.8, "layer", ["round 1", "remove all of fc", "0.8", "2 weights"]),
        ({"fc": 100, "output": 10}, 0.8, "layer", ["round 2", "remove all of output", "2 weights"]),
        ({"fc": 1, "output": 1}, 0.2, "global", ["round 1", "remove nothing from the network", "2 weights"]),
        ({"fc": 1, "output": 1}, 0.8, "global", ["round 1", "remove all of the network", "2 weights"]),
    ],
)
def test_a_round_that_would_remove_nothing_or_all_is_refused_by_round_and_layer(sizes, fraction, scope, words):
    with pytest.raises(InputError) as error:
        plan_rounds(sizes, [dict.fromkeys(sizes, fraction)] * 4, scope)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_round_that_leaves_every_layer_alone_is_refused(scope):
    with pytest.raises(
        InputError, match="round 2 would remove none of 12 weights: prune to a density below 1, or a fraction"
    ):
        plan_rounds({"a": 5, "b": 7}, [{"a": 0.4, "b": 0.4}, {"a": 0.0, "b": 0.0}], scope, iterative=False)


def test_without_rounds_only_the_dense_network_is_planned():
    assert plan_rounds(SIZES, [], "layer") == [WEIGHTS]
    assert plan_rounds(SIZES, [], "global") == [WEIGHTS]
