"""Networks by name."""

import json

import numpy as np
import pytest

import tinyticket as tt
from tests.nn.bits import same_bits
from tinyticket.errors import InputError
from tinyticket.nn import BatchNorm1d, Dropout, Linear, Module, ReLU, SReLU, build, describe, models


def weight_counts(model) -> list[int]:
    return [parameter.size for parameter in model.prunable().values()]


def test_lenet_300_100_has_the_papers_266_200_weights():
    model = models.create("lenet-300-100")
    assert weight_counts(model) == [784 * 300, 300 * 100, 100 * 10]
    assert sum(weight_counts(model)) == 266_200


def test_lenet_300_100_fits_any_input_and_number_of_classes():
    model = models.create("lenet-300-100", input_shape=(3, 5, 5), classes=4)
    assert weight_counts(model) == [75 * 300, 300 * 100, 100 * 4]
    assert model(np.zeros((2, 3, 5, 5), np.float32)).shape == (2, 4)


def test_an_mlp_has_the_sizes_in_its_name_with_relu_between_them():
    model = models.create("mlp-784-200-50-10")
    assert [(p.in_features, p.out_features) for p in model if isinstance(p, Linear)] == [
        (784, 200),
        (200, 50),
        (50, 10),
    ]
    assert sum(isinstance(part, ReLU) for part in model) == 2
    assert isinstance(model[-1], Linear)


@pytest.mark.parametrize("name", ["mlp-40-30-20-3", "sparse-mlp-40-30-20-3@0.1"])
def test_dropout_comes_after_hidden_layers_and_leaves_the_weights(name):
    plain, dropping = (models.create(name + dropout, (40,), 3, rng=0) for dropout in ("", "-dropout0.3"))
    assert [part.p for part in dropping if isinstance(part, Dropout)] == [0.3, 0.3]
    assert isinstance(dropping[-1], type(plain[-1]))
    assert isinstance(dropping[-2], Dropout)
    state = dropping.state_dict()
    assert all(np.array_equal(value, state[key]) for key, value in plain.state_dict().items())


@pytest.mark.parametrize("name", ["mlp-40-30-20-3", "sparse-mlp-40-30-20-3@e4-dropout0.3"])
def test_s_shaped_relus_take_the_place_of_relus(name):
    plain, bent = (models.create(name + ending, (40,), 3, rng=0) for ending in ("", "-srelu"))
    kinds = [SReLU if type(part) is ReLU else type(part) for part in plain]
    assert [type(part) for part in bent] == kinds
    assert [part.units for part in bent if isinstance(part, SReLU)] == [30, 20]
    assert list(bent.prunable()) == list(plain.prunable())
    assert same_bits(bent.state_dict(), models.create(f"{name}-srelu", (40,), 3, rng=0).state_dict())


@pytest.mark.parametrize("name", ["mlp-40-30-20-3", "sparse-mlp-40-30-20-3@0.2"])
def test_normalisation_stands_before_activations_and_draws_nothing(name):
    plain, normal = (models.create(name + ending, (40,), 3, rng=0) for ending in ("", "-norm-dropout0.3"))
    kinds = [type(part) for part in normal]
    assert kinds[2:5] == kinds[6:9] == [BatchNorm1d, ReLU, Dropout]
    assert [part.num_features for part in normal if isinstance(part, BatchNorm1d)] == [30, 20]
    state = normal.state_dict()
    assert all(np.array_equal(value, state[key]) for key, value in plain.state_dict().items())


def test_initial_weights_as_small_as_those_of_a_dense_layer():
    small, own = (models.create("sparse-mlp-400-200-3@0.1" + end, (400,), 3, rng=0) for end in ("-layerfans", ""))
    bound = np.sqrt(6 / 600)
    weight = small.fc1.weight.data
    assert 0.95 * bound < weight.max() <= bound
    np.testing.assert_allclose(weight.std(), bound / np.sqrt(3), rtol=0.02)
    np.testing.assert_allclose(own.fc1.weight.data.std(), np.sqrt(10) * weight.std(), rtol=0.04)
    np.testing.assert_array_equal(small.fc1.columns.data, own.fc1.columns.data)
    assert models.layers_of("sparse-mlp-400-200-3@0.1-layerfans") == models.layers_of("sparse-mlp-400-200-3@0.1")
    assert [part.settings().get("fans") for part in (small.fc1, own.fc1)] == ["layer", None]


def test_an_mlp_without_hidden_layers_is_one_linear_layer():
    assert list(models.create("mlp-6-3", (6,), 3).state_dict()) == ["output.weight", "output.bias"]


def test_parameter_names_are_fc1_fc2_and_output():
    assert list(models.create("mlp-4-3-2-2", (4,), 2).state_dict()) == [
        f"{layer}.{kind}" for layer in ("fc1", "fc2", "output") for kind in ("weight", "bias")
    ]


def test_the_seed_decides_every_weight():
    def make(rng):
        return models.create("mlp-4-3-2", (4,), 2, rng=rng).state_dict()

    assert same_bits(make(1), make(np.random.default_rng(1)))
    assert (make(1)["fc1.weight"] != make(2)["fc1.weight"]).all()


def test_layers_of_one_shape_get_different_weights():
    state = models.create("mlp-4-4-4", (4,), 4, rng=0).state_dict()
    assert (state["fc1.weight"] != state["output.weight"]).all()


def test_weights_are_gaussian_glorot_float32_and_biases_zero():
    state = models.create("lenet-300-100", rng=0).state_dict()
    assert state["fc1.weight"].std() == pytest.approx(np.sqrt(2 / 1084), rel=0.02)
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}
    assert not any(array.any() for name, array in state.items() if name.endswith("bias"))


@pytest.mark.parametrize("shape", [(6,), 6, [6], (1, 2, 3)])
def test_an_input_shape_is_a_tuple_a_list_or_a_number(shape):
    assert weight_counts(models.create("mlp-6-3", shape, 3)) == [18]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lenet-300", "no model is called 'lenet-300'.*did you mean 'lenet-300-100'"),
        ("lenet_300_100", "did you mean 'lenet-300-100'"),
        ("mlp", "known: .*mlp-IN-HIDDEN-...-OUT"),
        ("mlp-784", "no model is called 'mlp-784'"),
        ("mlp-784--10", "no model is called"),
        ("mlp-784-x-10", "no model is called"),
        ("mlp-784-10-srelu-dropout0.3", "no model is called"),
        ("mlp-784-100-10-layerfans", "no model is called"),
        ("", "no model is called ''"),
        ("conv-3", "no model is called 'conv-3'.*did you mean 'conv-"),
        ("conv2", "did you mean 'conv-2'"),
        ("resnet20", "did you mean 'resnet-20'"),
        ("vgg-13", "no model is called 'vgg-13'.*did you mean 'vgg-1"),
    ],
)
def test_an_unknown_name_is_refused_with_near_names(name, words):
    with pytest.raises(InputError, match=words):
        models.create(name)


@pytest.mark.parametrize("name", ["mlp-783-50-10", "mlp-784-50-9"])
def test_sizes_that_do_not_fit_the_data_are_refused_and_both_named(name):
    _, inputs, _, outputs = name.split("-")
    words = f"{name} has {inputs} inputs and {outputs} outputs, but the data have 784 features and 10 classes"
    with pytest.raises(InputError, match=words):
        models.create(name)


def test_a_layer_without_units_is_refused():
    with pytest.raises(InputError, match="every layer has at least one unit"):
        models.create("mlp-784-0-10")


def test_names_lists_what_create_knows():
    assert "lenet-300-100" in models.names()
    for name in models.names():
        if not name.isupper() and "N" not in name:  # families are shown by their pattern
            assert isinstance(models.create(name, (3, 32, 32)), Module)


IMAGE_NETWORKS = ["lenet-5", "conv-2", "conv-4-dropout", "resnet-8", "resnet-8-identity", "vgg-11"]


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_a_network_for_images_takes_any_channels_and_classes_and_comes_back_from_its_description(name):
    model = models.create(name, (2, 16, 32), classes=np.int64(3), rng=0)
    assert model(np.zeros((2, 2, 16, 32), np.float32)).shape == (2, 3)
    assert repr(build(json.loads(json.dumps(describe(model))))) == repr(model)


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_the_seed_decides_every_weight_of_a_network_for_images(name):
    def make(rng):
        return models.create(name, (1, 16, 16), rng=rng)

    assert same_bits(make(1).state_dict(), make(np.random.default_rng(1)).state_dict())
    one, other = make(1), make(2)
    assert all((one.prunable()[key].data != other.prunable()[key].data).all() for key in one.prunable())
    other.reset_parameters(3)
    assert all((one.prunable()[key].data != other.prunable()[key].data).all() for key in one.prunable())


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
@pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 0, 28), (2, 1, 28, 28)])
def test_what_is_no_image_is_refused(name, shape):
    with pytest.raises(
        InputError, match=rf"{name} takes images of shape \(channels, height, width\); the data have shape"
    ):
        models.create(name, shape)


def test_models_are_reached_from_the_top():
    assert tt.models is models


@pytest.mark.parametrize(
    ("name", "counts"), [("@0.1", [120, 60, 60]), ("@e2", [2 * 70, 2 * 50, 2 * 23]), ("@e7", [490, 350, 60])]
)
def test_a_network_that_was_never_dense_has_the_connections_in_its_name(name, counts):
    model = models.create("sparse-mlp-40-30-20-3" + name, (40,), 3, rng=0)
    assert [weight.size for weight in model.prunable().values()] == counts
    assert model(np.ones((2, 40), np.float32)).shape == (2, 3)
    same, other = (models.create("sparse-mlp-40-30-20-3" + name, (40,), 3, rng=seed) for seed in (0, 1))
    assert model.fc1.connections == same.fc1.connections != other.fc1.connections
    assert model.fc1.weight.data.tobytes() == same.fc1.weight.data.tobytes()


def test_a_network_of_more_connections_than_memory_holds_is_refused():
    with pytest.raises(InputError, match="memory are too little"):
        models.create("sparse-mlp-1000000-1000000-1000000-2@0.5", (1_000_000,), 2)
