"""The sparse convolution kernels against their specification, over sizes on both sides of every patch, strides and borders."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kernels import convolutions
from tests.kernels.convolutions import any_shares, inside, plain
from tinyticket import kernels
from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.kernels.cpu.packing import Images
from tinyticket.kernels.geometry import Image, gradient_border, make_window
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
    return pattern, weight, bias, kernels.pack_images(before, x.border), kernels.pack_images(above, y.border)


def same(result, expected):
    """Agree to float32 rounding of sums of some thousand terms."""
    convolutions.same(result, expected, atol=1e-4)


def expected_of(pattern, weight, bias, x, dy):
    """Return the output, the input gradient and the weight gradient of the dense convolution with the masked weight."""
    window = pattern.window
    geometry = {"stride": (window.stride,) * 2, "padding": (window.padding,) * 2}
    images, above, weight = plain(x), plain(dy), weight.astype(np.float64)
    y = reference.conv2d(images, weight, bias, **geometry)
    dx = reference.conv2d_input_gradient(above, weight, images.shape, **geometry)
    return y, dx, reference.conv2d_weight_gradient(above, images, weight.shape[2:], **geometry)


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
    outputs, before, weight_gradient = expected_of(pattern, weight, bias, x, dy)
    y = any_shares(kernels.sparse_conv2d, pattern, values, bias, x, relu=relu, counts=(1, 2))
    same(y, np.maximum(outputs, 0) if relu else outputs)
    options = {"x_is_relu_output": relu}
    dx, gradient = any_shares(kernels.sparse_conv2d_gradient, pattern, by_column, x, dy, counts=(1, 2), **options)
    same(dx, np.where(plain(x) <= 0, 0, before) if relu else before)
    same(gradient, pattern.by_column(weight_gradient[pattern.mask()]))
    alone = any_shares(kernels.sparse_conv2d_weight_gradient, pattern, x, dy, counts=(1, 2))
    same(alone, weight_gradient[pattern.mask()])
    # The gradient of another consumer of x is added to, in place, and the border is left alone.
    start = np.random.default_rng(0).standard_normal(x.array.shape).astype(np.float32)
    held, here = Images(start.copy(), x.border), inside(x)
    once, gradient_again = kernels.sparse_conv2d_gradient(pattern, by_column, x, dy, dx=held, **options)
    assert once is held
    np.testing.assert_array_equal(gradient_again, gradient)
    added = before + plain(Images(start, x.border))
    same(Images(np.where(here, held.array, 0), x.border), np.where(plain(x) <= 0, 0, added) if relu else added)
    np.testing.assert_array_equal(held.array[~here], start[~here])
    # So is that of a result that is given.
    given = Images(np.full(dy.array.shape, 7, np.float32), dy.border)
    assert kernels.sparse_conv2d(pattern, values, bias, x, relu=relu, out=given) is given
    np.testing.assert_array_equal(given.array, np.where(inside(dy), y.array, 7))


@settings(max_examples=15, deadline=None)
@given(layers(), st.integers(1, 9))
def test_any_number_of_shares_gives_the_same_bits(case, count):
    pattern, weight, bias, x, dy = case
    values = pattern.values(weight)
    assert pattern.row_bounds(count).size == pattern.column_bounds(count).size == count + 1
    any_shares(kernels.sparse_conv2d, pattern, values, bias, x, counts=(1, count))
    any_shares(kernels.sparse_conv2d_gradient, pattern, pattern.by_column(values), x, dy, counts=(1, count))
    any_shares(kernels.sparse_conv2d_weight_gradient, pattern, x, dy, counts=(1, count))


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
    packed = kernels.pack_images(inputs.detach().numpy(), x.border)
    packed_above = kernels.pack_images(above, y.border)
    values = pattern.values(weight)
    result = kernels.sparse_conv2d(pattern, values, bias, packed)
    same(kernels.unpack_images(result, 20), outputs.detach().numpy())
    dx, gradient = kernels.sparse_conv2d_gradient(pattern, pattern.by_column(values), packed, packed_above)
    same(kernels.unpack_images(dx, 20), inputs.grad.numpy())
    same(pattern.by_row(gradient), weights.grad.numpy()[mask])


def test_arguments_are_checked():
    pattern, weight, bias, x, dy = layer((3, 5), (8, 8), (3, 3), 1, 1, 1)
    values = pattern.values(weight)
    with pytest.raises(
        InputError, match=r"x is Image\(channels=5.* but Image\(channels=3, height=8, width=8, border=1"
    ):
        kernels.sparse_conv2d(pattern, values, bias, dy)
    with pytest.raises(InputError, match="x is Image"):  # of the right size, but with another border
        kernels.sparse_conv2d(pattern, values, bias, Images(x.array[:, :, 1:9, 1:9]))
    with pytest.raises(InputError, match="values has shape"):
        kernels.sparse_conv2d(pattern, weight, bias, x)
    with pytest.raises(InputError, match="bias has shape"):
        kernels.sparse_conv2d(pattern, values, bias[1:], x)
    with pytest.raises(InputError, match="dy is Image"):
        kernels.sparse_conv2d_weight_gradient(pattern, x, Images(dy.array[:, :4], 1))
    with pytest.raises(InputError, match="dy is Image"):
        kernels.sparse_conv2d_gradient(pattern, values, x, x)
    with pytest.raises(InputError, match="dx is Image"):
        kernels.sparse_conv2d_gradient(pattern, values, x, dy, dx=Images(dy.array.copy(), dy.border))
    with pytest.raises(InputError, match="out is Image"):
        kernels.sparse_conv2d(pattern, values, bias, x, out=Images(x.array.copy(), x.border))
    dy.array.flags.writeable = False
    with pytest.raises(InputError, match="out must be writeable"):
        kernels.sparse_conv2d(pattern, values, bias, x, out=dy)


def test_patterns_of_shared_borders_are_refused():
    x, y = Image(3, 8, 8, 1, 1), Image(5, 8, 8, 1, 1)
    pattern = ConvPattern.from_mask(np.ones((5, 3, 3, 3), bool), make_window(1, x, y, (3, 3), padding=1), shared=True)
    with pytest.raises(InputError, match="share their borders"):
        kernels.sparse_conv2d_weight_gradient(
            pattern, *(kernels.pack_images(np.zeros((1, c, 8, 8)), 1) for c in (3, 5))
        )
