"""Residual additions, copies and ReLUs, and dropout of packed images against their specifications."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.images import (
    borders,
    channels,
    chunked,
    equal,
    finished,
    generators,
    gradients,
    lanes_of,
    ones_around,
    plain,
    quick,
    same,
    samples,
    sizes,
    values,
)
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu import Images, pack_images
from tinyticket.kernels.cpu.arguments import elementwise_window, even_shares
from tinyticket.kernels.cpu.elementwise import Dropout
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.job import run

pytestmark = pytest.mark.usefixtures("_chunks")


@st.composite
def batches(draw):
    """Yield a generator, a number of samples, the images' shape and three borders."""
    return draw(generators), draw(samples), (draw(channels), *draw(sizes)), draw(st.tuples(borders, borders, borders))


def relu_of(images, relu):
    return np.maximum(images, 0) if relu else images


def upstream(y, dy, relu):
    """Return dy, where y is positive if there was a ReLU."""
    return np.where(plain(y) <= 0, 0, plain(dy)) if relu else plain(dy)


@quick
@given(batches(), *[st.booleans()] * 5)
def test_addition(batch, relu, add, x_is_relu_output, addend_add, addend_is_relu_output):
    rng, count, shape, (border, addend_border, y_border) = batch
    x, addend = values(rng, count, shape, border), values(rng, count, shape, addend_border)
    y = chunked(cpu.add, x, addend, relu=relu, border=y_border)
    same(y, relu_of(plain(x) + plain(addend), relu), rtol=1e-6, atol=0)
    dy = gradients(rng, count, shape, y_border)
    of_x = {"add_to": gradients(rng, count, shape, border) if add else None, "x_is_relu_output": x_is_relu_output}
    addend_add_to = gradients(rng, count, shape, addend_border) if addend_add else None
    of_addend = {"addend_add_to": addend_add_to, "addend_is_relu_output": addend_is_relu_output}
    dx, d_addend = chunked(cpu.add_gradient, x, addend, y, dy, relu=relu, **of_x, **of_addend)
    same(dx, finished(upstream(y, dy, relu), x, *of_x.values()), rtol=1e-6, atol=1e-6)
    same(d_addend, finished(upstream(y, dy, relu), addend, *of_addend.values()), rtol=1e-6, atol=1e-6)


@quick
@given(batches(), *[st.booleans()] * 3)
def test_copies_and_relus(batch, relu, add, x_is_relu_output):
    rng, count, shape, (border, _, y_border) = batch
    x, dy = ones_around(values(rng, count, shape, border)), gradients(rng, count, shape, y_border)
    y = chunked(cpu.copy, x, relu=relu, border=y_border)
    equal(y, relu_of(plain(x), relu))
    flags = {"add_to": gradients(rng, count, shape, border) if add else None, "x_is_relu_output": x_is_relu_output}
    dx = chunked(cpu.copy_gradient, x, y, dy, relu=relu, **flags)
    same(dx, finished(upstream(y, dy, relu), x, **flags), rtol=1e-6, atol=1e-6)


def masks(rng, count, shape):
    """Draw a mask of seven elements in ten, for samples and spare lanes alike, plain and packed."""
    keep = rng.random((lanes_of(count), *shape)) < 0.7
    return keep, pack_images(keep).array.astype(bool)


@quick
@given(batches(), *[st.booleans()] * 2)
def test_dropout(batch, add, x_is_relu_output):
    rng, count, shape, (border, _, y_border) = batch
    x, dy = values(rng, count, shape, border), gradients(rng, count, shape, y_border)
    (keep, mask), scale = masks(rng, count, shape), np.float32(1 / 0.7)
    y = chunked(cpu.dropout, x, mask, scale, border=y_border)
    same(y, np.where(keep, plain(x) * scale, 0), rtol=1e-6, atol=0)
    flags = {"add_to": gradients(rng, count, shape, border) if add else None, "x_is_relu_output": x_is_relu_output}
    dx = chunked(cpu.dropout_gradient, x, mask, dy, scale, **flags)
    same(dx, finished(np.where(keep, plain(dy) * scale, 0), x, **flags))
    np.testing.assert_array_equal(cpu.dropout(x, mask.view(np.uint8), scale, border=y_border).array, y.array)


def test_a_mask_may_begin_anywhere_among_others():
    x, (keep, mask) = values(np.random.default_rng(0), 20, (2, 3, 5), 1), masks(np.random.default_rng(1), 20, (2, 3, 5))
    y, feed = Images.zeros(x.tiles, x.geometry), Feed(kept=np.concatenate([np.zeros(7, bool), mask.reshape(-1)]))
    job = Dropout(x.interior, y.interior, elementwise_window(x, 1), scale=2.0, place=7, feed=feed)
    run(job, even_shares(4, 2))
    equal(y, np.where(keep, plain(x) * 2, 0))


def test_a_whole_number_is_a_scale_too():
    x = values(np.random.default_rng(0), 16, (2, 3, 5), 0)
    keep = np.ones_like(x.array, bool)
    equal(cpu.dropout(x, keep, 2), plain(x) * 2)
    equal(cpu.dropout_gradient(x, keep, x, 2), plain(x) * 2)


def test_a_gradient_that_is_no_number_stays_none():
    x = Images(np.ones((1, 1, 2, 2, 16), np.float32))
    dy = Images(np.full((1, 1, 2, 2, 16), np.nan, np.float32))
    assert np.isnan(cpu.copy_gradient(x, x, dy, relu=True).array).all()
    assert np.isnan(cpu.copy(dy, relu=True).array).all()
    assert np.isnan(cpu.add(dy, x, relu=True).array).all()


def test_gradients_leave_borders_alone():
    rng = np.random.default_rng(0)
    x, y, dy = (gradients(rng, 20, (2, 3, 4), border) for border in (2, 0, 0))
    add_to = gradients(rng, 20, (2, 3, 4), 2)
    of_x = {"add_to": ones_around(add_to), "x_is_relu_output": True}
    copied = cpu.copy_gradient(x, y, dy, **of_x)
    np.testing.assert_array_equal(copied.array, ones_around(copied).array)
    of_addend = {"addend_add_to": ones_around(add_to), "addend_is_relu_output": True}
    dropped = cpu.dropout_gradient(x, y.array > 0, dy, 2.0, **of_x)
    for summand in (*cpu.add_gradient(x, x, y, dy, **of_x, **of_addend), dropped):
        np.testing.assert_array_equal(summand.array, ones_around(summand).array)


def test_a_mask_or_images_of_another_shape_are_refused():
    x = Images(np.zeros((1, 2, 4, 4, 16), np.float32))
    with pytest.raises(InputError, match=r"keep is bool of shape .* but bool of shape \(1, 2, 2, 2, 16\)"):
        cpu.dropout(Images(x.array, 1), x.array > 0, 2.0)
    with pytest.raises(InputError, match="keep is float32"):
        cpu.dropout_gradient(x, x.array, x, 2.0)
    with pytest.raises(InputError, match="addend is Image"):
        cpu.add(x, Images(x.array[:, :1]))
    with pytest.raises(InputError, match="addend_add_to is Image"):
        cpu.add_gradient(x, x, x, x, addend_add_to=Images(x.array.copy(), 1))
    with pytest.raises(InputError, match="dy is Image"):
        cpu.copy_gradient(x, x, Images(x.array[:, :1]))
    with pytest.raises(InputError, match="border must be a whole number"):
        cpu.copy(x, border=-1)
