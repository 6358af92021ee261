"""The sparse convolution kernels against their specification, over sizes on both sides of every patch, strides and borders."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.image import Image, gradient_border, make_window
from tinyticket.kernels.cpu.sparse_convolution_passes import (
    sparse_convolve,
    sparse_convolve_backward,
    sparse_convolve_gradient,
)
from tinyticket.kernels.reference import sparse_convolution as reference
from tinyticket.sparse import ConvPattern

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 16, 17, 28, 32]


def geometry(channels, size, kernel, stride, padding, tiles, extra=(0, 0)):
    """Return the window of a convolution whose images have the borders they need, or some more."""
    height, width = size
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel, strict=True))
    needed = max(gradient_border(n, k, stride, padding) for n, k in zip(size, kernel, strict=True))
    x = Image(channels[0], height, width, padding + extra[0])
    y = Image(channels[1], rows, columns, needed + extra[1])
    return make_window(tiles, x, y, kernel, stride, padding), x, y


@st.composite
def layers(draw):
    """Yield a pattern, a masked weight, a bias, an input and an upstream gradient, packed."""
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 3), (2, 2)]))
    stride, padding = draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(0, 2))
    sizes = [draw(st.sampled_from([n for n in SIZES if n + 2 * padding >= k])) for k in kernel]
    channels = draw(st.sampled_from([1, 2, 3, 7])), draw(st.sampled_from([1, 2, 5, 8]))
    extra = draw(st.sampled_from([(0, 0), (1, 2)]))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 0.8, 1.0]))
    blocks, tiles, seed = draw(st.sampled_from([None, 1, 3])), draw(st.integers(1, 5)), draw(st.integers(0, 2**16))
    return layer(channels, sizes, kernel, stride, padding, tiles, extra, density, blocks, seed)


def layer(channels, sizes, kernel, stride, padding, tiles, extra=(0, 0), density=0.3, blocks=None, seed=0):
    window, x, y = geometry(channels, sizes, kernel, stride, padding, tiles, extra)
    rng = np.random.default_rng(seed)
    mask = rng.random((y.channels, x.channels, *kernel)) < density
    mask[rng.random(y.channels) < 0.2] = False
    mask[:, rng.random(x.channels) < 0.2] = False
    pattern = ConvPattern.from_mask(mask, window, row_blocks=blocks, column_blocks=blocks)
    weight = np.where(mask, rng.standard_normal(mask.shape), 0).astype(np.float32)
    samples = 16 * tiles - int(rng.integers(0, 16))
    before = np.maximum(rng.standard_normal((samples, *x[:3])), 0).astype(np.float32)
    above = rng.standard_normal((samples, *y[:3])).astype(np.float32)
    bias = rng.standard_normal(y.channels).astype(np.float32)
    return pattern, weight, bias, cpu.pack_images(before, x.border), cpu.pack_images(above, y.border)


def same(result, expected):
    """Agree to float32 rounding of sums of some thousand terms."""
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(layers(), st.booleans())
@example(layer((3, 5), (32, 32), (3, 3), 1, 1, 2), True)
@example(layer((7, 8), (16, 16), (3, 3), 2, 1, 4), True)
@example(layer((5, 6), (1, 1), (3, 3), 1, 1, 5), False)
@example(layer((5, 6), (1, 1), (1, 1), 2, 0, 5, density=1.0), False)
@example(layer((2, 3), (1, 1), (3, 3), 2, 1, 3, density=1.0), False)
@example(layer((3, 2), (9, 7), (1, 1), 2, 0, 2, density=1.0), True)
def test_passes(case, relu):
    pattern, weight, bias, x, dy = case
    values = pattern.values(weight)
    by_column = pattern.by_column(values)
    y = one_and_two_threads(cpu.sparse_conv_forward, pattern, values, bias, x, relu=relu)
    same(y, reference.sparse_conv_forward(pattern, values, bias, x, relu=relu))
    dx, gradient = one_and_two_threads(cpu.sparse_conv_backward, pattern, by_column, x, dy, relu=relu)
    expected = reference.sparse_conv_backward(pattern, by_column, x, dy, relu=relu)
    same(dx, expected[0])
    same(gradient, expected[1])
    alone = one_and_two_threads(cpu.sparse_conv_gradient, pattern, x, dy)
    same(alone, reference.sparse_conv_gradient(pattern, x, dy))
    # The gradient of another consumer of x is added to, in place, and the border is left alone.
    start = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    held = start.copy()
    once, gradient_again = cpu.sparse_conv_backward(pattern, by_column, x, dy, relu=relu, dx=held)
    assert once is held
    np.testing.assert_array_equal(gradient_again, gradient)
    border = (pattern.window.x_row // 16 - pattern.window.x_width) // 2
    inside = np.zeros(x.shape, bool)
    inside[:, :, border : x.shape[2] - border, border : x.shape[3] - border] = True
    added, _ = reference.sparse_conv_backward(pattern, by_column, x, dy, relu=relu, dx=start)
    same(held[inside], added[inside])
    np.testing.assert_array_equal(held[~inside], start[~inside])


@settings(max_examples=15, deadline=None)
@given(layers(), st.integers(1, 9))
def test_any_number_of_chunks_gives_the_same_bits(case, chunks):
    pattern, weight, bias, x, dy = case
    values = pattern.values(weight)
    by_column = pattern.by_column(values)
    window = pattern.window
    x_border, y_border = (window.x_row // 16 - window.x_width) // 2, (window.y_row // 16 - window.width) // 2
    origins = x_border * (window.x_row + 16), y_border * (window.y_row + 16)
    y, dx = np.zeros(dy.shape, np.float32), np.zeros(x.shape, np.float32)
    in_columns, in_rows = np.zeros(pattern.count, np.float32), np.zeros(pattern.count, np.float32)
    flat = x.reshape(-1), dy.reshape(-1)
    rows, columns = pattern.row_bounds(chunks), pattern.column_bounds(chunks)
    assert rows.size == columns.size == chunks + 1
    sparse_convolve(rows, pattern.rows, values, bias, flat[0], y.reshape(-1), *origins, window, False)
    sparse_convolve_backward(
        columns, pattern.columns, by_column, *flat, dx.reshape(-1), in_columns, *origins, window, False, False
    )
    sparse_convolve_gradient(rows, pattern.rows, *flat, in_rows, *origins, window)
    np.testing.assert_array_equal(y, cpu.sparse_conv_forward(pattern, values, bias, x, threads=1))
    once = cpu.sparse_conv_backward(pattern, by_column, x, dy, threads=1)
    np.testing.assert_array_equal(dx, once[0])
    np.testing.assert_array_equal(in_columns, once[1])
    np.testing.assert_array_equal(in_rows, cpu.sparse_conv_gradient(pattern, x, dy, threads=1))


@pytest.mark.parametrize(("stride", "padding", "size"), [(1, 1, 8), (2, 1, 9), (2, 0, 8), (1, 0, 6)])
def test_pytorch_agrees(torch, stride, padding, size):
    window, x, y = geometry((5, 6), (size, size), (3, 3), stride, padding, 2)
    rng = np.random.default_rng(1)
    mask = rng.random((6, 5, 3, 3)) < 0.3
    pattern = ConvPattern.from_mask(mask, window)
    weight, bias = (rng.standard_normal(mask.shape) * mask).astype(np.float32), np.ones(6, np.float32)
    inputs = torch.from_numpy(rng.standard_normal((20, *x[:3])).astype(np.float32)).requires_grad_()
    weights = torch.from_numpy(weight).requires_grad_()
    outputs = torch.nn.functional.conv2d(inputs, weights, torch.from_numpy(bias), stride, padding)
    above = rng.standard_normal(outputs.shape).astype(np.float32)
    outputs.backward(torch.from_numpy(above))
    packed, packed_above = cpu.pack_images(inputs.detach().numpy(), x.border), cpu.pack_images(above, y.border)
    result = cpu.sparse_conv_forward(pattern, pattern.values(weight), bias, packed)
    same(cpu.unpack_images(result, 20, y.border), outputs.detach().numpy())
    dx, gradient = cpu.sparse_conv_backward(pattern, pattern.by_column(pattern.values(weight)), packed, packed_above)
    same(cpu.unpack_images(dx, 20, x.border), inputs.grad.numpy())
    same(pattern.by_row(gradient), weights.grad.numpy()[mask])


def test_arguments_are_checked():
    pattern, weight, bias, x, dy = layer((3, 5), (8, 8), (3, 3), 1, 1, 1)
    values = pattern.values(weight)
    with pytest.raises(InputError, match=r"x has shape .* but \(tiles, 3, 10, 10, 16\) was expected"):
        cpu.sparse_conv_forward(pattern, values, bias, dy)
    with pytest.raises(InputError, match="values has shape"):
        cpu.sparse_conv_forward(pattern, weight, bias, x)
    with pytest.raises(InputError, match="dy has shape"):
        cpu.sparse_conv_gradient(pattern, x, dy[:, :4])
    with pytest.raises(InputError, match="dx is float64"):
        cpu.sparse_conv_backward(pattern, values, x, dy, dx=x.astype(np.float64))
    with pytest.raises(InputError, match="out must be C-contiguous"):
        cpu.sparse_conv_forward(pattern, values, bias, x, out=dy.transpose(0, 1, 3, 2, 4))
