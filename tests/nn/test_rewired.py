"""Rewired graphs: as many connections at every end, none twice, and another one each time."""

import numpy as np
import pytest

from tinyticket.nn import Connections


@pytest.mark.parametrize(
    ("inputs", "outputs", "density"), [(40, 30, 0.1), (40, 30, 0.4), (12, 9, 0.8), (1000, 7, 0.05)]
)
def test_every_input_and_output_has_as_many_connections(inputs, outputs, density):
    graph = Connections.random(inputs, outputs, density, 0)
    other = graph.rewired(1)  # whose constructor refuses what is there twice
    assert np.array_equal(other.fan_in(), graph.fan_in())
    assert np.array_equal(other.fan_out(), graph.fan_out())
    stay = np.intersect1d(graph.positions(), other.positions()).size / graph.count
    assert abs(stay - density) < 0.15  # as many as in a random graph of that density
    assert other == graph.rewired(1) != graph.rewired(2)


def test_all_graphs_of_some_degrees_are_equally_likely():
    graph, rng = Connections.from_mask(np.eye(3, dtype=bool)), np.random.default_rng(0)
    drawn = [tuple(graph.rewired(rng).columns.tolist()) for _ in range(600)]
    counts = [drawn.count(each) for each in set(drawn)]
    assert len(counts) == 6  # the permutations of three
    assert min(counts) > 65  # of 100


@pytest.mark.parametrize("mask", [np.ones((4, 5), bool), np.eye(1, 6, dtype=bool)])
def test_what_has_no_other_graph_stays(mask):
    graph = Connections.from_mask(mask)
    assert graph.rewired(0) == graph


def test_survivors_keep_their_degrees_and_may_be_connected_with_any():
    graph, rng = Connections.random(30, 20, 0.3, 0), np.random.default_rng(1)
    mask = rng.random(graph.count) < 0.4
    other, kept = graph.rewired_under(mask, rng)
    assert (other.count, kept.sum()) == (graph.count, mask.sum())
    for ends, size in ((lambda found: found.rows(), 20), (lambda found: found.columns, 30)):
        assert np.array_equal(
            np.bincount(ends(other)[kept], minlength=size), np.bincount(ends(graph)[mask], minlength=size)
        )
    survivors = other.positions()[kept]
    assert np.isin(survivors, graph.positions(), invert=True).any()
    assert np.isin(other.positions()[~kept], graph.positions()).all()
