"""describe and build: a model as plain data and back."""

import json

import numpy as np
import pytest

from tests.nn.bits import same_bits
from tinyticket import nn
from tinyticket.errors import InputError


def one_of_each() -> nn.Sequential:
    return nn.Sequential(
        {
            "sequences": nn.Conv1d(2, 2, 3, padding="same", rng=8),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(6, 5, rng=1, init="he_uniform"),
            "body": nn.Sequential(nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh(), nn.Linear(5, 4, bias=False), nn.Sigmoid()),
            "drop": nn.Dropout(0.3),
            "normal": nn.LayerNorm(4, eps=0.1),
            "bent": nn.SReLU(4, rng=5),
            "smooth": nn.GELU("tanh"),
            "some": nn.SparseLinear(4, 4, 0.5, rng=3, output_names="abcd"),
            "output": nn.Linear(4, 2, rng=2),
        }
    )


def one_of_each_for_images() -> nn.Sequential:
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False, rng=3), nn.BatchNorm2d(4, eps=1e-3, momentum=0.2))
    return nn.Sequential(
        {
            "pad": nn.ZeroPad2d((1, 0, 2, 1)),
            "conv": nn.Conv2d(2, 3, (2, 3), (1, 2), (0, 1), rng=4, init="he_normal"),
            "max": nn.MaxPool2d(2, 1),
            "grouped": nn.Conv2d(3, 3, 2, padding="same", dilation=(1, 2), groups=3, rng=7),
            "rounded up": nn.MaxPool2d(1, dilation=2, ceil_mode=True),
            "more": nn.ZeroPadChannels((0, 1)),
            "plain": nn.Residual(block),
            "projected": nn.Residual(nn.Conv2d(4, 6, 1, rng=5), nn.Sequential(nn.Conv2d(4, 6, 1, rng=6))),
            "avg": nn.AvgPool2d((3, 1), 1, (1, 0)),
            "mean": nn.GlobalAvgPool2d(),
            "norm": nn.BatchNorm1d(6, affine=False),
        }
    )


every_model = pytest.mark.parametrize("make", [one_of_each, one_of_each_for_images])


def test_every_layer_of_the_library_is_described():
    kinds = {type(part) for make in (one_of_each, one_of_each_for_images) for _, part in make().named_modules()}
    assert kinds == {getattr(nn.layers, name) for name in nn.layers.__all__}


@every_model
def test_a_model_comes_back_from_json_with_the_same_layers_and_settings(make):
    model = make()
    again = nn.build(json.loads(json.dumps(nn.describe(model))))
    assert repr(again) == repr(model)
    assert nn.describe(again) == nn.describe(model)


@every_model
def test_a_rebuilt_model_takes_the_weights_and_computes_the_same(make):
    model = make()
    x = np.random.default_rng(0).standard_normal((3, 2, 5, 6) if make is one_of_each_for_images else (3, 2, 3))
    x = x.astype(np.float32)
    model(x)  # running statistics move
    model.eval()
    again = nn.build(nn.describe(model)).eval()
    assert not same_bits(again.state_dict(), model.state_dict())
    again.load_state_dict(model.state_dict())
    assert again(x).data.tobytes() == model(x).data.tobytes()


@every_model
def test_building_twice_gives_the_same_weights(make):
    description = nn.describe(make())
    assert same_bits(nn.build(description).state_dict(), nn.build(description).state_dict())


def test_a_described_layer_draws_from_its_own_distribution_again():
    layer = nn.build(nn.describe(nn.Linear(50, 40, init="signed_constant")))
    assert np.unique(np.abs(layer.weight.data)) == [np.float32(np.sqrt(2 / 50))]


def test_numpy_sizes_and_settings_are_described_as_json():
    """Sizes often come from arrays: classes = labels.max() + 1 is a NumPy integer."""
    model = nn.models.create("lenet-300-100", (64,), classes=np.int64(10))
    json.dumps(nn.describe(model))
    json.dumps(nn.describe(nn.Dropout(np.float32(0.5))))


class Unknown(nn.Linear):
    """A user's own class, even one made from the library's."""


def test_a_class_of_ones_own_is_described_but_not_built():
    description = json.loads(json.dumps(nn.describe(nn.Sequential(Unknown(2, 3)))))
    part = description["parts"]["0"]
    assert part["layer"] == "custom"
    assert part["class"].endswith("test_description.Unknown")
    assert part["parameters"] == {"weight": [3, 2], "bias": [3]}
    with pytest.raises(InputError, match=r"class .*Unknown, which is not one of tinyticket's.*load_state_dict"):
        nn.build(description)


def test_the_weights_of_a_description_are_counted_before_they_are_made():
    for make in (one_of_each, one_of_each_for_images):
        weights = sum(p.data.size for name, p in make().named_parameters() if name.endswith("weight"))
        assert nn.described_weights(nn.describe(make())) >= weights


def test_a_layer_of_a_later_version_is_refused_with_near_names():
    with pytest.raises(InputError, match=r"layer 'Liner' that this version does not know.*did you mean 'Linear'"):
        nn.build({"layer": "Liner"})


@every_model
def test_building_leaves_the_description_as_it_was(make):
    description = nn.describe(make())
    kept = json.dumps(description)
    nn.build(description)
    assert json.dumps(description) == kept
