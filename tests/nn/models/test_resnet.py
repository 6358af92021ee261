"""Residual networks: depth, weights, and both kinds of shortcut."""

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.nn import Conv2d, Linear, models

CIFAR = (3, 32, 32)


def weight_count(model) -> int:
    return sum(parameter.size for parameter in model.prunable().values())


@pytest.mark.parametrize(("name", "weights"), [("resnet-20", 270_896), ("resnet-20-identity", 268_336)])
def test_resnet_20_has_the_papers_weights(name, weights):
    assert weight_count(models.create(name, CIFAR)) == weights


@pytest.mark.parametrize("depth", [8, 20, 32])
def test_the_depth_in_the_name_counts_layers_without_projections(depth):
    modules = list(models.create(f"resnet-{depth}-identity", CIFAR).named_modules())
    assert sum(isinstance(module, Conv2d | Linear) for _, module in modules) == depth


@pytest.mark.parametrize("depth", [2, 7, 18, 21, 52])
def test_another_depth_is_refused(depth):
    with pytest.raises(InputError, match=rf"resnet-{depth}: residual networks of this family have 6n \+ 2 layers"):
        models.create(f"resnet-{depth}", CIFAR)


def test_parameters_are_named_by_stage_and_block():
    names = list(models.create("resnet-8", CIFAR).prunable())
    assert names == [
        "conv1.weight",
        "block1_1.body.conv1.weight",
        "block1_1.body.conv2.weight",
        "block2_1.body.conv1.weight",
        "block2_1.body.conv2.weight",
        "block2_1.shortcut.conv.weight",
        "block3_1.body.conv1.weight",
        "block3_1.body.conv2.weight",
        "block3_1.shortcut.conv.weight",
        "output.weight",
    ]


def test_an_identity_shortcut_picks_every_second_pixel_and_adds_channels_of_zeros():
    x = np.random.default_rng(0).standard_normal((2, 16, 7, 8)).astype(np.float32)
    y = models.create("resnet-8-identity", CIFAR).block2_1.shortcut(x).data
    np.testing.assert_array_equal(y[:, :16], x[:, :, ::2, ::2])
    assert y.shape == (2, 32, 4, 4)
    assert not y[:, 16:].any()


@pytest.mark.parametrize("name", ["resnet-8", "resnet-8-identity"])
def test_odd_images_fit(name):
    assert models.create(name, (1, 9, 7))(np.zeros((2, 1, 9, 7), np.float32)).shape == (2, 10)
