"""Batch normalisation of packed images against its specification and PyTorch; lanes without a sample must not matter."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.kernels.images import (
    Case,
    borders,
    channels,
    chunked,
    generators,
    gradients,
    ones_around,
    quick,
    same,
    samples,
    sizes,
    values,
)
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.reference import packed_layers as reference
from tinyticket.kernels.reference.packed_images import images_of, packed_images

pytestmark = pytest.mark.usefixtures("_chunks")


@st.composite
def layers(draw):
    """Yield an input, parameters, running statistics, a number of samples and the options of a normalisation."""
    rng, count, shape = draw(generators), draw(samples), (draw(channels), *draw(sizes))
    assume(count * shape[1] * shape[2] > 2)
    border, y_border, addend_border = draw(borders), draw(borders), draw(borders)
    x = values(rng, count, shape, border) * np.float32(2) + np.float32(3)
    parameters = [rng.standard_normal(shape[0]).astype(np.float32) for _ in range(3)]
    parameters.append(rng.random(shape[0]).astype(np.float32) + np.float32(0.5))
    options = {"border": border, "y_border": y_border, "addend_border": addend_border, "relu": draw(st.booleans())}
    options["addend"] = values(rng, count, shape, addend_border) if draw(st.booleans()) else None
    dy = gradients(rng, count, shape, y_border)
    flags = {"x_relu": draw(st.booleans()), "addend_relu": draw(st.booleans())}
    flags["add_to"] = gradients(rng, count, shape, border) if draw(st.booleans()) else None
    flags["addend_add_to"] = gradients(rng, count, shape, addend_border) if draw(st.booleans()) else None
    return Case((x, parameters, count, options, dy, flags))


def used(packed, border, count):
    """Return the images of the samples alone."""
    return images_of(packed, border)[:count]


@quick
@given(layers())
def test_training_and_evaluation(layer):
    x, (weight, bias, *running), count, options, _, _ = layer
    ours, theirs = [array.copy() for array in running], [array.astype(np.float64) for array in running]
    chunked(cpu.batch_norm, x, weight, bias, *ours, count, **options)
    y, mean, inverse = cpu.batch_norm(x, weight, bias, *ours, count, **options)
    expected = reference.batch_norm(x, weight, bias, *theirs, count, **options)
    for one, two in zip((mean, inverse, *ours), (*expected[1:], *theirs), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    same(used(y, options["y_border"], count), used(expected[0], options["y_border"], count))
    y = chunked(cpu.batch_norm_inference, x, weight, bias, *ours, **options)
    expected = reference.batch_norm_inference(x, weight, bias, *ours, **options)
    same(used(y, options["y_border"], count), used(expected, options["y_border"], count))


@quick
@given(layers())
def test_gradients(layer):
    x, (weight, bias, *running), count, options, dy, flags = layer
    y, mean, inverse = cpu.batch_norm(x, weight, bias, *running, count, **options)
    arguments = x, y, dy, weight, bias, mean, inverse, count
    ours = chunked(cpu.batch_norm_gradient, *arguments, **options, **flags)
    theirs = reference.batch_norm_gradient(*arguments, **options, **flags)
    for one, two in zip(ours, theirs, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


@quick
@given(layers(), st.sampled_from([1e6, np.inf, np.nan]))
def test_lanes_without_a_sample_do_not_matter(layer, rubbish):
    x, (weight, bias, *running), count, options, dy, _ = layer
    options = {**options, "addend": None}
    results = []
    for fill in (0, rubbish):
        images = images_of(x, options["border"]).astype(np.float32)
        images[count:] = fill
        filled, kept = packed_images(images, options["border"]), [array.copy() for array in running]
        y, mean, inverse = cpu.batch_norm(filled, weight, bias, *kept, count, **options)
        dx, _, *others = cpu.batch_norm_gradient(filled, y, dy, weight, bias, mean, inverse, count, **options)
        assert not images_of(dx, options["border"])[count:].any()
        results.append((used(y, options["y_border"], count), mean, inverse, *kept, dx, *others))
    for clean, dirty in zip(*results, strict=True):
        np.testing.assert_array_equal(clean, dirty)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_it_is_pytorchs(torch, relu, residual):
    rng, count, shape = np.random.default_rng(3), 37, (5, 9, 7)
    images, shortcut, upstream = rng.standard_normal((3, count, *shape)).astype(np.float32)
    images = images * np.float32(0.1) + np.float32(2)
    layer = torch.nn.BatchNorm2d(5)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(rng.random(5)))
        layer.bias.copy_(torch.tensor(rng.standard_normal(5)))
    weight, bias = (parameter.detach().numpy().copy() for parameter in (layer.weight, layer.bias))
    running = np.zeros(5, np.float32), np.ones(5, np.float32)
    x, addend = torch.tensor(images, requires_grad=True), torch.tensor(shortcut, requires_grad=True)
    out = layer(x) + addend if residual else layer(x)
    out = torch.relu(out) if relu else out
    out.backward(torch.tensor(upstream))

    def packed(array):
        return packed_images(np.pad(array, ((0, -count % 16), (0, 0), (0, 0), (0, 0))), 0)

    options = {"addend": packed(shortcut) if residual else None, "relu": relu}
    y, mean, inverse = cpu.batch_norm(packed(images), weight, bias, *running, count, **options)
    same(used(y, 0, count), out.detach().numpy())
    for ours, theirs in zip(running, (layer.running_mean, layer.running_var), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6)
    gradient = cpu.batch_norm_gradient(
        packed(images), y, packed(upstream), weight, bias, mean, inverse, count, **options
    )
    np.testing.assert_allclose(used(gradient[0], 0, count), x.grad.numpy(), rtol=1e-4, atol=1e-4)
    if residual:
        np.testing.assert_array_equal(used(gradient[1], 0, count), addend.grad.numpy())
    np.testing.assert_allclose(gradient[2], layer.weight.grad.numpy(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(gradient[3], layer.bias.grad.numpy(), rtol=1e-5, atol=1e-4)
    layer.eval()
    y = cpu.batch_norm_inference(packed(images), weight, bias, *running)
    same(used(y, 0, count), layer(x).detach().numpy())


def test_a_mean_far_from_zero_costs_no_accuracy():
    rng = np.random.default_rng(4)
    x = (1000 + rng.standard_normal((8, 1, 32, 32, 16))).astype(np.float32)
    running = np.zeros(1, np.float32), np.ones(1, np.float32)
    _, mean, inverse = cpu.batch_norm(x, np.ones(1), np.zeros(1), *running, 128)
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(inverse, 1 / np.sqrt(x.var(dtype=np.float64) + 1e-5), rtol=1e-6)


def test_a_first_row_unlike_the_others_costs_no_accuracy():
    x = np.random.default_rng(0).standard_normal((2, 1, 32, 32, 16)).astype(np.float32)
    x[0, :, 0] += np.float32(1e4)
    ones, zeros = np.ones(1, np.float32), np.zeros(1, np.float32)
    _, mean, inverse = cpu.batch_norm(x, ones, zeros, zeros.copy(), ones.copy(), 32)
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(inverse, 1 / np.sqrt(x.var(dtype=np.float64) + 1e-5), rtol=1e-6)


def test_gradients_leave_borders_alone():
    rng = np.random.default_rng(5)
    x, dy, running = values(rng, 20, (3, 4, 5), 1), gradients(rng, 20, (3, 4, 5), 0), np.ones((2, 3), np.float32)
    add_to = ones_around(gradients(rng, 20, (3, 4, 5), 1), 1)
    options = {"addend": x, "relu": True, "border": 1, "addend_border": 1}
    y, mean, inverse = cpu.batch_norm(x, np.ones(3), np.zeros(3), *running, 20, **options)
    flags = {"add_to": add_to.copy(), "addend_add_to": add_to.copy(), "x_relu": True, "addend_relu": True}
    results = cpu.batch_norm_gradient(x, y, dy, np.ones(3), np.zeros(3), mean, inverse, 20, **options, **flags)
    for dx in results[:2]:
        np.testing.assert_array_equal(dx, ones_around(dx.copy(), 1))


def test_too_few_or_too_many_samples_are_refused():
    x, ones = np.zeros((1, 1, 1, 1, 16), np.float32), np.ones(1, np.float32)
    with pytest.raises(InputError, match="one sample of one pixel"):
        cpu.batch_norm(x, ones, ones, ones, ones, 1)
    with pytest.raises(InputError, match="17 samples do not fit into 1 tiles"):
        cpu.batch_norm(x, ones, ones, ones, ones, 17)
