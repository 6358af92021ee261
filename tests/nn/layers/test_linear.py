"""Linear: what it computes, what it holds, what it refuses."""

import numpy as np
import pytest

from tinyticket import nn

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


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
