"""Module: what it owns by walking its attributes, its state, and its modes."""

import copy

import numpy as np
import pytest

import tinyticket as tt
from tests.nn.bits import assert_positive_zeros, same_bits
from tinyticket import nn


class Inner(nn.Module):
    def __init__(self, rng=None):
        self.linear = nn.Linear(3, 2, rng=rng)
        self.mean = nn.Buffer(np.zeros(2, np.float32))

    def forward(self, x):
        return self.linear(x) - self.mean.data


class Outer(nn.Module):
    """One of everything: a parameter of its own, a module, a list of modules, and a module by a second name."""

    def __init__(self, rng=0):
        rng = np.random.default_rng(rng)
        self.first = nn.Linear(4, 3, bias=False, rng=rng)
        self.blocks = [Inner(rng), nn.ReLU(), Inner(rng)]
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.also_first = self.first
        self.label = "no parameter"

    def forward(self, x):
        x = self.first(x)
        return self.scale * self.blocks[1](self.blocks[0](x)) + self.blocks[2](x)

    def reset_parameters(self, rng):
        for part in (self.first, self.blocks[0].linear, self.blocks[2].linear):
            part.reset_parameters(rng)
        self.scale.data[...] = 1


PARAMETERS = {  # in the order of the walk: a module's own first, then part by part
    "scale": (2,),
    "first.weight": (3, 4),
    "blocks.0.linear.weight": (2, 3),
    "blocks.0.linear.bias": (2,),
    "blocks.2.linear.weight": (2, 3),
    "blocks.2.linear.bias": (2,),
}


@pytest.fixture
def model():
    return Outer()


def mask_some_weights(model) -> dict[str, np.ndarray]:
    masks = {}
    for name, parameter in model.prunable().items():
        masks[name] = parameter.mask = np.random.default_rng(3).random(parameter.shape) < 0.5
    return masks


def assert_masks_hold(model, masks) -> None:
    for name, parameter in model.prunable().items():
        assert_positive_zeros(parameter.data[~masks[name]])
        assert (parameter.data[masks[name]] != 0).all()


# -- walking


def test_parameters_are_found_in_attributes_lists_and_nested_modules(model):
    assert [(name, parameter.shape) for name, parameter in model.named_parameters()] == list(PARAMETERS.items())


def test_a_shared_parameter_counts_once():
    model = nn.Sequential({"encoder": nn.Linear(3, 3), "decoder": nn.Linear(3, 3, bias=False)})
    model[1].weight = model[0].weight
    assert [name for name, _ in model.named_parameters()] == ["encoder.weight", "encoder.bias"]
    assert list(model.state_dict()) == ["encoder.weight", "encoder.bias"]
    assert list(model.prunable()) == ["encoder.weight"]


def test_a_shared_parameter_gets_the_gradient_of_all_its_uses():
    shared = nn.Linear(2, 2, bias=False, rng=0)
    model = nn.Sequential(shared, shared)
    model(np.ones((1, 2), np.float32)).sum().backward()
    leaf = tt.Tensor(shared.weight.data, requires_grad=True)
    (np.ones((1, 2), np.float32) @ leaf.T @ leaf.T).sum().backward()
    np.testing.assert_allclose(shared.weight.grad, leaf.grad, rtol=1e-5)


def test_parameters_come_in_the_order_in_which_they_were_set():
    model = nn.Sequential({"b": nn.Linear(2, 2), "a": nn.Linear(2, 2)})
    assert [name for name, _ in model.named_parameters()] == ["b.weight", "b.bias", "a.weight", "a.bias"]


def test_modules_are_named_from_the_root(model):
    names = [name for name, _ in model.named_modules()]
    assert names[:5] == ["", "first", "blocks.0", "blocks.0.linear", "blocks.1"]


def test_only_the_weights_of_prunable_layers_are_prunable(model):
    assert list(model.prunable()) == [name for name in PARAMETERS if name.endswith("weight")]


def test_buffers_are_no_parameters(model):
    assert [name for name, _ in model.named_buffers()] == ["blocks.0.mean", "blocks.2.mean"]
    assert not any("mean" in name for name, _ in model.named_parameters())


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\)"):
        nn.Module()(1)


def test_repr_shows_the_tree():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.LeakyReLU(0.2)))
    assert repr(model).splitlines() == [
        "Sequential(",
        "  0: Linear(in_features=2, out_features=3, bias=True, init='glorot_normal')",
        "  1: Sequential(",
        "    0: LeakyReLU(negative_slope=0.2)",
        "  )",
        ")",
    ]


# -- state


def test_state_dict_round_trip_is_exact(model):
    other = Outer(rng=1)
    assert not same_bits(model.state_dict(), other.state_dict())
    model.blocks[0].mean.data[...] = [3, 4]
    other.load_state_dict(model.state_dict())
    assert same_bits(model.state_dict(), other.state_dict())
    assert other.blocks[0].mean.data.tolist() == [3, 4]
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    assert model(x).data.tobytes() == other(x).data.tobytes()


def test_a_state_is_not_changed_by_training_nor_the_model_by_the_state(model):
    state = model.state_dict()
    kept = copy.deepcopy(state)
    for parameter in model.parameters():
        parameter.data += 1
    assert same_bits(state, kept)
    model.load_state_dict(state)
    for array in state.values():
        array += 1
    assert same_bits(model.state_dict(), kept)
    model.load_state_dict(kept)
    for parameter in model.parameters():
        parameter.data += 1
    assert not any((kept[name] == value).any() for name, value in model.state_dict().items() if "mean" not in name)


def without_a_name(state):
    del state["scale"]
    return "missing.*scale"


def with_a_name_too_many(state):
    state["extra"] = np.zeros(1)
    return "unknown.*extra"


def with_a_misspelt_name(state):
    state["sacle"] = state.pop("scale")
    return "missing.*scale.*unknown.*sacle"


def with_another_shape(state):
    state["scale"] = np.zeros(3)
    return r"scale has shape \(2,\) here, \(3,\) in the state"


def with_a_shape_that_would_broadcast(state):
    state["scale"] = np.zeros(1)
    return r"scale has shape \(2,\) here, \(1,\) in the state"


@pytest.mark.parametrize(
    "spoil",
    [
        without_a_name,
        with_a_name_too_many,
        with_a_misspelt_name,
        with_another_shape,
        with_a_shape_that_would_broadcast,
    ],
)
def test_a_state_that_does_not_fit_sets_nothing(model, spoil):
    before = model.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    words = spoil(state)
    with pytest.raises(ValueError, match=words):
        model.load_state_dict(state)
    assert same_bits(model.state_dict(), before)


def test_a_float64_state_is_loaded_as_float32(model):
    model.load_state_dict({name: array.astype(np.float64) for name, array in model.state_dict().items()})
    assert {array.dtype for array in model.state_dict().values()} == {np.dtype(np.float32)}


def test_masks_hold_through_load_state_dict(model):
    masks = mask_some_weights(model)
    model.load_state_dict({name: -np.ones_like(array) for name, array in model.state_dict().items()})
    assert_masks_hold(model, masks)


def test_masks_hold_through_reset_parameters(model):
    masks = mask_some_weights(model)
    model.reset_parameters(7)
    assert_masks_hold(model, masks)


# -- drawing initial values anew


def test_reset_parameters_draws_what_a_fresh_model_has():
    fresh = nn.models.create("mlp-6-5-4-3", (6,), 3, rng=11)
    used = nn.models.create("mlp-6-5-4-3", (6,), 3, rng=12)
    for parameter in used.parameters():
        parameter.data += 1
    used.reset_parameters(11)
    assert same_bits(used.state_dict(), fresh.state_dict())


def test_reset_parameters_writes_where_the_parameters_are():
    """Optimizers and others hold the parameters; they must see the new values."""
    model = nn.Sequential(nn.Linear(3, 2, rng=0))
    parameter, array = model[0].weight, model[0].weight.data
    model.reset_parameters(1)
    assert model[0].weight is parameter
    assert parameter.data is array


def test_a_module_with_own_parameters_must_say_how_they_are_drawn():
    class Scale(nn.Module):
        def __init__(self):
            self.factor = nn.Parameter(np.ones(2, np.float32))

    with pytest.raises(TypeError, match=r"Scale owns factor but does not say .* reset_parameters\(self, rng\)"):
        nn.Sequential(nn.Linear(2, 2), Scale()).reset_parameters(0)


# -- modes and copies


def test_train_and_eval_reach_every_module(model):
    assert model.training
    assert model.eval() is model
    assert not any(module.training for _, module in model.named_modules())
    model.train()
    assert all(module.training for _, module in model.named_modules())


def test_a_mode_belongs_to_one_model():
    one, other = Outer(), Outer()
    one.eval()
    assert other.training
    assert nn.Linear(1, 1).training


def test_a_deep_copy_shares_nothing_with_the_original(model):
    masks = mask_some_weights(model)
    before = model.state_dict()
    twin = copy.deepcopy(model)
    assert same_bits(twin.state_dict(), before)
    for parameter in twin.parameters():
        parameter.data[...] = 5
    twin.blocks[0].mean.data += 1
    assert same_bits(model.state_dict(), before)
    for name, parameter in twin.prunable().items():
        np.testing.assert_array_equal(parameter.mask, masks[name])
        assert parameter.mask is not model.prunable()[name].mask


def test_a_deep_copy_shares_within_itself_what_the_original_shared(model):
    model.blocks[2].linear.weight = model.blocks[0].linear.weight
    twin = copy.deepcopy(model)
    assert twin.blocks[2].linear.weight is twin.blocks[0].linear.weight
    assert twin.also_first is twin.first
    assert len(list(twin.parameters())) == len(list(model.parameters()))
