"""A smaller dense network computes what the masked one does, and is really smaller."""

import numpy as np
import pytest

from tests.prune.networks import batch, convnet, mlp
from tinyticket import nn, optim
from tinyticket.autograd import Tensor, no_grad
from tinyticket.errors import InputError
from tinyticket.prune import prune_units, random_masks, shrink, unit_masks
from tinyticket.prune.shrink import used_units


def lived_in(model, seed=7):
    """Give biases, batch normalisation and statistics values of their own, in float64, as after training."""
    rng = np.random.default_rng(seed)
    model.astype(np.float64)
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.3 * rng.standard_normal(parameter.shape)
    for name, buffer in model.named_buffers():
        buffer.data = (
            rng.uniform(0.5, 2, buffer.data.shape) if "var" in name else rng.standard_normal(buffer.data.shape)
        )
    return model


def pooled(rng=0):
    return nn.Sequential(
        {
            "features": nn.Sequential(
                nn.ZeroPad2d(1),
                nn.Conv2d(2, 7, 3, stride=2, bias=False, rng=rng),
                nn.BatchNorm2d(7),
                nn.LeakyReLU(),
                nn.AvgPool2d(2),
                nn.Conv2d(7, 5, 1, rng=rng),
                nn.Tanh(),
                nn.GlobalAvgPool2d(),
            ),
            "head": nn.Sequential(nn.Linear(5, 8, rng=rng), nn.BatchNorm1d(8), nn.Sigmoid(), nn.Linear(8, 4, rng=rng)),
        }
    )


def flattened_norm(rng=0):
    """Batch normalisation behind the flattening: every channel has several of its features."""
    conv, norm = nn.Conv2d(2, 6, 3, rng=rng), nn.BatchNorm1d(6 * 36, affine=False)
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), norm, nn.Linear(6 * 36, 4, rng=rng))


def bent(rng=0):
    """SReLUs of the channels of images, and of features."""
    conv, hidden = nn.Conv2d(2, 6, 3, rng=rng), nn.Linear(6 * 36, 8, rng=rng)
    return nn.Sequential(
        conv, nn.SReLU(6, rng), nn.Flatten(), hidden, nn.SReLU(8, rng), nn.Dropout(0), nn.Linear(8, 4, rng=rng)
    )


MODELS = {
    "bent": (bent, (2, 8, 8)),
    "mlp": (mlp, (6,)),
    "convnet": (convnet, (2, 8, 8)),
    "pooled": (pooled, (2, 8, 8)),
    "flat": (flattened_norm, (2, 8, 8)),
}


def masked_by_units(model, fraction=0.4):
    weights = {name: weight.data for name, weight in model.prunable().items()}
    return unit_masks(weights, prune_units(weights, fraction))


def under(model, masks):
    for name, weight in model.prunable().items():
        weight.mask = masks[name]
    return model


def outputs(model, x):
    with no_grad():
        return model(Tensor(np.asarray(x, np.float64))).data


@pytest.mark.parametrize("kind", MODELS)
def test_the_outputs_are_those_of_the_masked_model(kind):
    make, shape = MODELS[kind]
    model = lived_in(make()).eval()
    masks = masked_by_units(model)
    small = shrink(model, masks)
    x, _ = batch(shape)
    expected = outputs(under(model, masks), x)
    np.testing.assert_allclose(outputs(small, x), expected, rtol=1e-12, atol=1e-13)
    assert np.ptp(expected) > 0.1
    size = lambda net: sum(parameter.size for parameter in net.parameters())  # noqa: E731
    assert size(small) < 0.75 * size(model)
    assert all(weight.mask is None for weight in small.prunable().values())  # it is dense


@pytest.mark.parametrize("kind", MODELS)
def test_so_are_those_in_training_mode_and_of_the_models_own_masks(kind):
    make, shape = MODELS[kind]
    if kind == "convnet":
        make = lambda: convnet(dropout=0)  # noqa: E731  draws are another network's own
    model = lived_in(make())
    under(model, masked_by_units(model))
    small = shrink(model)
    assert small.training
    x, _ = batch(shape)
    np.testing.assert_allclose(outputs(small, x), outputs(model, x), rtol=1e-11, atol=1e-12)


def test_single_weights_that_are_pruned_stay_zeros_and_masks_of_the_small_model():
    model = lived_in(convnet()).eval()
    units, single = masked_by_units(model), random_masks({n: w.shape for n, w in model.prunable().items()}, 0.5, 0)
    masks = {name: units[name] & single[name] for name in units}
    small = shrink(model, masks)
    x, _ = batch((2, 8, 8))
    np.testing.assert_allclose(outputs(small, x), outputs(under(model, masks), x), rtol=1e-12, atol=1e-13)
    for weight in small.prunable().values():
        assert weight.mask is not None
        assert (weight.data[~weight.mask] == 0).all()


def test_units_whose_ways_all_end_go_too():
    """A unit of the first layer feeds only one of the second that feeds nothing: both go."""
    masks = {
        "fc1": np.ones((3, 2), bool),
        "fc2": np.array([[1, 1, 0], [0, 0, 1]], bool),
        "output": np.array([[1, 0]], bool),
    }
    assert {name: units.tolist() for name, units in used_units(masks).items()} == {
        "fc1": [True, True, False],
        "fc2": [True, False],
        "output": [True],
    }


def test_a_unit_without_inputs_still_gives_its_bias_and_stays():
    model = lived_in(mlp())
    masks = {name: np.ones(weight.shape, bool) for name, weight in model.prunable().items()}
    masks["fc1.weight"][2] = False
    small = shrink(model, masks)
    assert small.fc1.out_features == 8
    x, _ = batch((6,))
    np.testing.assert_allclose(outputs(small, x), outputs(under(model, masks), x), rtol=1e-12)


def test_the_model_stays_float32_stays_float32_and_the_small_one_trains():
    model = convnet()
    before = {name: value.tobytes() for name, value in model.state_dict().items()}
    small = shrink(model, masked_by_units(model))
    assert {name: value.tobytes() for name, value in model.state_dict().items()} == before
    assert all(parameter.dtype == np.float32 for parameter in small.parameters())
    assert [name for name, _ in small.named_parameters()] == [name for name, _ in model.named_parameters()]
    optimizer, (x, y) = optim.SGD(small.parameters(), lr=0.1), batch((2, 8, 8))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(small(Tensor(x)), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_nothing_pruned_gives_an_equal_model():
    model = lived_in(convnet()).eval()
    for name, value in shrink(model).state_dict().items():
        np.testing.assert_array_equal(value, model.state_dict()[name])


def empty(shape):
    return np.zeros(shape, bool)


@pytest.mark.parametrize(
    ("model", "masks", "words"),
    [
        (nn.Sequential({"block": nn.Residual(nn.Linear(4, 4))}), None, "block is a Residual: where ways meet"),
        (nn.Residual(nn.Linear(4, 4)), None, "the model is a Residual"),
        (nn.Sequential(nn.Linear(4, 4), nn.ZeroPadChannels(1)), None, "1 is a ZeroPadChannels"),
        (nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), None, "0 has its channels in groups, so none can go"),
        (mlp(), {"fc9.weight": empty((2, 2))}, r"no prunable weights called \['fc9.weight'\]"),
        (mlp(), {"fc1.weight": empty((2, 2))}, r"mask of fc1.weight must be boolean of shape \(8, 6\)"),
        (mlp(), {"output.weight": empty((4, 7))}, r"nothing of fc2.weight reaches the output"),
    ],
)
def test_what_cannot_be_shrunk_is_named(model, masks, words):
    with pytest.raises(InputError, match=words):
        shrink(model, masks)


def test_a_layer_used_twice_is_named():
    shared = nn.Linear(4, 4)
    with pytest.raises(InputError, match="1 is used twice"):
        shrink(nn.Sequential(shared, shared))
