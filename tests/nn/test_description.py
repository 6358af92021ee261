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
            "flatten": nn.Flatten(),
            "fc": nn.Linear(6, 5, rng=1, init="he_uniform"),
            "body": nn.Sequential(nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh(), nn.Linear(5, 4, bias=False), nn.Sigmoid()),
            "drop": nn.Dropout(0.3),
            "output": nn.Linear(4, 2, rng=2),
        }
    )


def test_a_model_comes_back_from_json_with_the_same_layers_and_settings():
    model = one_of_each()
    again = nn.build(json.loads(json.dumps(nn.describe(model))))
    assert repr(again) == repr(model)
    assert nn.describe(again) == nn.describe(model)


def test_a_rebuilt_model_takes_the_weights_and_computes_the_same():
    model = one_of_each().eval()
    again = nn.build(nn.describe(model)).eval()
    assert not same_bits(again.state_dict(), model.state_dict())
    again.load_state_dict(model.state_dict())
    x = np.random.default_rng(0).standard_normal((3, 2, 3)).astype(np.float32)
    assert again(x).data.tobytes() == model(x).data.tobytes()


def test_building_twice_gives_the_same_weights():
    description = nn.describe(one_of_each())
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


def test_a_layer_of_a_later_version_is_refused_with_near_names():
    with pytest.raises(InputError, match=r"layer 'Liner' that this version does not know.*did you mean 'Linear'"):
        nn.build({"layer": "Liner"})


def test_building_leaves_the_description_as_it_was():
    description = nn.describe(one_of_each())
    kept = json.dumps(description)
    nn.build(description)
    assert json.dumps(description) == kept
