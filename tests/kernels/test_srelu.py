"""The S-shaped ReLU of packed images against its specification, and that against its definition number by number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.images import (
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

pytestmark = pytest.mark.usefixtures("_chunks")


def parameters(rng, count, ties=False):
    """Draw thresholds on both sides of zero, a middle of no width among them, and slopes of both signs; or whole numbers."""
    drawn = rng.normal([[0], [0.3], [0.5], [1]], [[0.5], [0.5], [1], [0.5]], (4, count)).astype(np.float32)
    drawn[2, rng.random(count) < 0.2] = 0
    return list(np.round(drawn) if ties else drawn)


@st.composite
def layers(draw):
    """Yield an input with ones around it, an upstream gradient, parameters and the flags of an input gradient."""
    rng, count, shape = draw(generators), draw(samples), (draw(channels), *draw(sizes))
    border, y_border, ties = draw(borders), draw(borders), draw(st.booleans())
    x, dy = values(rng, count, shape, border, ties=ties), gradients(rng, count, shape, y_border)
    add_to = gradients(rng, count, shape, border) if draw(st.booleans()) else None
    flags = {"add_to": add_to, "x_is_relu_output": draw(st.booleans())}
    return ones_around(x), dy, parameters(rng, shape[0], ties), flags


@quick
@given(layers())
def test_srelu(layer):
    x, dy, known, flags = layer
    exact = [each.astype(np.float64) for each in known]
    exact[2] = (known[0] + np.abs(known[2])).astype(np.float64) - exact[0]  # the right threshold is a float32
    same(chunked(cpu.srelu, x, *known, border=dy.border), reference.srelu(plain(x), *exact), rtol=1e-6, atol=1e-6)
    found = chunked(cpu.srelu_gradient, x, dy, *known, **flags)
    dx, *others = reference.srelu_gradient(plain(dy), plain(x), *exact)
    others[2] = np.where(known[2] < 0, -others[2], others[2])
    others[2][known[2] == 0] = 0
    same(found[0], finished(dx, x, **flags), rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(found[1:], others, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)


def test_the_specification_is_the_paper_s_definition():
    rng = np.random.default_rng(0)
    x, known = rng.standard_normal((9, 5, 2)), np.array(parameters(rng, 5), np.float64)
    y = reference.srelu(x, *known)
    for place, value in np.ndenumerate(x):
        t_left, a_left, width, a_right = known[:, place[1]]
        t_right = t_left + abs(width)
        if value <= t_left:
            value = t_left + a_left * (value - t_left)
        elif value >= t_right:
            value = t_right + a_right * (value - t_right)
        assert y[place] == pytest.approx(value, abs=1e-15)


def test_gradients_of_the_specification_are_finite_differences():
    rng = np.random.default_rng(1)
    known = [rng.standard_normal((7, 3, 2)), *np.array(parameters(rng, 3), np.float64)]
    dy = rng.standard_normal(known[0].shape)
    found = reference.srelu_gradient(dy, *known)
    for array, gradient in zip(known, found, strict=True):
        for place in np.ndindex(array.shape):
            around = []
            for step in (1e-6, -1e-6):
                moved = [each.copy() for each in known]
                moved[[each is array for each in known].index(True)][place] += step
                around.append((dy * reference.srelu(*moved)).sum())
            assert gradient[place] == pytest.approx((around[0] - around[1]) / 2e-6, abs=1e-7)


def test_gradients_leave_borders_alone():
    rng = np.random.default_rng(0)
    x, dy, add_to = (gradients(rng, 20, (2, 3, 4), border) for border in (2, 0, 2))
    dx = cpu.srelu_gradient(x, dy, *parameters(rng, 2), add_to=ones_around(add_to), x_is_relu_output=True)[0]
    np.testing.assert_array_equal(dx.array, ones_around(dx).array)


def test_no_number_stays_none():
    x = cpu.Images(np.full((1, 1, 2, 2, 16), np.nan, np.float32))
    known = [np.zeros(1), np.ones(1) / 2, np.ones(1), np.ones(1)]
    assert np.isnan(cpu.srelu(x, *known).array).all()
    one = cpu.Images(np.ones((1, 1, 2, 2, 16), np.float32))
    assert np.isnan(cpu.srelu_gradient(one, x, *known)[0].array).all()


def test_what_does_not_fit_is_refused():
    x, known = cpu.Images(np.zeros((1, 2, 4, 4, 16))), [np.zeros(2)] * 4
    with pytest.raises(InputError, match=r"t_right has shape \(3,\), but \(2,\) was expected"):
        cpu.srelu(x, *known[:2], np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="dy is Image"):
        cpu.srelu_gradient(x, cpu.Images(np.zeros((1, 2, 4, 5, 16))), *known)
    with pytest.raises(InputError, match="add_to is Image"):
        cpu.srelu_gradient(x, x, *known, add_to=cpu.Images(np.zeros((1, 3, 4, 4, 16))))
