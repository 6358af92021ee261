"""Layers: what they compute, what they hold, what they refuse."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket import nn
from tinyticket.nn import functional as F

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


# -- Linear


def test_linear_has_pytorchs_shapes_and_order():
    layer = nn.Linear(3, 5)
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [("weight", (5, 3)), ("bias", (5,))]
    assert [name for name, _ in nn.Linear(3, 5, bias=False).named_parameters()] == ["weight"]


def test_linear_computes_x_times_weight_transposed_plus_bias():
    layer = nn.Linear(3, 5, rng=0)
    layer.bias.data[...] = np.arange(5)
    np.testing.assert_allclose(layer(X).data, X @ layer.weight.data.T + np.arange(5, dtype=np.float32), rtol=1e-6)
    assert layer(X).dtype == np.float32


def test_the_seed_decides_the_weights_and_biases_start_at_zero():
    first, same, other = nn.Linear(3, 5, rng=1), nn.Linear(3, 5, rng=np.random.default_rng(1)), nn.Linear(3, 5, rng=2)
    assert first.weight.data.tobytes() == same.weight.data.tobytes()
    assert (first.weight.data != other.weight.data).all()
    assert (nn.Linear(3, 5).weight.data != nn.Linear(3, 5).weight.data).all()
    assert first.bias.data.tolist() == [0] * 5


@pytest.mark.parametrize("name", nn.init.INITIALISERS)
def test_linear_draws_from_the_named_distribution(name):
    layer = nn.Linear(3, 5, rng=4, init=name)
    np.testing.assert_array_equal(layer.weight.data, nn.init.INITIALISERS[name]((5, 3), 4))
    layer.reset_parameters(5)
    np.testing.assert_array_equal(layer.weight.data, nn.init.INITIALISERS[name]((5, 3), 5))


def test_reset_parameters_sets_the_bias_back_to_zero():
    layer = nn.Linear(3, 5)
    layer.bias.data[...] = 7
    layer.reset_parameters(0)
    assert layer.bias.data.tolist() == [0] * 5


def test_an_unknown_initialisation_is_refused_with_the_near_name():
    with pytest.raises(ValueError, match=r"unknown initialisation 'glorot'.*did you mean 'glorot_"):
        nn.Linear(3, 5, init="glorot")


@pytest.mark.parametrize("sizes", [(0, 5), (3, 0), (-1, 2)])
def test_a_linear_layer_without_inputs_or_outputs_is_refused(sizes):
    with pytest.raises(ValueError, match="at least one input and one output"):
        nn.Linear(*sizes)


# -- activations, Flatten, Dropout


@pytest.mark.parametrize(
    ("layer", "f"),
    [
        (nn.ReLU(), F.relu),
        (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, negative_slope=0.3)),
        (nn.Tanh(), F.tanh),
        (nn.Sigmoid(), F.sigmoid),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_activation_applies_its_function(layer, f):
    np.testing.assert_array_equal(layer(tt.Tensor(X)).data, f(X).data)
    assert list(layer.parameters()) == []


def test_flatten_keeps_the_batch_axis_and_the_order_of_elements():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(nn.Flatten()(images).data, images.reshape(2, 60))


def test_dropout_drops_in_training_only():
    layer, x = nn.Dropout(0.5, rng=0), tt.Tensor(np.ones((100, 10), np.float32))
    assert set(np.unique(layer(x).data)) == {0, 2}
    layer.eval()
    assert layer(x) is x
    layer.train()
    assert (layer(x).data == 0).any()


def test_dropout_draws_anew_each_time_and_repeats_from_its_seed():
    x = np.ones(100, np.float32)
    one, other = nn.Dropout(rng=3), nn.Dropout(rng=3)
    first = one(x).data
    np.testing.assert_array_equal(other(x).data, first)
    assert (one(x).data != first).any()


def test_dropout_drops_the_gradient_of_what_it_dropped():
    x = tt.Tensor(np.ones(50, np.float32), requires_grad=True)
    result = nn.Dropout(0.5, rng=0)(x)
    result.sum().backward()
    np.testing.assert_array_equal(x.grad, result.data)


@pytest.mark.parametrize("p", [-0.1, 1, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="Dropout: p is a probability"):
        nn.Dropout(p)


# -- Sequential


def test_sequential_applies_its_layers_in_turn():
    first, second = nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1)
    model = nn.Sequential(first, nn.ReLU(), second)
    np.testing.assert_array_equal(model(X).data, second(first(X).relu()).data)
    assert len(model) == 3
    assert list(model) == [first, model[1], second]
    assert model[-1] is second


def test_sequential_takes_names_from_a_mapping_and_numbers_otherwise():
    named = nn.Sequential({"fc": nn.Linear(3, 2), "relu": nn.ReLU()})
    assert [name for name, _ in named.children()] == ["fc", "relu"]
    assert named.fc is named[0]
    assert [name for name, _ in nn.Sequential(nn.ReLU(), nn.Tanh()).children()] == ["0", "1"]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="wants Modules; 1 is a function"):
        nn.Sequential(nn.ReLU(), lambda x: x)
    with pytest.raises(TypeError, match="wants Modules; 0 is a list"):
        nn.Sequential([nn.ReLU()])


@pytest.mark.parametrize("name", ["forward", "training", "state_dict", "a.b", "a/b"])
def test_sequential_refuses_names_that_would_hide_its_own_or_break_paths(name):
    with pytest.raises(ValueError, match="cannot name a layer"):
        nn.Sequential({name: nn.ReLU()})
