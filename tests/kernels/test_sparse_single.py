"""A layer for a single sample against its specification and against a batch's, for drawn shapes, and the order that it reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autograd.problems import EXAMPLES
from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, reference
from tinyticket.nn import Connections
from tinyticket.sparse import Pattern, Slices
from tinyticket.sparse.slices import WINDOW


def layer(outputs, inputs, count, seed=0):
    graph, rng = Connections.random(inputs, outputs, count, seed), np.random.default_rng(seed)
    values, bias, x = (rng.standard_normal(size, np.float32) for size in (count, outputs, inputs))
    return graph, Slices(graph.shape, graph.starts, graph.columns), values, bias, x


def batch(graph, values, bias, x, relu=False):
    """Return the layer of a sample in a batch of packed activations."""
    pattern = Pattern(graph.shape, graph.positions(), 16)
    return cpu.unpack(cpu.sparse_linear(pattern, values, bias, cpu.pack(x[None]), relu=relu), 1)[0]


@EXAMPLES
@given(
    st.sampled_from([1, 15, 16, 40, WINDOW + 30]),
    st.sampled_from([1, 17, 300, 2**16, 150_000]),
    st.floats(0, 1),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_layer(outputs, inputs, share, relu, seed):
    count = 1 + int(share * (min(outputs * inputs, 2000) - 1))
    graph, slices, values, bias, x = layer(outputs, inputs, count, seed)
    y = one_and_two_threads(cpu.sparse_linear_single, slices, slices.by_slice(values), bias, x, relu=relu)
    exact = reference.sparse_linear(x[None], graph.starts, graph.columns, values, bias)[0]
    np.testing.assert_allclose(y, np.maximum(exact, 0) if relu else exact, rtol=1e-4, atol=1e-5)
    assert y.tobytes() == batch(graph, values, bias, x, relu).tobytes()


@pytest.mark.parametrize("inputs", [40, 140_000])
def test_padding_touches_no_sum(inputs):
    graph, slices, values, bias, x = layer(35, inputs, 400)
    bias[:20], x[0], x[2**16 % inputs] = -0.0, np.inf, np.nan  # what padding names
    values[::3] = 0
    y = cpu.sparse_linear_single(slices, slices.by_slice(values), bias, x)
    assert slices.size > values.size
    np.testing.assert_array_equal(y, batch(graph, values, bias, x))
    np.testing.assert_array_equal(np.signbit(y[y == 0]), np.signbit(batch(graph, values, bias, x)[y == 0]))


def test_rows_of_as_many_survivors_come_together_within_windows():
    lengths = np.random.default_rng(0).integers(0, 30, 2 * WINDOW + 5)
    starts, columns = np.append(0, lengths.cumsum()), np.concatenate([np.arange(n) for n in lengths])
    slices = Slices((lengths.size, 30), starts, columns)
    assert slices.size < 1.15 * columns.size
    for window in range(0, lengths.size, WINDOW):
        rows = slices.rows[window : window + WINDOW][: lengths.size - window]
        assert {*rows} == {*range(window, window + rows.size)}
        assert (np.diff(lengths[rows]) <= 0).all()
    bounds = slices.bounds(3)
    assert np.ptp(np.diff(slices.starts[bounds])) < 0.3 * slices.starts[-1]


def test_what_does_not_fit_is_refused():
    _, slices, values, bias, x = layer(5, 4, 7)
    ordered = slices.by_slice(values)
    for name, *wrong in (
        ("values", values, bias, x),
        ("bias", ordered, bias[1:], x),
        ("x", ordered, bias, x[1:]),
        ("x", ordered, bias, x[None]),
    ):
        with pytest.raises(InputError, match=f"{name} has shape"):
            cpu.sparse_linear_single(slices, *wrong)
    with pytest.raises(InputError, match="twice or behind a later one"):
        Slices((1, 3), np.array([0, 2]), np.array([1, 0]))
