"""Channels by the scales of their batch normalisation, and the weights that belong to them."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.errors import InputError
from tinyticket.nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from tinyticket.prune import channel_masks, normalised_channels, shrink, weights_of_channels
from tinyticket.prune.channels import Channels


def chain():
    first, second = Conv2d(1, 6, 3, padding=1, rng=0), Conv2d(6, 5, 3, padding=1, rng=1)
    layers = [
        first,
        BatchNorm2d(6),
        ReLU(),
        MaxPool2d(2),
        second,
        BatchNorm2d(5),
        ReLU(),
        Flatten(),
        Linear(5 * 4, 3, rng=2),
    ]
    return Sequential(*layers)


def test_the_largest_scales_stay_over_all_layers_exactly_as_many():
    masks = channel_masks({"bn1": np.array([0.1, -3.0, 0.0]), "bn2": np.array([1.0, -0.5])}, 0.6)
    assert {name: mask.tolist() for name, mask in masks.items()} == {"bn1": [False, True, False], "bn2": [True, True]}


def test_no_layer_loses_all_its_channels_and_of_equal_ones_the_last_go():
    masks = channel_masks({"small": np.full(3, 0.1), "large": np.arange(1.0, 6.0)}, 0.5)
    assert masks["small"].tolist() == [True, False, False]
    assert masks["large"].tolist() == [False, False, True, True, True]
    with pytest.raises(InputError, match=r"a density of 0\.1 keeps 1 of 8 channels, fewer than the 2 layers"):
        channel_masks({"a": np.ones(3), "b": np.ones(5)}, 0.1)


def test_a_chain_knows_what_makes_and_what_reads_its_channels():
    assert normalised_channels(chain()) == {
        "1.weight": Channels("0.weight", "4.weight", 6),
        "5.weight": Channels("4.weight", "8.weight", 5),
    }


def test_channels_that_are_added_up_have_no_single_reader():
    model = tt.models.create("resnet-8", (3, 8, 8), rng=0)
    found = normalised_channels(model)
    weights = model.prunable()
    assert {held.makes for held in found.values()} <= weights.keys()
    assert len(found) == sum("running_mean" in name for name in model.state_dict())
    readers = [held.reads for held in found.values() if held.reads]
    assert len(readers) == 3  # the second convolution of each block reads the first one's alone
    for held in found.values():
        assert weights[held.makes].shape[0] == held.count


def test_a_model_without_normalisation_is_refused():
    with pytest.raises(InputError, match="no batch normalisation"):
        normalised_channels(tt.models.create("conv-2", (3, 8, 8), rng=0))


def test_channels_in_groups_are_refused():
    with pytest.raises(InputError, match="1 has its channels in groups, so none can go without those beside it"):
        normalised_channels(Sequential(BatchNorm2d(4), Conv2d(4, 4, 3, groups=2), BatchNorm2d(4)))


def test_pruned_channels_are_gone_from_the_network():
    """What `shrink` makes of the masks has so many channels fewer, and computes the same."""
    model = chain().eval()
    channels = normalised_channels(model)
    kept = {"1.weight": np.arange(6) % 2 == 0, "5.weight": np.arange(5) > 1}
    masks = weights_of_channels({name: weight.shape for name, weight in model.prunable().items()}, channels, kept)
    for name, weight in model.prunable().items():
        weight.mask = masks[name]
    assert not masks["0.weight"][1].any()
    assert not masks["4.weight"][:, 1].any()
    assert not masks["4.weight"][0].any()
    assert not masks["8.weight"][:, :8].any()
    small = shrink(model)
    assert [weight.shape for weight in small.prunable().values()] == [(3, 1, 3, 3), (3, 3, 3, 3), (3, 12)]
    x = np.random.default_rng(0).random((4, 1, 4, 4), np.float32)
    with tt.no_grad():
        np.testing.assert_allclose(small(x).data, model(x).data, rtol=1e-4, atol=1e-5)
