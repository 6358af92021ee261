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
    finished,
    generators,
    gradients,
    ones_around,
    plain,
    quick,
    same,
    samples,
    sizes,
    values,
)
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, reference
from tinyticket.kernels.cpu import Images, pack_images, unpack_images
from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares
from tinyticket.kernels.cpu.batch_norm import BatchNormAgain
from tinyticket.kernels.cpu.job import run

pytestmark = pytest.mark.usefixtures("_chunks")
EPSILON = 1e-5


@st.composite
def layers(draw):
    """Yield an input, parameters, running statistics, a number of samples and the options of a normalisation."""
    rng, count, shape = draw(generators), draw(samples), (draw(channels), *draw(sizes))
    assume(count * shape[1] * shape[2] > 2)
    border, y_border, addend_border = draw(borders), draw(borders), draw(borders)
    x = Images(values(rng, count, shape, border).array * np.float32(2) + np.float32(3), border)  # threes in the border
    parameters = [rng.standard_normal(shape[0]).astype(np.float32) for _ in range(3)]
    parameters.append(rng.random(shape[0]).astype(np.float32) + np.float32(0.5))
    addend = values(rng, count, shape, addend_border) if draw(st.booleans()) else None
    options = {"relu": draw(st.booleans()), "addend": addend}
    dy = gradients(rng, count, shape, y_border)
    flags = {"x_is_relu_output": draw(st.booleans()), "addend_is_relu_output": draw(st.booleans())}
    flags["add_to"] = gradients(rng, count, shape, border) if draw(st.booleans()) else None
    flags["addend_add_to"] = gradients(rng, count, shape, addend_border) if addend and draw(st.booleans()) else None
    return Case((x, parameters, count, options, dy, flags))


def completed(y, relu, addend):
    """Add the addend, and set what is negative to zero."""
    y = y if addend is None else y + plain(addend)
    return np.maximum(y, 0) if relu else y


def same_samples(y, expected, count):
    """Agree with the specification where there are samples, and have zeros in the border."""
    same(unpack_images(y, count), expected[:count])
    np.testing.assert_array_equal(y.array, pack_images(plain(y), y.border).array)


@quick
@given(layers())
def test_training_and_evaluation(layer):
    x, (weight, bias, *running), count, options, dy, _ = layer
    ours, theirs = [array.copy() for array in running], [array.astype(np.float64) for array in running]
    chunked(cpu.batch_norm, x, weight, bias, *ours, count, border=dy.border, **options)
    y, mean, inverse = cpu.batch_norm(x, weight, bias, *ours, count, border=dy.border, **options)
    images = plain(x)
    statistics = reference.batch_statistics(images[:count])
    reference.update_running(*theirs, *statistics, images[:count].size / images.shape[1], 0.1)
    for one, two in zip(
        (mean, inverse, *ours), (statistics[0], (statistics[1] + EPSILON) ** -0.5, *theirs), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    same_samples(y, completed(reference.batch_norm(images, *statistics, weight, bias, EPSILON), **options), count)
    y = chunked(cpu.batch_norm_eval, x, weight, bias, *ours, border=dy.border, **options)
    running = [array.astype(np.float64) for array in ours]
    same_samples(y, completed(reference.batch_norm(images, *running, weight, bias, EPSILON), **options), count)


@quick
@given(layers())
def test_gradients(layer):
    x, (weight, bias, *running), count, options, dy, flags = layer
    y, mean, inverse = cpu.batch_norm(x, weight, bias, *running, count, border=dy.border, **options)
    arguments = x, y, dy, weight, bias, mean, inverse, count
    dx, d_addend, dweight, dbias = chunked(cpu.batch_norm_gradient, *arguments, **options, **flags)
    upstream = np.where(plain(y) <= 0, 0, plain(dy)) if options["relu"] else plain(dy)
    statistics = mean.astype(np.float64), inverse.astype(np.float64) ** -2 - EPSILON
    used, images = upstream[:count], plain(x)[:count]
    same(dbias, reference.batch_norm_bias_gradient(used), 1e-4, 1e-4)
    same(dweight, reference.batch_norm_weight_gradient(used, images, *statistics, EPSILON), 1e-4, 1e-4)
    expected = np.zeros_like(upstream)
    expected[:count] = reference.batch_norm_input_gradient(used, images, *statistics, weight, EPSILON)
    same(dx, finished(expected, x, flags["add_to"], flags["x_is_relu_output"]), 1e-4, 1e-4)
    addend = options["addend"]
    assert (d_addend is None) == (addend is None)
    if addend is not None:
        same(d_addend, finished(upstream, addend, flags["addend_add_to"], flags["addend_is_relu_output"]), 1e-4, 1e-4)


@quick
@given(layers(), st.sampled_from([1e6, np.inf, np.nan]))
def test_lanes_without_a_sample_do_not_matter(layer, rubbish):
    x, (weight, bias, *running), count, options, dy, _ = layer
    options = {**options, "addend": None}
    results = []
    for fill in (0, rubbish):
        images = plain(x)
        images[count:] = fill
        filled, kept = pack_images(images, x.border), [array.copy() for array in running]
        y, mean, inverse = cpu.batch_norm(filled, weight, bias, *kept, count, border=dy.border, **options)
        dx, _, *others = cpu.batch_norm_gradient(filled, y, dy, weight, bias, mean, inverse, count, **options)
        assert not plain(dx)[count:].any()
        results.append((unpack_images(y, count), mean, inverse, *kept, dx.array, *others))
    for clean, dirty in zip(*results, strict=True):
        np.testing.assert_array_equal(clean, dirty)


@quick
@given(layers())
def test_once_more_is_the_same_bit_for_bit(layer):
    x, (weight, bias, *running), count, options, dy, _ = layer
    y, mean, inverse = cpu.batch_norm(x, weight, bias, *running, count, relu=options["relu"], border=dy.border)
    again, window = Images.zeros(y.tiles, y.geometry), elementwise_window(x, y.border)
    job = BatchNormAgain(x.interior, again.interior, weight, bias, mean, inverse, options["relu"], window)
    run(job, even_shares(x.geometry.channels, 2))
    np.testing.assert_array_equal(again.array.view(np.uint32), y.array.view(np.uint32))


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

    packed, options = pack_images(images), {"addend": pack_images(shortcut) if residual else None, "relu": relu}
    y, mean, inverse = cpu.batch_norm(packed, weight, bias, *running, count, **options)
    same(unpack_images(y, count), out.detach().numpy())
    for ours, theirs in zip(running, (layer.running_mean, layer.running_var), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6)
    dx, d_addend, dweight, dbias = cpu.batch_norm_gradient(
        packed, y, pack_images(upstream), weight, bias, mean, inverse, count, **options
    )
    np.testing.assert_allclose(unpack_images(dx, count), x.grad.numpy(), rtol=1e-4, atol=1e-4)
    if residual:
        np.testing.assert_array_equal(unpack_images(d_addend, count), addend.grad.numpy())
    np.testing.assert_allclose(dweight, layer.weight.grad.numpy(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(dbias, layer.bias.grad.numpy(), rtol=1e-5, atol=1e-4)
    layer.eval()
    y = cpu.batch_norm_eval(packed, weight, bias, *running)
    same(unpack_images(y, count), layer(x).detach().numpy())


def test_a_mean_far_from_zero_costs_no_accuracy():
    rng = np.random.default_rng(4)
    x = Images((1000 + rng.standard_normal((8, 1, 32, 32, 16))).astype(np.float32))
    running = np.zeros(1, np.float32), np.ones(1, np.float32)
    _, mean, inverse = cpu.batch_norm(x, np.ones(1), np.zeros(1), *running, 128)
    np.testing.assert_allclose(mean, x.array.mean(dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(inverse, 1 / np.sqrt(x.array.var(dtype=np.float64) + 1e-5), rtol=1e-6)


def test_a_first_row_unlike_the_others_costs_no_accuracy():
    x = Images(np.random.default_rng(0).standard_normal((2, 1, 32, 32, 16)).astype(np.float32))
    x.array[0, :, 0] += np.float32(1e4)
    ones, zeros = np.ones(1, np.float32), np.zeros(1, np.float32)
    _, mean, inverse = cpu.batch_norm(x, ones, zeros, zeros.copy(), ones.copy(), 32)
    np.testing.assert_allclose(mean, x.array.mean(dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(inverse, 1 / np.sqrt(x.array.var(dtype=np.float64) + 1e-5), rtol=1e-6)


def test_gradients_leave_borders_alone():
    rng = np.random.default_rng(5)
    x, dy, running = values(rng, 20, (3, 4, 5), 1), gradients(rng, 20, (3, 4, 5), 0), np.ones((2, 3), np.float32)
    add_to = gradients(rng, 20, (3, 4, 5), 1)
    options = {"addend": x, "relu": True}
    y, mean, inverse = cpu.batch_norm(x, np.ones(3), np.zeros(3), *running, 20, **options)
    flags = {"add_to": ones_around(add_to), "addend_add_to": ones_around(add_to)}
    flags |= {"x_is_relu_output": True, "addend_is_relu_output": True}
    results = cpu.batch_norm_gradient(x, y, dy, np.ones(3), np.zeros(3), mean, inverse, 20, **options, **flags)
    for dx in results[:2]:
        np.testing.assert_array_equal(dx.array, ones_around(dx).array)


def test_too_few_or_too_many_samples_are_refused():
    x, ones = Images(np.zeros((1, 1, 1, 1, 16), np.float32)), np.ones(1, np.float32)
    running = np.ones((2, 1), np.float32)
    with pytest.raises(InputError, match="one sample of one pixel"):
        cpu.batch_norm(x, ones, ones, *running, 1)
    with pytest.raises(InputError, match="17 samples do not fit into 1 tiles"):
        cpu.batch_norm(x, ones, ones, *running, 17)
    with pytest.raises(InputError, match="0 samples do not fit into 1 tiles"):
        cpu.batch_norm_gradient(x, x, x, ones, ones, ones, ones, 0)


def test_arrays_that_do_not_fit_are_refused():
    x, ones = Images(np.zeros((1, 2, 4, 4, 16), np.float32)), np.ones(2, np.float32)
    other = Images(np.zeros((1, 2, 4, 6, 16), np.float32))
    with pytest.raises(InputError, match="weight has shape"):
        cpu.batch_norm(x, ones[:1], ones, *np.ones((2, 2), np.float32), 5)
    with pytest.raises(InputError, match="running_mean is float64"):
        cpu.batch_norm(x, ones, ones, np.ones(2), ones.copy(), 5)
    with pytest.raises(InputError, match="addend is Image"):
        cpu.batch_norm_eval(x, ones, ones, ones, ones, addend=other)
    with pytest.raises(InputError, match="dy is Image"):
        cpu.batch_norm_gradient(x, x, other, ones, ones, ones, ones, 5)
