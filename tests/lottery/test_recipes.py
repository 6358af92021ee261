"""Recipes: the paper's numbers, and how they mix with what is given."""

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SMALL, contents, differing
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment, recipes
from tinyticket.lottery.methods import METHODS
from tinyticket.lottery.plan import layer_groups
from tinyticket.lottery.settings import resolve
from tinyticket.nn import models
from tinyticket.prune import fractions_by_layer, plan_rounds

LENET = "frankle-carbin/lenet"
PAPER = {  # model, data, iterations, batch size, optimizer, lr, weight decay, prune, scope, augment
    "lenet": ("lenet-300-100", "mnist", 50_000, 60, "adam", 1.2e-3, 0, (0.2, 0.2, 0.1), "layer", "none"),
    "conv-2": ("conv-2", "cifar10", 20_000, 60, "adam", 2e-4, 0, (0.1, 0.2, 0.1), "layer", "none"),
    "conv-4": ("conv-4", "cifar10", 25_000, 60, "adam", 3e-4, 0, (0.1, 0.2, 0.1), "layer", "none"),
    "conv-6": ("conv-6", "cifar10", 30_000, 60, "adam", 3e-4, 0, (0.15, 0.2, 0.1), "layer", "none"),
    "resnet-18": ("resnet-20", "cifar10", 30_000, 128, "momentum", 0.1, 1e-4, (0.2, 0, 0), "global", "flip-crop"),
    "resnet-18-low": ("resnet-20", "cifar10", 30_000, 128, "momentum", 0.01, 1e-4, (0.2, 0, 0), "global", "flip-crop"),
    "resnet-18-warmup": (
        "resnet-20",
        "cifar10",
        30_000,
        128,
        "momentum",
        0.03,
        1e-4,
        (0.2, 0, 0),
        "global",
        "flip-crop",
    ),
    "vgg-19": ("vgg-19", "cifar10", 112_480, 64, "momentum", 0.1, 1e-4, (0.2, 0, 0), "global", "flip-crop"),
    "vgg-19-low": ("vgg-19", "cifar10", 112_480, 64, "momentum", 0.01, 1e-4, (0.2, 0, 0), "global", "flip-crop"),
    "vgg-19-warmup": ("vgg-19", "cifar10", 112_480, 64, "momentum", 0.1, 1e-4, (0.2, 0, 0), "global", "flip-crop"),
}


def resolved(name, **given):
    return resolve(training_examples=60_000, **recipes.fill(f"frankle-carbin/{name}", given))


@pytest.mark.parametrize("name", PAPER)
def test_every_number_is_the_papers(name):
    found = resolved(name)
    prune = tuple(found.prune[group] for group in ("conv", "fc", "output"))
    assert PAPER[name] == (
        found.model, found.data, found.iterations, found.batch_size, found.optimizer, found.lr, found.weight_decay, prune,
        found.scope, found.augment,
    )  # fmt: skip
    assert (found.trials, found.validation, found.evaluate_every) == (5, 5_000, 100)
    assert found.controls == ("reinit", "reinit-2", "reinit-3")
    assert found.recipe == f"frankle-carbin/{name}"


def test_no_recipe_is_left_out_of_the_test_above():
    assert {f"frankle-carbin/{name}" for name in PAPER} | NEVER_DENSE.keys() | CHT == set(recipes.RECIPES)


CHT = {"zhang/cht-mnist", "zhang/cht-fashion-mnist"}


@pytest.mark.parametrize("name", sorted(CHT))
def test_cannistraci_hebb_training_is_its_authors(name):
    found = resolve(training_examples=60_000, **recipes.fill(name, {}))
    assert (found.lr, found.optimizer, found.weight_decay, found.batch_size) == (0.025, "momentum", 5e-4, 32)
    assert (found.first_graph, found.first_weights, found.drop) == ("correlated", "scaled", 0.3)
    epoch = 55_000 // 32
    assert found.iterations == found.schedule.iterations == 100 * epoch
    assert found.schedule(found.iterations) == pytest.approx(0.01)
    assert METHODS[found.method].moments(found, epoch)[0] == tuple(range(epoch, 100 * epoch, epoch))
    network = models.create(found.model, (1, 28, 28), 10, rng=0)
    left = METHODS[found.method].plan(network, found).weights_left[1]
    assert left == 3 * 6147 + 7840


SET_MNIST = (
    *("784-1000-1000-1000-10@e20-dropout0.3-srelu-layerfans", [35_680, 40_000, 40_000, 10_000]),  # epsilon 20, or all
    *(1000, 550, "momentum", "none"),
)
NEVER_DENSE = {  # model, connections, epochs, batches of an epoch, optimizer, augment
    "mocanu/set-mnist": SET_MNIST,
    "mocanu/set-fashion-mnist": SET_MNIST,
    "mocanu/set-cifar10": (
        *("3072-4000-1000-4000-10@e20-dropout0.3-srelu-layerfans", [141_440, 100_000, 100_000, 40_000]),
        *(1000, 450, "momentum", "flip-crop-turn"),
    ),
    "wesselink/nerva-cifar10": (
        *("3072-1024-1024-1024-10@0.01", [31_457, 10_486, 10_486, 10_240]),
        *(100, 450, "nesterov", "none"),
    ),
}


@pytest.mark.parametrize("name", NEVER_DENSE)
def test_networks_that_were_never_dense_move_their_connections_once_an_epoch(name):
    model, connections, epochs, epoch, optimizer, augment = NEVER_DENSE[name]
    found = resolve(training_examples=50_000, **recipes.fill(name, {}))
    assert (found.model, found.iterations) == (f"sparse-mlp-{model}", epoch * epochs)
    assert (found.optimizer, found.augment) == (optimizer, augment)
    assert (found.batch_size, found.lr) == (100, 0.01)
    method, default = METHODS[found.method], 100  # set-original moves once an epoch by itself
    assert (method.name, found.update_every) == (("set-original", default) if "mocanu" in name else ("set", epoch))
    assert method.moments(found, epoch)[0][:2] == (epoch, 2 * epoch)
    assert (found.one_shot, found.controls) == ((1.0,), ("static",))
    network = models.create(found.model, (int(model.partition("-")[0]),), 10, rng=0)
    assert [weight.size for weight in network.prunable().values()] == connections
    assert method.plan(network, found).weights_left == [sum(connections)] * 2


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("lenet", {0: 1.2e-3, 49_999: 1.2e-3}),
        ("resnet-18", {0: 0.1, 19_999: 0.1, 20_000: 0.01, 25_000: 0.001, 29_999: 0.001}),
        ("resnet-18-warmup", {0: 0, 10_000: 0.015, 19_999: 0.0299985, 20_000: 0.003, 25_000: 0.0003}),
        ("vgg-19", {0: 0.1, 80 * 703 - 1: 0.1, 80 * 703: 0.01, 120 * 703: 0.001, 160 * 703 - 1: 0.001}),
        ("vgg-19-warmup", {0: 0, 5_000: 0.05, 10_000: 0.1, 80 * 703: 0.01}),
    ],
)
def test_learning_rates(name, rates):
    found = resolved(name)
    for iteration, rate in rates.items():
        assert found.lr * found.schedule(iteration) == pytest.approx(rate)
    assert max(rates) < found.iterations


@pytest.mark.parametrize("name", PAPER)
def test_the_rounds_go_as_far_as_is_said(name):
    found = resolved(name)
    model = models.create(found.model, (1, 28, 28) if found.data == "mnist" else (3, 32, 32), 10, 0)
    sizes = {name: parameter.size for name, parameter in model.prunable().items()}
    fractions = [fractions_by_layer(layer_groups(model), found.prune)] * found.rounds
    left = plan_rounds(sizes, fractions, found.scope, iterative=True)
    limit = 0.075 if "resnet" in name else 0.02
    assert left[-1] / left[0] < limit <= left[-2] / left[0] * 1.2


def test_what_is_given_replaces_the_recipe():
    found = resolved("conv-2", iterations=100, lr=None, controls="none", model="conv-4")
    assert (found.iterations, found.lr, found.controls, found.model) == (100, 2e-4, (), "conv-4")
    assert resolved("conv-2", one_shot=[0.5]).one_shot == (0.5,)
    assert resolved("conv-2", one_shot=[0.5]).rounds == 1
    with pytest.raises(InputError, match="rounds and one-shot exclude each other"):
        resolved("conv-2", one_shot=[0.5], rounds=3)


@pytest.mark.parametrize("recipe", [None, "none"])
def test_without_a_recipe_there_are_the_digits(recipe):
    assert recipes.fill(recipe, {"model": None, "lr": 0.5}) == {"model": "lenet-300-100", "data": "digits", "lr": 0.5}


def test_an_unknown_name_is_refused_with_near_ones():
    with pytest.raises(
        InputError, match=r"no recipe is called 'frankle-carbin/conv2' \(did you mean 'frankle-carbin/conv-\d'"
    ):
        tt.lottery.find(recipe="frankle-carbin/conv2")


def test_the_file_records_the_recipe_and_the_resulting_settings(tmp_path):
    changes = {**SMALL, "rounds": 1, "lr": None, "controls": "reinit", "model": MODEL, "data": DATA}
    result = tt.lottery.find(recipe=LENET, out=tmp_path / "a.h5", **changes)
    assert result.config["recipe"] == LENET
    assert (result.config["lr"], result.config["iterations"], result.config["model"]) == (1.2e-3, 20, MODEL)
    with pytest.raises(InputError, match=f"recipe was {LENET} and is now none"):
        tt.lottery.find(out=tmp_path / "a.h5", **changes)
    spelled = tt.lottery.find(out=tmp_path / "b.h5", **changes)
    first, second = contents(result, tmp_path), contents(spelled, tmp_path)
    found = [place for place in differing(first, second) if not place.endswith("@digest")]
    assert found == ["/@config"]  # the recipe's name, and so the digests


# -- augmentation

IMAGES = tt.data.from_arrays(
    np.random.default_rng(0).normal(size=(260, 1, 4, 4)).astype(np.float32), np.arange(260) % 3, name="images"
)
SMALL_IMAGES = {**SMALL, "model": "mlp-16-8-3", "data": IMAGES, "rounds": 1}


def test_augmentation_changes_the_training_and_is_the_same_for_a_ticket_and_its_controls(monkeypatch):
    seen = []
    original = tt.compiler.EagerStep.run
    monkeypatch.setattr(
        tt.compiler.EagerStep, "run", lambda self, *arguments: seen.append(arguments) or original(self, *arguments)
    )
    plain = tt.lottery.find(**SMALL_IMAGES, eager=True)
    assert all(arguments[3] is None for arguments in seen)
    seen.clear()
    augmented = tt.lottery.find(**SMALL_IMAGES, eager=True, augment="flip-crop")
    assert augmented.config["augment"] == "flip-crop"
    losses = [result.trials[0].rounds[0].history["train_loss"][-1] for result in (plain, augmented)]
    assert losses[0] != losses[1]
    calls = len(seen) // 4  # dense, and the ticket with two controls
    dense, *others = (np.concatenate([arguments[3] for arguments in seen[i * calls :][:calls]]) for i in range(4))
    assert dense.shape == (20, 20, 5)
    assert all(np.array_equal(other, others[0]) for other in others)
    assert not np.array_equal(dense, others[0])


def test_how_often_one_evaluates_does_not_change_the_draws():
    settings = {**SMALL_IMAGES, "rounds": 0, "augment": "flip-crop"}
    first, second = (tt.lottery.find(**{**settings, "evaluate_every": every}) for every in (3, 20))
    for name, value in first.trials[0].rounds[0].trained.items():
        np.testing.assert_array_equal(value, second.trials[0].rounds[0].trained[name])


def test_compiled_steps_get_the_same_draws():
    runs = [tt.lottery.find(**SMALL_IMAGES, eager=eager, augment="flip-crop") for eager in (True, False)]
    assert [run.trials[0].rounds[0].plan["mode"] for run in runs] == ["eager", "compiled"]
    first, second = (run.trials[0].rounds[0].history["train_loss"] for run in runs)
    np.testing.assert_allclose(first, second, rtol=1e-3)


def test_augmentation_wants_images():
    with pytest.raises(InputError, match=r"flip-crop wants images .* examples of clusters have the shape \(12,\)"):
        Experiment(MODEL, DATA, **SMALL, augment="flip-crop")


def test_an_experiment_on_pixels_is_that_on_their_float32_array():
    rng = np.random.default_rng(0)
    parts = [
        tt.data.Pixels(rng.integers(0, 256, (count, 2, 4, 4), np.uint8), (0.5, 0.4), (0.3, 0.2)) for count in (200, 60)
    ]
    labels = [rng.integers(0, 3, count) for count in (200, 60)]
    settings = {**SMALL, "rounds": 1, "model": "mlp-32-8-3", "augment": "flip-crop"}
    results = []
    for x in parts, [np.asarray(part) for part in parts]:
        data = tt.data.Dataset("images", x[0], labels[0], x[1], labels[1], 3)
        results.append(tt.lottery.find(data=data, **settings))
    first, second = (result.trials[0].rounds[1] for result in results)
    for name, value in first.trained.items():
        np.testing.assert_array_equal(value, second.trained[name])
    assert results[0].data["fingerprints"]["x_train"] != results[1].data["fingerprints"]["x_train"]
