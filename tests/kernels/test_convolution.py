"""The dense convolution's passes against their specification, over shapes, strides, borders, flags and numbers of chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyticket import kernels
from tinyticket.errors import InputError
from tinyticket.kernels.cpu import convolution
from tinyticket.kernels.geometry import gradient_border
from tinyticket.kernels.reference import packed_images as reference

quick = settings(max_examples=40, deadline=None)


@st.composite
def layers(draw):
    """Yield images, a weight, a bias, dy and the geometry, with sizes on both sides of every register tile."""
    stride, padding = draw(st.sampled_from([1, 2])), draw(st.integers(0, 2))
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (2, 2), (3, 1), (1, 4)]))
    least = [max(1, span - 2 * padding) for span in kernel]
    height, width = (size + draw(st.integers(0, 8)) for size in least)
    inputs, outputs = draw(st.sampled_from([1, 2, 3, 5, 7, 8, 13])), draw(st.sampled_from([1, 3, 4, 6, 9, 33]))
    samples = 16 * draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    sizes = zip((height, width), kernel, strict=True)
    rows, columns = ((size + 2 * padding - span) // stride + 1 for size, span in sizes)
    border = padding + draw(st.integers(0, 1))
    spans = zip((height, width), kernel, strict=True)
    y_border = max(gradient_border(size, span, stride, padding) for size, span in spans) + draw(st.integers(0, 1))
    x = np.maximum(rng.standard_normal((samples, inputs, height, width)), 0).astype(np.float32)
    dy = rng.standard_normal((samples, outputs, rows, columns)).astype(np.float32)
    weight = rng.standard_normal((outputs, inputs, *kernel)).astype(np.float32)
    geometry = {"border": border, "y_border": y_border, "stride": stride, "padding": padding}
    bias = rng.standard_normal(outputs).astype(np.float32)
    return weight, bias, kernels.pack_images(x, border), kernels.pack_images(dy, y_border), geometry


def same(result, expected):
    """Agree to float32 rounding, relative to the largest of the sums."""
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5 * max(1, np.abs(expected).max()))


def with_chunks(monkeypatch, kernel, *args, **options):
    """Run a kernel with one chunk and with several, and return what they gave: the same bits."""
    results = []
    for chunks in (1, 2, 3, 7):
        monkeypatch.setattr(convolution, "thread_count", lambda threads, chunks=chunks: chunks)
        copied = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in options.items()}
        results.append(kernel(*args, **copied))
        np.testing.assert_array_equal(results[-1], results[0])
    return results[0]


@quick
@given(layers(), st.booleans())
def test_forward(layer, relu):
    weight, bias, x, _, geometry = layer
    with pytest.MonkeyPatch.context() as monkeypatch:
        y = with_chunks(monkeypatch, kernels.conv_forward, weight, bias, x, relu=relu, **geometry)
    same(y, reference.conv_forward(weight, bias, x, relu=relu, **geometry))


@quick
@given(layers(), st.booleans(), st.booleans())
def test_input_gradient(layer, relu, add):
    weight, _, x, dy, geometry = layer
    held = np.random.default_rng(1).standard_normal(x.shape, np.float32) if add else None
    if add:  # the border is never written, and so must be what it was
        held = kernels.pack_images(kernels.unpack_images(held, len(x) * 16, geometry["border"]), geometry["border"])
    options = dict(geometry, relu=relu, add_to=held)
    with pytest.MonkeyPatch.context() as monkeypatch:
        dx = with_chunks(monkeypatch, kernels.conv_input_gradient, weight, x, dy, **options)
    same(dx, reference.conv_input_gradient(weight, x, dy, **options))


@quick
@given(layers())
def test_weight_gradient(layer):
    weight, _, x, dy, geometry = layer
    kernel = weight.shape[2:]
    with pytest.MonkeyPatch.context() as monkeypatch:
        gradient = with_chunks(monkeypatch, kernels.conv_weight_gradient, x, dy, kernel, **geometry)
    same(gradient, reference.conv_weight_gradient(x, dy, kernel, **geometry))


def test_long_sums_go_block_by_block():
    rng = np.random.default_rng(0)
    x = kernels.pack_images(rng.standard_normal((20, 70, 13, 21), np.float32), 1)
    dy = kernels.pack_images(rng.standard_normal((20, 70, 13, 21), np.float32), 1)
    weight, bias = rng.standard_normal((70, 70, 3, 3), np.float32), np.zeros(70, np.float32)
    geometry = {"border": 1, "y_border": 1, "padding": 1}
    same(kernels.conv_forward(weight, bias, x, **geometry), reference.conv_forward(weight, bias, x, **geometry))
    dx = kernels.conv_input_gradient(weight, x, dy, **geometry)
    same(dx, reference.conv_input_gradient(weight, x, dy, **geometry))
    gradient = kernels.conv_weight_gradient(x, dy, (3, 3), **geometry)
    same(gradient, reference.conv_weight_gradient(x, dy, (3, 3), **geometry))


def test_nan_is_not_lost():
    x, weight, bias = np.ones((1, 2, 6, 6), np.float32), np.ones((3, 2, 3, 3), np.float32), np.zeros(3, np.float32)
    x[0, 0, 2, 2] = np.nan
    packed = kernels.pack_images(x, 1)
    y = kernels.unpack_images(kernels.conv_forward(weight, bias, packed, border=1, padding=1, relu=True), 1)
    assert np.isnan(y[:, :, 1:4, 1:4]).all()
    assert np.isnan(y).sum() == 3 * 9
    dy = kernels.pack_images(np.ones((1, 3, 6, 6), np.float32), 1)
    gradient = kernels.conv_weight_gradient(packed, dy, (3, 3), border=1, y_border=1, padding=1)
    assert np.isnan(gradient[:, 0]).all()
    assert not np.isnan(gradient[:, 1]).any()
    dy[0, 1, 3, 3, 0] = np.nan
    dx = kernels.conv_input_gradient(weight, packed, dy, border=1, y_border=1, padding=1, relu=True)
    assert np.isnan(dx[0, :, 2:5, 2:5, 0]).all()
    assert np.isnan(dx).sum() == 2 * 9


def test_bad_arguments_are_named():
    x, weight, bias = np.zeros((1, 2, 6, 6, 16), np.float32), np.zeros((3, 2, 3, 3), np.float32), np.zeros(3)
    dy = np.zeros((1, 3, 4, 4, 16), np.float32)
    with pytest.raises(InputError, match="weight has shape"):
        kernels.conv_forward(weight[:, :1], bias, x)
    with pytest.raises(InputError, match="stride 0"):
        kernels.conv_forward(weight, bias, x, stride=0)
    with pytest.raises(InputError, match="bias has shape"):
        kernels.conv_forward(weight, bias[:2], x)
    with pytest.raises(InputError, match="padding 2 is wider than the border"):
        kernels.conv_forward(weight, bias, x, border=1, padding=2)
    with pytest.raises(InputError, match="needs a border of 2 zeros"):
        kernels.conv_input_gradient(weight, x, dy)
    with pytest.raises(InputError, match="dy has shape"):
        kernels.conv_input_gradient(weight, x, dy, y_border=2)
    with pytest.raises(InputError, match="dy is Image"):
        kernels.conv_weight_gradient(x, dy[:, :, 1:], (3, 3))
