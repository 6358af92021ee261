"""Moves of connections against loops over single connections; no array of all pairs, more than 2^32 pairs."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autograd.problems import EXAMPLES
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.nn import Connections
from tinyticket.prune import candidates, moving, rigl_move, set_move, srigl_move

VALUES = np.array([0.0, 0.25, 0.25, 0.5, -1.0, 1.0, -2.0], np.float32)  # so that ties are the rule


@pytest.fixture(autouse=True, scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moving, "PIECE", 5)
        yield


@st.composite
def layers(draw):
    """Draw connections, their values, candidates and gradients of these."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    outputs, inputs = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    connections = Connections.random(inputs, outputs, draw(st.integers(1, outputs * inputs)), rng)
    drawn = candidates(connections, draw(st.integers(1, 8)), rng)
    return connections, rng.choice(VALUES, connections.count), drawn, rng.choice(VALUES, drawn.count)


def places(connections):
    return [(row, int(i)) for row in range(connections.shape[0])
            for i in connections.columns[connections.starts[row] : connections.starts[row + 1]]]  # fmt: skip


def stay(connections, values, fraction, most):
    """Return the places of the connections that stay."""
    count = min(math.floor(fraction * connections.count + 0.5), most)
    ranked = sorted(range(connections.count), key=lambda i: (-abs(values[i]), i))
    return {places(connections)[i] for i in ranked[: connections.count - count]}


def check_origins(connections, move):
    """The origin of what stays is where it was, what is new was none, and values move along as +0.0 or themselves."""
    before, values = places(connections), np.arange(1, connections.count + 1, dtype=np.float32)
    for place, origin, value in zip(places(move.connections), move.origins, move.take(values), strict=True):
        assert before[origin] == place if origin >= 0 else place not in before
        assert value == (origin + 1 if origin >= 0 else 0)
    assert move.grown == len({*places(move.connections)} - {*before})
    assert move.connections.count == connections.count
    assert move.connections.shape == connections.shape


@EXAMPLES
@given(layers(), st.floats(0.05, 0.95), st.integers(0, 99))
def test_set_drops_the_smallest_and_grows_where_nothing_was(layer, fraction, seed):
    connections, values, _, _ = layer
    move = set_move(connections, values, fraction, seed)
    check_origins(connections, move)
    stays = stay(connections, values, fraction, connections.pairs - connections.count)
    assert {*places(move.connections)} & {*places(connections)} == stays
    again = set_move(connections, values, fraction, seed)
    assert again.connections == move.connections


@EXAMPLES
@given(layers(), st.floats(0.05, 0.95), st.integers(0, 99))
def test_set_by_sign_drops_the_smallest_positive_and_the_largest_negative_ones(layer, fraction, seed):
    connections, values, _, _ = layer
    move, room = set_move(connections, values, fraction, seed, by_sign=True), connections.pairs - connections.count
    check_origins(connections, move)
    gone = np.setdiff1d(np.arange(values.size), move.origins)
    counts = [math.floor(fraction * np.count_nonzero(part) + 0.5) for part in (values < 0, values >= 0)]
    assert gone.size == min(sum(counts), room)
    for part, count in zip((values < 0, values >= 0), counts, strict=True):
        of_part = np.flatnonzero(part)
        dropped = np.intersect1d(gone, of_part)
        assert dropped.size <= count
        smallest = of_part[np.lexsort((-of_part, np.abs(values[of_part])))][: dropped.size]
        np.testing.assert_array_equal(dropped, np.sort(smallest))


def test_a_whole_piece_may_go():
    connections = Connections.from_edges([(i, 0) for i in range(12)], (1, 40))
    values = np.array([1] * moving.PIECE + [0] * moving.PIECE + [1] * 2, np.float32)
    move = set_move(connections, values, moving.PIECE / 12, 0)
    check_origins(connections, move)
    assert {*places(move.connections)} & {*places(connections)} == {(0, i) for i in (0, 1, 2, 3, 4, 10, 11)}


def test_nothing_moves_where_all_is_connected_or_too_little_is_asked_for():
    for connections, fraction in ((Connections.random(3, 2, 1.0, 0), 0.5), (Connections.random(3, 2, 2, 0), 0.1)):
        rng = np.random.default_rng(0)
        move = set_move(connections, np.ones(connections.count, np.float32), fraction, rng)
        assert move.connections == connections
        assert move.origins.tolist() == list(range(connections.count))
        assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


@pytest.mark.parametrize("inputs", [4, 20])  # drawn among all that is empty, and by trying
def test_every_empty_place_is_as_likely(inputs):
    connections, rng = Connections.random(inputs, 2, 4, 0), np.random.default_rng(1)
    values, hits = np.arange(4, dtype=np.float32), np.zeros(2 * inputs)
    for _ in range(800):
        move = set_move(connections, values, 0.5, rng)
        hits[move.connections.positions()[move.origins < 0]] += 1
    assert not hits[connections.positions()].any()
    empty, expected = np.delete(hits, connections.positions()), 1600 / (2 * inputs - 4)
    assert abs(empty - expected).max() < 5 * math.sqrt(expected)


@EXAMPLES
@given(layers(), st.floats(0.05, 0.95))
def test_rigl_grows_the_largest_gradients_of_candidates(layer, fraction):
    connections, values, drawn, gradients = layer
    move = rigl_move(connections, values, fraction, drawn, gradients)
    check_origins(connections, move)
    stays = stay(connections, values, fraction, drawn.count)
    ranked = sorted(range(drawn.count), key=lambda i: (-abs(gradients[i]), i))
    grown = {places(drawn)[i] for i in ranked[: connections.count - len(stays)]}
    assert {*places(move.connections)} == stays | grown


@EXAMPLES
@given(layers(), st.floats(0.05, 0.95))
def test_srigl_keeps_every_fan_in(layer, fraction):
    connections, values, drawn, gradients = layer
    move = srigl_move(connections, values, fraction, drawn, gradients)
    check_origins(connections, move)
    stays, expected = stay(connections, values, fraction, connections.count), set()
    for row in range(connections.shape[0]):
        own = [i for i, place in enumerate(places(connections)) if place[0] == row]
        there = [i for i, place in enumerate(places(drawn)) if place[0] == row]
        grown = sorted(there, key=lambda i: (-abs(gradients[i]), i))
        lost = sorted((i for i in own if places(connections)[i] not in stays), key=lambda i: (-abs(values[i]), i))
        kept = [i for i in own if i not in lost] + lost[: max(0, len(lost) - len(there))]
        expected |= {places(connections)[i] for i in kept} | {places(drawn)[i] for i in grown[: len(own) - len(kept)]}
    assert {*places(move.connections)} == expected
    np.testing.assert_array_equal(move.connections.fan_in(), connections.fan_in())


@EXAMPLES
@given(layers())
def test_candidates_are_no_connections(layer):
    connections, _, drawn, _ = layer
    assert not {*places(connections)} & {*places(drawn)}
    many = candidates(connections, 200, 0)
    assert many.count == connections.pairs - connections.count


def test_gradients_of_candidates_are_those_of_the_dense_layer():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((6, 9), dtype=np.float32), rng.standard_normal((6, 5), dtype=np.float32)
    drawn = candidates(Connections.random(9, 5, 0.2, 0), 3, 1)
    gradients = reference.sparse_linear_weight_gradient(dy, x, drawn.starts, drawn.columns)
    np.testing.assert_allclose(gradients, (dy.T @ x)[drawn.rows(), drawn.columns], rtol=1e-5)


def test_names_of_inputs_and_outputs_stay():
    connections = Connections.from_edges([("a", "x"), ("b", "x"), ("a", "y")])
    move = set_move(connections, np.arange(3, dtype=np.float32), 0.3, 0)
    assert (move.connections.input_names, move.connections.output_names) == (("a", "b"), ("x", "y"))


def test_no_array_of_all_pairs_is_made(monkeypatch):
    monkeypatch.setattr(moving, "PIECE", 1 << 16)
    connections = Connections.random(500_000, 400_000, 200_000, 0)
    values = np.random.default_rng(0).standard_normal(200_000, dtype=np.float32)
    tracemalloc.start()
    moves = [set_move(connections, values, 0.3, 1)]
    drawn = candidates(connections, 1, 2)
    moves += [
        move(connections, values, 0.3, drawn, np.ones(drawn.count, np.float32)) for move in (rigl_move, srigl_move)
    ]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60e6, "a bit for each pair would be 25 GB"
    for move in moves:
        stayed, new = move.origins >= 0, move.origins < 0
        positions, before = move.connections.positions(), connections.positions()
        assert positions[-1] > 2**32
        np.testing.assert_array_equal(positions[stayed], before[move.origins[stayed]])
        assert not np.isin(positions[new], before).any()
    assert moves[0].grown == moves[1].grown == 60_000


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda c, v, d: set_move(c, v[1:], 0.3, 0), "there are 4 connections"),
        (lambda c, v, d: set_move(c, v * np.nan, 0.3, 0), "is not a number"),
        (lambda c, v, d: set_move(c, v, 1.0, 0), "between 0 and 1"),
        (lambda c, v, d: candidates(c, 0, 0), "1 candidate at least"),
        (lambda c, v, d: rigl_move(c, v, 0.3, d, v[:0]), "candidates have a gradient each"),
        (lambda c, v, d: rigl_move(c, v, 0.3, c, v), "one of these is a connection already"),
        (lambda c, v, d: srigl_move(c, v, 0.3, d, np.full(d.count, np.nan)), "candidates have a gradient each"),
    ],
)
def test_what_cannot_be_is_refused(act, words):
    connections = Connections.random(4, 3, 4, 0)
    with pytest.raises(InputError, match=words):
        act(connections, np.ones(4, np.float32), candidates(connections, 3, 0))
