"""Initial weights: their spread, bounds and fans."""

import numpy as np
import pytest

from tinyticket.nn import init

WIDE = (300, 200)  # fan_in 200, fan_out 300


@pytest.mark.parametrize(
    ("shape", "expected"), [((3, 5), (5, 3)), ((16, 8, 3, 3), (72, 144)), ((16, 8, 1, 1), (8, 16))]
)
def test_fans_count_inputs_outputs_and_kernel_positions(shape, expected):
    assert init.fans(shape) == expected


@pytest.mark.parametrize("shape", [(), (3,)])
def test_fans_of_a_vector_are_refused(shape):
    with pytest.raises(ValueError, match="at least two axes"):
        init.fans(shape)


VARIANCES = {
    "glorot_normal": 2 / 500,
    "glorot_uniform": 2 / 500,
    "he_normal": 2 / 200,
    "he_uniform": 2 / 200,
    "signed_constant": 2 / 200,
}


@pytest.mark.parametrize(("name", "variance"), VARIANCES.items())
def test_weights_have_mean_zero_and_the_papers_variance(name, variance):
    weights = init.INITIALISERS[name](WIDE, 0).astype(np.float64)
    assert weights.var() == pytest.approx(variance, rel=0.02)
    assert abs(weights.mean()) < 4 * np.sqrt(variance / weights.size)


@pytest.mark.parametrize("name", ["glorot_uniform", "he_uniform"])
def test_uniform_weights_reach_just_their_bound(name):
    largest = np.abs(init.INITIALISERS[name](WIDE, 0)).max()
    bound = np.sqrt(3 * VARIANCES[name])
    assert 0.999 * bound < largest <= np.float32(bound)


@pytest.mark.parametrize("name", ["glorot_normal", "he_normal"])
def test_gaussian_weights_have_gaussian_tails(name):
    sigmas = np.abs(init.INITIALISERS[name](WIDE, 0)) / np.sqrt(VARIANCES[name])
    assert (sigmas > 1).mean() == pytest.approx(0.3173, abs=0.01)
    assert (sigmas > 2).mean() == pytest.approx(0.0455, abs=0.005)


def test_signed_constant_has_one_magnitude_and_both_signs_equally_often():
    weights = init.signed_constant(WIDE, 0)
    assert np.unique(np.abs(weights)) == [np.float32(np.sqrt(2 / 200))]
    assert (weights > 0).mean() == pytest.approx(0.5, abs=0.01)


def test_convolution_weights_count_kernel_positions():
    assert init.he_normal((64, 32, 3, 3), 0).std() == pytest.approx(np.sqrt(2 / 288), rel=0.02)


def test_constant_and_zeros_hold_one_value():
    assert (init.constant((2, 3), value=0.25) == 0.25).all()
    assert init.zeros((2, 3)).tobytes() == bytes(2 * 3 * 4)


@pytest.mark.parametrize("f", init.INITIALISERS.values(), ids=init.INITIALISERS.keys())
def test_weights_are_float32_of_the_shape_and_the_seed_decides_them(f):
    first = f((7, 5), 3)
    assert (first.dtype, first.shape) == (np.float32, (7, 5))
    assert first.tobytes() == f((7, 5), np.random.default_rng(3)).tobytes()
    if f is not init.zeros:
        assert first.tobytes() != f((7, 5), 4).tobytes()


def test_a_generator_goes_on_from_call_to_call():
    rng = np.random.default_rng(0)
    assert (init.he_normal((3, 3), rng) != init.he_normal((3, 3), rng)).all()
