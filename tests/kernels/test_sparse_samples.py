"""A layer between samples is the layer between packed activations, packed before and unpacked behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, reference
from tinyticket.sparse import Pattern


def layer(samples, inputs, outputs, density, lanes, seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.random((outputs, inputs)) < density
    weight = (rng.standard_normal(mask.shape) * mask).astype(np.float32)
    x = np.maximum(rng.standard_normal((samples, inputs)), 0).astype(np.float32)
    dy = rng.standard_normal((samples, outputs)).astype(np.float32)
    return Pattern.from_mask(mask, lanes), weight, rng.standard_normal(outputs).astype(np.float32), x, dy


def agrees(pattern, weight, bias, x, dy, relu):
    mask = pattern.mask()
    weight, wide_x, wide_dy = (array.astype(np.float64) for array in (weight, x, dy))
    values, by_column = weight[mask], weight.T[mask.T]
    y = one_and_two_threads(cpu.sparse_linear_samples, pattern, values, bias, x, relu=relu)
    expected = reference.linear(wide_x, weight, bias)
    np.testing.assert_allclose(y, np.maximum(expected, 0) if relu else expected, rtol=1e-4, atol=2e-5)
    dx, slopes = one_and_two_threads(
        cpu.sparse_linear_samples_gradient, pattern, by_column, x, dy, x_is_relu_output=relu
    )
    expected = reference.linear_input_gradient(wide_dy, weight)
    np.testing.assert_allclose(dx, np.where(x <= 0, 0, expected) if relu else expected, rtol=1e-4, atol=2e-5)
    expected = reference.linear_weight_gradient(wide_dy, wide_x).T[mask.T]
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1, 15, 16, 40, 64, 70, 130]),
    st.sampled_from([1, 15, 16, 33, 100]),
    st.sampled_from([1, 6, 16, 31]),
    st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    st.sampled_from([16, 48, 64]),
    st.booleans(),
)
def test_any_layer(samples, inputs, outputs, density, lanes, relu):
    agrees(*layer(samples, inputs, outputs, density, lanes), relu)


def test_results_that_are_streamed():
    pattern, weight, bias, x, dy = layer(1050, 528, 512, 0.02, 64)
    assert x.nbytes > 2 << 20 < dy.nbytes
    agrees(pattern, weight, bias, x, dy, relu=True)


@pytest.mark.parametrize("shift", [0, 1])
def test_results_go_where_they_shall(shift):
    pattern, weight, bias, x, dy = layer(1050, 528, 512, 0.02, 64)
    values = weight[pattern.mask()]
    room = np.full(1050 * 528 + 32, np.nan, np.float32)
    start = -room.ctypes.data // 4 % 16 + shift  # on a line, or beside one
    y = room[start : start + 1050 * 512].reshape(1050, 512)
    assert cpu.sparse_linear_samples(pattern, values, bias, x, out=y) is y
    np.testing.assert_array_equal(y, cpu.sparse_linear_samples(pattern, values, bias, x))
    assert np.isnan(room[start + y.size :]).all()
    dx = room[start : start + x.size].reshape(x.shape)
    result = cpu.sparse_linear_samples_gradient(pattern, pattern.by_column(values), x, dy, out=dx)
    assert result[0] is dx
    np.testing.assert_array_equal(dx, cpu.sparse_linear_samples_gradient(pattern, pattern.by_column(values), x, dy)[0])
    assert np.isnan(room[:start]).all()
    assert np.isnan(room[start + dx.size :]).all()


def test_other_features_are_refused():
    pattern, weight, bias, x, _ = layer(5, 20, 10, 0.5, 16)
    with pytest.raises(InputError, match="samples of 20 features"):
        cpu.sparse_linear_samples(pattern, weight[pattern.mask()], bias, x[:, 1:])
