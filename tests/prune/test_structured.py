"""Whole units: their norms, exact counts, and masks of weights that agree with each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.prune import prune_units, unit_masks, unit_norms

SHAPES = {"conv1": (6, 3, 3, 3), "conv2": (8, 6, 3, 3), "fc1": (10, 8 * 4), "output": (4, 10)}


def weights(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


def test_norms_are_those_of_each_units_incoming_weights():
    for name, weight in weights().items():
        ones, twos = unit_norms({name: weight}, 1)[name], unit_norms({name: weight}, 2)[name]
        for unit in range(len(weight)):
            incoming = [float(w) for w in weight[unit].flat]
            assert ones[unit] == pytest.approx(sum(abs(w) for w in incoming))
            assert twos[unit] == pytest.approx(math.sqrt(sum(w * w for w in incoming)))


@given(st.integers(0, 100), st.floats(0.05, 0.8), st.sampled_from(["layer", "global"]), st.sampled_from([1, 2]))
def test_the_weakest_hidden_units_go_and_the_classes_stay(seed, fraction, scope, norm):
    fraction = (
        min(fraction, 0.2) if scope == "global" else fraction
    )  # or the layer of fewest inputs would go as a whole
    units = prune_units(weights(seed), fraction, scope=scope, norm=norm)
    assert list(units) == ["conv1", "conv2", "fc1"]
    norms = unit_norms(weights(seed), norm)
    groups = [[name] for name in units] if scope == "layer" else [list(units)]
    for group in groups:
        kept, sizes = np.concatenate([units[n] for n in group]), np.concatenate([norms[n] for n in group])
        gone = math.floor(fraction * kept.size + 0.5)
        assert (~kept).sum() == gone
        assert gone == 0 or sizes[~kept].max() <= sizes[kept].min()


def test_pruning_goes_on_from_what_is_left_and_layers_may_have_their_own_fraction():
    first = prune_units(weights(), 0.25)
    second = prune_units(weights(), {"conv1": 0.5, "conv2": 0, "fc1": 0.5}, first)
    assert {name: int(kept.sum()) for name, kept in first.items()} == {"conv1": 4, "conv2": 6, "fc1": 7}
    assert {name: int(kept.sum()) for name, kept in second.items()} == {"conv1": 2, "conv2": 6, "fc1": 3}
    assert not any((second[name] & ~first[name]).any() for name in first)


def test_of_equal_units_the_higher_index_goes():
    units = prune_units({"fc1": np.ones((6, 3)), "output": np.ones((2, 6))}, 0.5)
    assert units["fc1"].tolist() == [True] * 3 + [False] * 3


def test_a_pruned_unit_loses_its_incoming_and_its_outgoing_weights_and_nothing_else():
    units = prune_units(weights(), 0.4)
    masks = unit_masks(weights(), units)
    names = list(SHAPES)
    for number, name in enumerate(names):
        for place in np.ndindex(SHAPES[name]):
            out_stays = name == "output" or units[name][place[0]]
            source = place[1] // 4 if name == "fc1" else place[1]  # fc1 sees every channel at four positions
            in_stays = number == 0 or units[names[number - 1]][source]
            assert masks[name][place] == (out_stays and in_stays)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prune_units({"output": np.ones((3, 4))}, 0.5), "only hidden units can be pruned"),
        (
            lambda: prune_units({"a": np.ones((3, 4)), "b": np.ones((2, 5))}, 0.5),
            "b has 5 inputs, which the 3 units of a",
        ),
        (lambda: prune_units({"a": np.ones((3, 4, 1, 1)), "b": np.ones((2, 6, 1, 1))}, 0.5), "b has 6 inputs"),
        (lambda: prune_units({"a": np.ones(3), "b": np.ones((2, 3))}, 0.5), r"a has shape \(3,\)"),
        (lambda: prune_units(weights(), 0.97), "conv1 would lose all its units"),
        (lambda: prune_units(weights(), 0.5, norm=3), "norm of a unit's weights is 1 or 2, not 3"),
        (lambda: prune_units(weights(), 1.5), "between 0 and 1"),
        (
            lambda: prune_units(weights(), 0.5, {"fc1": np.ones(3, bool)}),
            r"mask of fc1 must be boolean of shape \(10,\)",
        ),
        (lambda: unit_masks(weights(), {"conv1": np.ones(6, bool)}), "the hidden layers are"),
        (
            lambda: unit_masks({"a": np.ones((3, 4)), "b": np.ones((2, 3))}, {"a": np.ones(3)}),
            r"units of a are a boolean array of shape \(3,\), not float64",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()
