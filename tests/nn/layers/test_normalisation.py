"""Normalisation layers: parameters, running statistics, modes, refusals."""

import copy

import numpy as np
import pytest

from tests.nn.bits import same_bits
from tinyticket import nn
from tinyticket.nn import functional as F

IMAGES = np.random.default_rng(0).standard_normal((4, 3, 5, 5)).astype(np.float32)


def test_parameters_and_buffers_have_pytorchs_names_shapes_and_starts():
    state = nn.BatchNorm2d(3).state_dict()
    assert {name: array.tolist() for name, array in state.items()} == {
        "weight": [1] * 3,
        "bias": [0] * 3,
        "running_mean": [0] * 3,
        "running_var": [1] * 3,
    }
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}
    assert list(nn.BatchNorm1d(3, affine=False).state_dict()) == ["running_mean", "running_var"]


def test_nothing_of_it_is_pruned():
    assert nn.BatchNorm2d(3).prunable() == {}


@pytest.mark.parametrize(("layer", "x"), [(nn.BatchNorm2d(3), IMAGES), (nn.BatchNorm1d(3), IMAGES[:, :, 0, 0])])
def test_training_uses_the_batch_and_evaluation_the_running_statistics(layer, x):
    trained = layer(x)
    np.testing.assert_array_equal(trained.data, F.batch_norm(x, None, None, training=True).data)
    assert trained.dtype == np.float32
    mean, var = layer.running_mean.data.copy(), layer.running_var.data.copy()
    assert mean.any()
    layer.eval()
    np.testing.assert_array_equal(layer(x).data, F.batch_norm(x, mean, var).data)
    assert layer.running_mean.data.tobytes() == mean.tobytes()
    assert layer.running_var.data.tobytes() == var.tobytes()


def test_momentum_and_eps_are_its_own():
    layer = nn.BatchNorm2d(3, eps=0.5, momentum=1)
    y = layer(IMAGES).data
    np.testing.assert_allclose(layer.running_mean.data, IMAGES.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        y.var(axis=(0, 2, 3)), IMAGES.var(axis=(0, 2, 3)) / (IMAGES.var(axis=(0, 2, 3)) + 0.5), 1e-5
    )


def test_running_statistics_come_back_byte_for_byte():
    layer = nn.BatchNorm2d(3)
    layer(IMAGES)
    state = layer.state_dict()
    twin = nn.BatchNorm2d(3)
    twin.load_state_dict(state)
    assert same_bits(twin.state_dict(), state)
    layer(IMAGES)
    assert not same_bits(layer.state_dict(), state)
    layer.load_state_dict(state)
    layer(IMAGES)
    twin(IMAGES)
    assert same_bits(layer.state_dict(), twin.state_dict())


def test_reset_parameters_sets_everything_back_and_draws_nothing():
    layer, rng = nn.BatchNorm2d(3), np.random.default_rng(0)
    layer(IMAGES)
    layer.weight.data[...] = 5
    layer.reset_parameters(rng)
    assert same_bits(layer.state_dict(), nn.BatchNorm2d(3).state_dict())
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_a_copy_has_running_statistics_of_its_own():
    layer = nn.BatchNorm2d(3)
    twin = copy.deepcopy(layer)
    layer(IMAGES)
    assert not twin.running_mean.data.any()


def test_turning_a_layer_into_float64_turns_its_running_statistics_too():
    layer = nn.BatchNorm2d(3).astype(np.float64)
    layer(IMAGES.astype(np.float64))
    assert {array.dtype for array in layer.state_dict().values()} == {np.dtype(np.float64)}
    np.testing.assert_allclose(layer.running_mean.data, 0.1 * IMAGES.mean(axis=(0, 2, 3), dtype=np.float64), rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (nn.BatchNorm1d(3), (4, 3, 5, 5), r"BatchNorm1d wants an input \(N, C\); got shape \(4, 3, 5, 5\)"),
        (nn.BatchNorm2d(3), (4, 3), r"BatchNorm2d wants an input \(N, C, H, W\); got shape \(4, 3\)"),
        (nn.BatchNorm2d(2), (4, 3, 5, 5), r"shape \(2,\), but the input \(4, 3, 5, 5\) has 3 channels"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, words):
    with pytest.raises(ValueError, match=words):
        layer(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_features": 0}, "BatchNorm2d wants at least one channel, not 0"),
        ({"num_features": 3, "eps": 0}, "eps is above 0, not 0"),
        ({"num_features": 3, "momentum": 1.5}, "momentum is from 0 to 1, not 1.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        nn.BatchNorm2d(**arguments)


def test_layer_norm_has_pytorchs_names_and_normalises_each_example():
    layer = nn.LayerNorm((3, 5))
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [("weight", (3, 5)), ("bias", (3, 5))]
    assert [name for name, _ in nn.LayerNorm(3, bias=False).named_parameters()] == ["weight"]
    assert list(nn.LayerNorm(3, elementwise_affine=False).parameters()) == []
    result = layer(IMAGES[:, :, 0]).data
    np.testing.assert_allclose(result.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(result.var(axis=(1, 2)), 1, rtol=1e-3)
    layer.weight.data = np.full((3, 5), 2)
    layer.reset_parameters(0)
    assert (layer.weight.data == 1).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.LayerNorm(0), "sizes of at least 1"),
        (lambda: nn.LayerNorm(4)(IMAGES), r"wants an input \(\.\.\., \*\(4,\)\); got shape \(4, 3, 5, 5\)"),
        (lambda: F.layer_norm(IMAGES, 5, bias=np.ones(5)), "wants a weight where it has a bias"),
        (lambda: F.layer_norm(IMAGES, 5, np.ones(4)), r"weight has shape \(4,\), but \(5,\) is normalised"),
    ],
)
def test_layer_norm_refuses_other_shapes(make, words):
    with pytest.raises(ValueError, match=words):
        make()
