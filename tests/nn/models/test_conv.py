"""Conv-2, Conv-4, Conv-6 and LeNet-5: the papers' sizes, names and input shapes."""

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.nn import Dropout, MaxPool2d, ReLU, models

CIFAR = (3, 32, 32)


def sizes(model) -> dict[str, int]:
    return {name: parameter.size for name, parameter in model.prunable().items()}


@pytest.mark.parametrize(("name", "weights"), [("conv-2", 4_300_992), ("conv-4", 2_425_024), ("conv-6", 2_261_184)])
def test_the_network_has_the_papers_weights(name, weights):
    assert sum(sizes(models.create(name, CIFAR)).values()) == weights


def test_layers_are_named_conv_fc_and_output_and_have_biases():
    model = models.create("conv-4", CIFAR)
    layers = ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2", "output"]
    assert list(model.state_dict()) == [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    assert [layer.weight.shape[:2] for layer in model if hasattr(layer, "weight")] == [
        (64, 3),
        (64, 64),
        (128, 64),
        (128, 128),
        (256, 128 * 8 * 8),
        (256, 256),
        (10, 256),
    ]


def test_every_layer_but_the_last_has_a_relu_and_every_pair_a_pool():
    kinds = [type(layer) for layer in models.create("conv-6", CIFAR)]
    assert kinds.count(ReLU) == 8
    assert kinds.count(MaxPool2d) == 3


def test_weights_are_gaussian_glorot_over_the_receptive_field():
    weight = models.create("conv-2", CIFAR, rng=0).conv2.weight.data
    assert weight.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)


def test_dropout_is_an_option_and_leaves_the_weights_as_they_are():
    plain, dropped = models.create("conv-2", CIFAR, rng=0), models.create("conv-2-dropout", CIFAR, rng=0)
    rates = {name: layer.p for name, layer in dropped.named_modules() if isinstance(layer, Dropout)}
    assert rates == {"dropout1": 0.5, "dropout2": 0.5}
    for name, weight in plain.state_dict().items():
        np.testing.assert_array_equal(dropped.state_dict()[name], weight)
    x = np.ones((1, 256), np.float32)
    assert (dropped.dropout1(x).data != dropped.dropout2(x).data).any()


def test_smaller_images_make_a_smaller_fully_connected_layer():
    assert sizes(models.create("conv-4", (1, 28, 28)))["fc1.weight"] == 256 * 128 * 7 * 7


@pytest.mark.parametrize(("name", "pools"), [("conv-2", 1), ("conv-4", 2), ("conv-6", 3)])
def test_images_that_cannot_be_halved_are_refused(name, pools):
    words = (
        f"{name} halves its images {pools} times?, so their height and width are multiples of {2**pools}; .* 28 x 31"
    )
    with pytest.raises(InputError, match=words):
        models.create(name, (3, 28, 31))


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32)])
def test_lenet_5_has_61_470_weights_on_digits_of_either_size(shape):
    model = models.create("lenet-5", shape)
    assert list(sizes(model).values()) == [6 * 25, 16 * 6 * 25, 120 * 400, 84 * 120, 10 * 84]
    assert sum(sizes(model).values()) == 61_470
    assert model(np.zeros((1, *shape), np.float32)).shape == (1, 10)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 30, 32), (3, 32, 12)])
def test_lenet_5_refuses_images_that_its_windows_do_not_divide(shape):
    with pytest.raises(
        InputError, match=r"lenet-5 takes images of 28 x 28, 32 x 32.*multiples of 4; the data have images"
    ):
        models.create("lenet-5", shape)
