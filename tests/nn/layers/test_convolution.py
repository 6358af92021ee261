"""Conv2d: what it computes, what it holds, what it refuses."""

import numpy as np
import pytest

from tinyticket import nn
from tinyticket.nn import functional as F

X = np.random.default_rng(0).standard_normal((2, 3, 6, 7)).astype(np.float32)


def test_conv2d_has_pytorchs_shapes_and_order():
    layer = nn.Conv2d(3, 5, (2, 4))
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [("weight", (5, 3, 2, 4)), ("bias", (5,))]
    assert [name for name, _ in nn.Conv2d(3, 5, 3, bias=False).named_parameters()] == ["weight"]


def test_conv2d_applies_its_function():
    layer = nn.Conv2d(3, 5, 3, 2, (1, 0), rng=0)
    layer.bias.data[...] = np.arange(5)
    result = layer(X)
    np.testing.assert_array_equal(result.data, F.conv2d(X, layer.weight, layer.bias, 2, (1, 0)).data)
    assert (result.shape, result.dtype) == ((2, 5, 3, 3), np.float32)


def test_conv2d_in_groups_has_pytorchs_weight_and_applies_its_function():
    layer = nn.Conv2d(3, 6, (3, 2), 1, "same", 2, 3, rng=0)
    assert layer.weight.shape == (6, 1, 3, 2)
    result = layer(X)
    np.testing.assert_array_equal(result.data, F.conv2d(X, layer.weight, layer.bias, 1, "same", 2, 3).data)
    assert result.shape == (2, 6, 6, 7)


def test_only_what_is_used_of_the_later_arguments_is_described():
    assert not {"dilation", "groups"} & nn.Conv2d(4, 4, 3).settings().keys()
    assert nn.Conv2d(4, 4, 3, groups=2).settings() == nn.Conv2d(4, 4, 3).settings() | {"groups": 2}


def test_its_weight_can_be_pruned_in_the_group_of_convolutions():
    layer = nn.Conv2d(3, 5, 3)
    assert list(layer.prunable()) == ["weight"]
    assert layer.group == "conv"


def test_the_seed_decides_the_weights_and_biases_start_at_zero():
    first, same, other = (nn.Conv2d(3, 5, 3, rng=seed) for seed in (1, np.random.default_rng(1), 2))
    assert first.weight.data.tobytes() == same.weight.data.tobytes()
    assert (first.weight.data != other.weight.data).all()
    assert first.bias.data.tolist() == [0] * 5


@pytest.mark.parametrize("name", nn.init.INITIALISERS)
def test_conv2d_draws_from_the_named_distribution_again_and_again(name):
    layer = nn.Conv2d(3, 5, 3, rng=4, init=name)
    np.testing.assert_array_equal(layer.weight.data, nn.init.INITIALISERS[name]((5, 3, 3, 3), 4))
    layer.bias.data[...] = 7
    layer.reset_parameters(5)
    np.testing.assert_array_equal(layer.weight.data, nn.init.INITIALISERS[name]((5, 3, 3, 3), 5))
    assert layer.bias.data.tolist() == [0] * 5


def test_gaussian_glorot_counts_the_receptive_field():
    weight = nn.Conv2d(40, 60, 3, rng=0).weight.data
    assert weight.std() == pytest.approx(np.sqrt(2 / (9 * 100)), rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 5, 3), "at least one channel in and out, not 0 and 5"),
        ((3, -1, 3), "at least one channel in and out, not 3 and -1"),
        ((3, 5, 0), "Conv2d: kernel_size is at least 1, not 0"),
        ((3, 5, 3, 0), "Conv2d: stride is at least 1, not 0"),
        ((3, 5, 3, 1, -1), "Conv2d: padding is at least 0, not -1"),
        ((3, 5, 3, 1, "full"), "Conv2d: padding is a whole number or a pair of them"),
        ((3, 5, 3, 2, "same"), "Conv2d: padding 'same' goes with a stride of 1, not 2"),
        ((3, 5, 3, 1, 0, 0), "Conv2d: dilation is at least 1, not 0"),
        ((3, 6, 3, 1, 0, 1, 2), "Conv2d: 2 groups do not divide 3 channels in and 6 out"),
        ((6, 3, 3, 1, 0, 1, 2), "Conv2d: 2 groups do not divide 6 channels in and 3 out"),
        ((3, 6, 3, 1, 0, 1, 0), "Conv2d: 0 groups do not divide"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        nn.Conv2d(*arguments)


def test_an_unknown_initialisation_is_refused_with_the_near_name():
    with pytest.raises(ValueError, match=r"unknown initialisation 'he_norm'.*did you mean 'he_"):
        nn.Conv2d(3, 5, 3, init="he_norm")


def test_conv1d_is_conv2d_of_one_row():
    layer = nn.Conv1d(3, 6, 3, 2, 1, groups=3, rng=0)
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [("weight", (6, 1, 3)), ("bias", (6,))]
    assert layer.group == "conv"
    rows = F.conv2d(X[:, :, :1], layer.weight.data[:, :, None], None, (1, 2), (0, 1), 1, 3)
    np.testing.assert_array_equal(layer(X[:, :, 0]).data, rows.data[:, :, 0])
    assert nn.Conv1d(3, 4, 2, padding="same", rng=0)(X[:, :, 0]).shape == (2, 4, 7)
    assert nn.Conv1d(3, 4, 2, padding="valid", rng=0)(X[0, :, 0]).shape == (4, 6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Conv1d(3, 4, 0), "at least 1"),
        (lambda: nn.Conv1d(3, 4, 2, groups=2), "2 groups do not divide"),
        (lambda: nn.Conv1d(3, 4, 2, 2, "same")(X[:, :, 0]), "'same'"),
        (lambda: nn.Conv1d(3, 4, 2)(X), r"conv1d wants an input \(N, C, L\)"),
    ],
)
def test_conv1d_refuses_what_does_not_fit(make, words):
    with pytest.raises(ValueError, match=words):
        make()
