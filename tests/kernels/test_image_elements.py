"""Residual additions, copies and ReLUs, dropout and bias sums of packed images against their specifications."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.images import (
    borders,
    channels,
    chunked,
    generators,
    gradients,
    lanes_of,
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
from tinyticket.kernels.reference.packed_images import packed_images

pytestmark = pytest.mark.usefixtures("_chunks")


@st.composite
def batches(draw):
    """Yield a generator, a number of samples, the images' shape and three borders."""
    return draw(generators), draw(samples), (draw(channels), *draw(sizes)), draw(st.tuples(borders, borders, borders))


@quick
@given(batches(), *[st.booleans()] * 5)
def test_addition(batch, relu, add, x_relu, addend_add, addend_relu):
    rng, count, shape, (border, addend_border, y_border) = batch
    x, addend = values(rng, count, shape, border), values(rng, count, shape, addend_border)
    options = {"relu": relu, "border": border, "addend_border": addend_border, "y_border": y_border}
    y = chunked(cpu.add_images, x, addend, **options)
    np.testing.assert_allclose(y, reference.add_images(x, addend, **options), rtol=1e-6)
    dy = gradients(rng, count, shape, y_border)
    options |= {"add_to": gradients(rng, count, shape, border) if add else None, "x_relu": x_relu}
    options |= {"addend_add_to": gradients(rng, count, shape, addend_border) if addend_add else None}
    options |= {"addend_relu": addend_relu}
    expected = reference.add_images_gradient(x, addend, y, dy, **options)
    for one, two in zip(chunked(cpu.add_images_gradient, x, addend, y, dy, **options), expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-6)


@quick
@given(batches(), *[st.booleans()] * 3)
def test_copies_and_relus(batch, relu, add, x_relu):
    rng, count, shape, (border, _, y_border) = batch
    x, dy = ones_around(values(rng, count, shape, border), border), gradients(rng, count, shape, y_border)
    options = {"relu": relu, "border": border, "y_border": y_border}
    y = chunked(cpu.copy_images, x, **options)
    np.testing.assert_array_equal(y, reference.copy_images(x, **options))
    options |= {"add_to": gradients(rng, count, shape, border) if add else None, "x_relu": x_relu}
    dx = chunked(cpu.copy_images_gradient, x, y, dy, **options)
    np.testing.assert_allclose(dx, reference.copy_images_gradient(x, y, dy, **options), rtol=1e-6, atol=1e-6)


@quick
@given(batches(), *[st.booleans()] * 2)
def test_dropout(batch, add, x_relu):
    rng, count, shape, (border, _, y_border) = batch
    x, dy = values(rng, count, shape, border), gradients(rng, count, shape, y_border)
    keep, scale = packed_images(rng.random((lanes_of(count), *shape)) < 0.7, 0).astype(bool), np.float32(1 / 0.7)
    options = {"border": border, "y_border": y_border}
    y = chunked(cpu.dropout, x, keep, scale, **options)
    np.testing.assert_allclose(y, reference.dropout(x, keep, scale, **options), rtol=1e-6)
    options |= {"add_to": gradients(rng, count, shape, border) if add else None, "x_relu": x_relu}
    dx = chunked(cpu.dropout_gradient, x, keep, dy, scale, **options)
    same(dx, reference.dropout_gradient(x, keep, dy, scale, **options))


@quick
@given(batches())
def test_bias_gradient(batch):
    rng, count, shape, (border, _, _) = batch
    dy = ones_around(gradients(rng, count, shape, border), border)
    same(chunked(cpu.image_bias_gradient, dy, border=border), reference.image_bias_gradient(dy, border=border))


def test_a_gradient_that_is_no_number_stays_none():
    x, dy = np.ones((1, 1, 2, 2, 16), np.float32), np.full((1, 1, 2, 2, 16), np.nan, np.float32)
    assert np.isnan(cpu.copy_images_gradient(x, x, dy, relu=True)).all()
    assert np.isnan(cpu.copy_images(dy, relu=True)).all()
    assert np.isnan(cpu.add_images(dy, x, relu=True)).all()
    assert np.isnan(cpu.image_bias_gradient(dy)).all()


def test_gradients_leave_borders_alone():
    rng = np.random.default_rng(0)
    x, y, dy = (gradients(rng, 20, (2, 3, 4), border) for border in (2, 0, 0))
    add_to = ones_around(gradients(rng, 20, (2, 3, 4), 2), 2)
    options = {"add_to": add_to.copy(), "x_relu": True, "border": 2}
    copied = cpu.copy_images_gradient(x, y, dy, **options)
    np.testing.assert_array_equal(copied, ones_around(copied.copy(), 2))
    options |= {"addend_add_to": add_to.copy(), "addend_relu": True, "addend_border": 2}
    for summand in cpu.add_images_gradient(x, x, y, dy, **options):
        np.testing.assert_array_equal(summand, ones_around(summand.copy(), 2))


def test_a_mask_of_another_shape_is_refused():
    x = np.zeros((1, 2, 4, 4, 16), np.float32)
    with pytest.raises(InputError, match=r"uint8 or bool of \(1, 2, 2, 2, 16\)"):
        cpu.dropout(x, x > 0, 2.0, border=1)
    with pytest.raises(InputError, match="addend has shape"):
        cpu.add_images(x, x[:, :1])
