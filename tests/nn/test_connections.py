"""Connections: where they come from, what they refuse, and what they tell."""

import copy
import math
import pickle
from collections import Counter

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from tests.autograd.problems import EXAMPLES
from tinyticket.errors import InputError
from tinyticket.nn import Connections


def dense(connections):
    return connections.matrix(np.ones(connections.count)).toarray() == 1


@pytest.mark.parametrize("fan_in", [1, 2, 3, 4])
def test_a_constant_fan_in_is_drawn_with_equal_probability(fan_in):
    connections = Connections.constant_fan_in(4, 3000, fan_in, 0)
    assert {*connections.fan_in()} == {fan_in}
    sets = Counter(map(tuple, connections.columns.reshape(-1, fan_in).tolist()))
    expected = 3000 / math.comb(4, fan_in)
    assert len(sets) == math.comb(4, fan_in)
    assert max(abs(count - expected) for count in sets.values()) < 5 * math.sqrt(expected)
    with pytest.raises(InputError, match="an output has 1 to 4 of 4 inputs"):
        Connections.constant_fan_in(4, 3, fan_in + 4)


@pytest.mark.parametrize("count", [True, "2", None, 2.0, float("nan")])
def test_what_is_no_count_and_no_share_is_refused(count):
    with pytest.raises(InputError, match=r"a density of connections lies above 0 and is at most 1; got"):
        Connections.random(4, 3, count)
    with pytest.raises(InputError, match="an output has 1 to 4 of 4 inputs, not"):
        Connections.constant_fan_in(4, 3, count)


@EXAMPLES
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_a_mask_a_matrix_and_edges_give_the_same_connections(outputs, inputs, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=outputs * inputs, max_size=outputs * inputs)))
    mask = mask.reshape(outputs, inputs)
    one = Connections.from_mask(mask)
    np.testing.assert_array_equal(dense(one), mask)
    assert one == Connections.from_matrix(scipy.sparse.coo_array(mask * 2.5)), "other formats, any values"
    if mask.any():
        edges = np.argwhere(mask)[:, ::-1]
        twice = np.concatenate([edges[::-1], edges])
        assert one == Connections.from_edges(twice, shape=mask.shape), "in any order, and more than once"
    np.testing.assert_array_equal(one.positions(), np.flatnonzero(mask))
    np.testing.assert_array_equal(one.rows(), np.nonzero(mask)[0])
    np.testing.assert_array_equal(one.fan_in(), mask.sum(1))
    np.testing.assert_array_equal(one.fan_out(), mask.sum(0))
    for first in range(one.count):
        np.testing.assert_array_equal(one.rows(first, first + 2), np.nonzero(mask)[0][first : first + 2])


def test_edges_with_names_keep_them_in_the_order_of_their_first_appearance():
    graph = Connections.from_edges([("TP53", "apoptosis"), ("MYC", "growth"), ("TP53", "growth")])
    assert graph.input_names == ("TP53", "MYC")
    assert graph.output_names == ("apoptosis", "growth")
    assert dense(graph).tolist() == [[True, False], [True, True]]


def test_copies_are_the_same_connections_and_nobody_writes_into_what_is_unpickled():
    graph = Connections.random(9, 8, 0.3, 0)
    assert copy.deepcopy(graph) is graph
    again = pickle.loads(pickle.dumps(graph))
    assert again == graph
    assert not again.columns.flags.writeable


@pytest.mark.parametrize("inputs", [5, 5000])
def test_fans_of_connections_are_those_of_their_ends(inputs):
    graph = Connections.random(inputs, 4, 15, 0)
    fan_in, fan_out = graph.fans()
    np.testing.assert_array_equal(fan_in, graph.fan_in()[graph.rows()])
    np.testing.assert_array_equal(fan_out, graph.fan_out()[graph.columns])


@pytest.mark.parametrize(("density", "count"), [(0.4, 14), (0.9, 32), (1.0, 35), (3, 3), (34, 34)])
def test_random_connections_are_so_many_different_ones(density, count):
    graph = Connections.random(7, 5, density, 0)
    assert graph.count == dense(graph).sum() == count
    assert graph == Connections.random(7, 5, density, 0)
    assert count == 35 or graph != Connections.random(7, 5, density, 1)


@pytest.mark.parametrize("count", [2, 3])
def test_every_set_of_connections_is_as_probable(count):
    rng = np.random.default_rng(0)
    sets = Counter(Connections.random(2, 2, count, rng).positions().tobytes() for _ in range(3000))
    expected = 3000 / len(sets)
    assert len(sets) == {2: 6, 3: 4}[count]
    assert all(abs(times - expected) < 4.5 * expected**0.5 for times in sets.values())


def test_positions_beyond_32_bits():
    graph = Connections.random(200_000, 300_000, 1000, 0)
    assert graph.positions().max() > 2**33
    np.testing.assert_array_equal(graph.positions() // 200_000, graph.rows())


def test_arrays_stay_as_they_are_and_are_not_copied_again():
    columns = np.array([0, 2], np.int32)
    view = columns[:]
    view.flags.writeable = False
    graph, of_view = (Connections((1, 3), [0, 2], given) for given in (columns, view))
    columns[0] = 1
    assert graph.columns.tolist() == of_view.columns.tolist() == [0, 2]
    with pytest.raises(ValueError, match="read-only"):
        graph.columns[0] = 1
    assert Connections((1, 3), graph.starts, graph.columns).columns is graph.columns


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Connections((2, 3), [0, 1], [0]), "in 3 steps"),
        (lambda: Connections((2, 3), [0, 2, 1], [0]), "do not rise from 0"),
        (lambda: Connections((2, 3), [1, 1, 1], [0]), "do not rise from 0"),
        (lambda: Connections((2, 3), [0, 1, 1], [3]), "0 to 2"),
        (lambda: Connections((2, 3), [0, 1, 1], [-1]), "0 to 2"),
        (lambda: Connections((2, 3), [0, 2, 2], [1, 1]), "twice or behind"),
        (lambda: Connections((2, 3), [0, 2, 2], [2, 1]), "behind a later one"),
        (lambda: Connections((2, 3), [0, 1, 1], [0.5]), "whole numbers"),
        (lambda: Connections((2, 3), [0, 1, 1], [2**33]), "int32"),
        (lambda: Connections((2, 3), [0, 1, 1], [0], input_names=["a"]), "1 names were given for 3"),
        (lambda: Connections((0, 3), [0], []), "1 to"),
        (lambda: Connections.random(3, 2, 0.0), "above 0"),
        (lambda: Connections.random(3, 2, 1.5), "at most 1"),
        (lambda: Connections.random(3, 2, 7), "cannot have 7"),
        (lambda: Connections.random(3, 2, 1e-3), "cannot have 0"),
        (lambda: Connections.from_mask(np.ones((2, 3))), "bool"),
        (lambda: Connections.from_edges([]), "at least one"),
        (lambda: Connections.from_edges([(1, 2, 3)]), "pairs"),
        (lambda: Connections.from_edges([(1, 2), (1, 2, 3)]), "pairs"),
        (lambda: Connections.from_edges([1, 2]), "pairs"),
        (lambda: Connections.from_edges([(0.0, 1.0)]), "whole numbers or of names"),
        (lambda: Connections.from_edges([("a", "x")], shape=(1, 3)), "1 names were given for 3"),
        (lambda: Connections.from_matrix(np.ones((2, 3))), "a sparse matrix"),
        (lambda: Connections.from_edges([("a", "b")], input_names="aa"), "two inputs or two outputs have one name"),
        (lambda: Connections.from_edges(np.array([(3, 0)]), shape=(1, 3)), "outside of 3 inputs"),
    ],
)
def test_what_are_no_connections_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
