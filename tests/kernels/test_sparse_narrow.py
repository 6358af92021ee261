"""Layers of survivors for few samples against the reference, for drawn shapes, and the same bits for any number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autograd.problems import EXAMPLES
from tinyticket import kernels
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.kernels.cpu.vector.narrow import WIDTHS
from tinyticket.nn import Connections
from tinyticket.sparse import Blocks, blocks


def layer(outputs, inputs, count, lanes, seed):
    graph, rng = Connections.random(inputs, outputs, count, seed), np.random.default_rng(seed)
    pattern = Blocks(graph.shape, graph.starts, graph.columns, lanes)
    values, bias = rng.standard_normal(count, np.float32), rng.standard_normal(outputs, np.float32)
    x, dy = (rng.standard_normal((size, lanes), np.float32) for size in (inputs, outputs))
    return graph, pattern, values, bias, np.maximum(x, 0), dy


@EXAMPLES
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(WIDTHS), st.integers(1, 5), st.booleans(), st.data())
def test_all_passes_agree_with_the_reference(outputs, inputs, lanes, cut, relu, data):
    count = data.draw(st.integers(1, outputs * inputs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CACHE", -(-8 * lanes * inputs // cut))  # so many blocks
        patch.setattr(blocks, "LARGEST", data.draw(st.integers(1, 40)))
        graph, pattern, values, bias, x, dy = layer(outputs, inputs, count, lanes, data.draw(st.integers(0, 99)))
        weights = pattern.by_block(values)
    assert 1 <= pattern.bounds.size - 1 <= inputs
    np.testing.assert_array_equal(pattern.by_row(weights), values)

    y = reference.sparse_linear(x.T, graph.starts, graph.columns, values, bias).T
    expected = np.maximum(y, 0) if relu else y
    found = kernels.sparse_linear_narrow(pattern, weights, bias, x, relu=relu)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    dx, gradient = kernels.sparse_linear_narrow_gradient(pattern, weights, x, dy, x_is_relu_output=relu)
    back = reference.sparse_linear_input_gradient(dy.T, graph.starts, graph.columns, values, inputs).T
    np.testing.assert_allclose(dx, np.where(x > 0, back, 0) if relu else back, rtol=1e-4, atol=1e-5)
    exact = reference.sparse_linear_weight_gradient(dy.T, x.T, graph.starts, graph.columns)
    np.testing.assert_allclose(pattern.by_row(gradient), exact, rtol=1e-4, atol=1e-5)
    alone = kernels.sparse_linear_narrow_weight_gradient(pattern, x, dy)
    assert alone.tobytes() == gradient.tobytes()


@pytest.mark.parametrize("lanes", WIDTHS)
def test_threads_change_no_bit(lanes, monkeypatch):
    _, pattern, values, bias, x, dy = layer(300, 200, 20_000, lanes, 0)
    monkeypatch.setattr(blocks, "FEW", 1000)
    assert pattern.bounds.size - 1 == pattern.tiles.size - 1 == blocks.PARTS
    found = [
        (
            kernels.sparse_linear_narrow(pattern, values, bias, x, threads=threads),
            *kernels.sparse_linear_narrow_gradient(pattern, values, x, dy, threads=threads),
            kernels.sparse_linear_narrow_weight_gradient(pattern, x, dy, threads=threads),
        )
        for threads in (1, 2)
    ]
    for one, two in zip(*found, strict=True):
        assert one.tobytes() == two.tobytes()


def test_places_count_from_blocks_and_tiles_of_at_most_65536():
    graph = Connections.random(150_000, 140_000, 1000, 0)
    pattern = Blocks(graph.shape, graph.starts, graph.columns, 2)
    assert np.diff(pattern.bounds).max() <= 2**16
    assert np.diff(pattern.tiles).max() <= 2**16
    counts = np.diff(pattern.starts)
    block, tile = np.divmod(np.repeat(np.arange(counts.size), counts), pattern.tiles.size - 1)
    rows, columns = pattern.tiles[tile] + pattern.rows, pattern.bounds[block] + pattern.columns
    np.testing.assert_array_equal(np.sort(rows * 150_000 + columns), graph.positions())
    np.testing.assert_array_equal(columns, pattern.by_block(graph.columns))


def test_blocks_have_nearly_as_many_survivors_each(monkeypatch):
    columns = np.sort(np.random.default_rng(0).integers(0, 1000, 5000) ** 2 // 1000).astype(np.int32)
    monkeypatch.setattr(blocks, "CACHE", 8 * 2 * 1000 // 7)
    pattern = Blocks((5, 1000), np.arange(0, 5001, 1000), columns, 2)
    sizes = np.diff(pattern.starts[:: pattern.tiles.size - 1])
    assert sizes.size >= 7
    assert sizes.max() < 2 * sizes.mean()


def test_the_blocks_of_another_matrix_take_the_place_of_those_that_were_used(monkeypatch):
    graph, pattern, values, *_ = layer(30, 70, 200, 2, 0)
    expected = pattern.by_block(values).tobytes()
    monkeypatch.setattr(blocks, "LARGEST", 9)  # columns and rows
    other = layer(30, 70, 200, 2, 1)[1]
    pattern.fit(other)
    assert pattern.starts.size - 1 == (pattern.bounds.size - 1) * (pattern.tiles.size - 1) == 8 * 4
    assert pattern.by_block(values).tobytes() != expected
    np.testing.assert_array_equal(pattern.by_row(pattern.by_block(values)), values)
    first = np.repeat(np.repeat(pattern.bounds[:-1], 4), np.diff(pattern.starts))
    np.testing.assert_array_equal(first + pattern.columns, pattern.by_block(graph.columns))
    with pytest.raises(InputError, match=r"shape \(31, 70\) do not fit one of shape \(30, 70\)"):
        pattern.fit(layer(31, 70, 200, 2, 0)[1])


def test_moves_of_other_numbers_than_there_are_survivors_are_refused():
    _, pattern, values, *_ = layer(5, 4, 7, 2, 0)
    for by_row in (values[:0], values[1:], values[None]):
        with pytest.raises(InputError, match="there are 7 survivors"):
            pattern.move(by_row, np.arange(7, dtype=np.int32), out=np.zeros(7, np.float32))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (((2, 3), [0, 1], [0], 2), "in 3 steps"),
        (((2, 3), [0, 1, 2], [0], 2), "from 0 to"),
        (((2, 3), [0, 2, 1], [0], 2), "do not rise"),
        (((2, 3), [0, 1, 1], [3], 2), "0 to 2"),
    ],
)
def test_what_are_no_blocks_is_refused(given, words):
    shape, starts, columns, lanes = given
    with pytest.raises(InputError, match=words):
        Blocks(shape, np.array(starts), np.array(columns), lanes)


def test_samples_that_fill_no_lanes_are_refused():
    _, pattern, values, bias, x, dy = layer(5, 4, 7, 4, 0)
    for refused in (x[:, :3], x[:3], x[0]):
        with pytest.raises(InputError, match="2, 4, 8, 16 samples"):
            kernels.sparse_linear_narrow(pattern, values, bias, refused)
    with pytest.raises(InputError, match="dy"):
        kernels.sparse_linear_narrow_gradient(pattern, values, x, dy[:, :2])
