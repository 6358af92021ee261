"""VGG: depth, weights, and where it pools."""

import pytest

from tinyticket.errors import InputError
from tinyticket.nn import BatchNorm2d, Conv2d, MaxPool2d, models


@pytest.mark.parametrize(
    ("name", "convolutions", "weights"),
    [("vgg-11", 8, 9_222_848), ("vgg-16", 13, 14_715_584), ("vgg-19", 16, 20_024_000)],
)
def test_the_network_has_its_depth_and_weights(name, convolutions, weights):
    model = models.create(name, (3, 32, 32))
    kinds = [type(layer) for layer in model]
    assert (kinds.count(Conv2d), kinds.count(BatchNorm2d), kinds.count(MaxPool2d)) == (convolutions, convolutions, 4)
    assert sum(parameter.size for parameter in model.prunable().values()) == weights


def test_layers_are_numbered_through_and_convolutions_have_no_bias():
    state = models.create("vgg-11", (3, 16, 16)).state_dict()
    assert [name for name in state if name.startswith(("conv", "output"))] == [
        *(f"conv{i}.weight" for i in range(1, 9)),
        "output.weight",
        "output.bias",
    ]
    assert state["output.weight"].shape == (10, 512)


def test_images_that_cannot_be_halved_four_times_are_refused():
    with pytest.raises(
        InputError, match=r"vgg-16 halves its images 4 times.*multiples of 16; the data have images of 28 x 28"
    ):
        models.create("vgg-16", (1, 28, 28))
