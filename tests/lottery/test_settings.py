"""What decides an experiment: defaults, checks, and comparing with what a file records."""

import dataclasses
import json
import math

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.lottery import Settings
from tinyticket.lottery.settings import resolve
from tinyticket.optim import Constant, Cosine, MultiStep, Warmup


def settings(training_examples=1000, **changes):
    return resolve(**{"data": "digits", "model": "lenet-300-100", "training_examples": training_examples, **changes})


# -- defaults


def test_the_digits_get_a_short_recipe():
    assert settings(1437) == Settings(
        data="digits",
        model="lenet-300-100",
        rounds=8,
        iterations=600,
        batch_size=60,
        lr=1.2e-3,
        optimizer="adam",
        weight_decay=0.0,
        schedule=Constant(),
        prune={"conv": 0.2, "fc": 0.2, "output": 0.1},
        one_shot=(),
        scope="layer",
        trials=12,
        controls=("reinit", "random"),
        seed=0,
        validation=200,
        evaluate_every=20,
        eager=False,
        margin=0.005,
    )
    assert settings(1437, data="mine.npz").trials == 3


def test_data_of_the_size_of_mnist_get_a_long_one():
    large, small = settings(60_000), settings(1437)
    differing = {f.name: getattr(large, f.name) for f in dataclasses.fields(large)}
    differing = {name: value for name, value in differing.items() if value != getattr(small, name)}
    assert differing == {
        "rounds": 13,
        "iterations": 10_000,
        "trials": 1,
        "validation": 5_000,
        "evaluate_every": 100,
        "margin": 0.002,
    }


@pytest.mark.parametrize(("examples", "validation"), [(100, 20), (3, 1), (9999, 200), (10_000, 5_000)])
def test_small_data_are_not_all_spent_on_validation(examples, validation):
    assert settings(examples).validation == validation


def test_one_shot_makes_a_round_of_every_density_and_prunes_by_nothing_else():
    one_shot = settings(one_shot=[0.5, 0.2])
    assert (one_shot.rounds, one_shot.one_shot, one_shot.prune) == (2, (0.5, 0.2), {})
    assert settings(one_shot=0.5).one_shot == (0.5,)


def test_numpy_numbers_are_taken_wherever_numbers_are():
    whole = ("rounds", "iterations", "batch_size", "trials", "seed", "validation", "evaluate_every")
    given = settings(
        **dict.fromkeys(whole, np.int64(3)), lr=np.float32(0.5), weight_decay=np.float32(0.25), prune=np.float32(0.5)
    )
    json.dumps(given.to_plain())  # raises where one of them stayed NumPy's
    assert given == settings(**dict.fromkeys(whole, 3), lr=0.5, weight_decay=0.25, prune=0.5)
    by_group = settings(prune={"fc": np.float32(0.5)}, one_shot=None)
    json.dumps(by_group.to_plain())
    json.dumps(settings(one_shot=np.array([0.5, 0.25])).to_plain())


# -- refusals


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("rounds", 0),
        ("iterations", 1),
        ("batch_size", 1),
        ("trials", 1),
        ("seed", 0),
        ("validation", 1),
        ("evaluate_every", 1),
    ],
)
def test_counts_are_whole_numbers_of_at_least_their_least(name, least):
    assert getattr(settings(**{name: least}), name) == least
    for value in (least - 1, 2.5, "3", math.nan):
        with pytest.raises(InputError, match=f"{name.replace('_', ' ')} is a whole number of at least {least}, not"):
            settings(**{name: value})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 0}, "learning rate is above 0"),
        ({"lr": -1e-3}, "learning rate is above 0"),
        ({"lr": math.nan}, "learning rate is above 0"),
        ({"lr": math.inf}, "learning rate"),
        ({"weight_decay": -1}, "weight decay is at least 0"),
        ({"weight_decay": math.nan}, "weight decay is at least 0"),
        ({"weight_decay": math.inf}, "weight decay"),
        ({"margin": -0.001}, "margin is a share of the test examples, such as 0.002, not -0.001"),
        ({"margin": 2}, "margin is a share"),
        ({"margin": math.nan}, "margin is a share"),
        ({"optimizer": "adams"}, "no optimizer is called 'adams'.*did you mean 'adam'"),
        ({"augment": "flip"}, "no augmentation is called 'flip'.*did you mean 'flip-crop'"),
        ({"schedule": "stpe:3"}, "no schedule is called 'stpe'.*did you mean 'step'"),
        (
            {"scope": "network"},
            "or with one-shot one of uniform, uniform-first-dense, uniform-last-dense, erk; not 'network'",
        ),
        ({"scope": "erk"}, "the scope 'erk' shares a density among the layers: give the densities with one-shot"),
        ({"criterion": "magnitud"}, "no criterion is called 'magnitud'.*did you mean 'magnitude'"),
        ({"criterion": "snip"}, "'snip' prunes before training, once: give the densities with one-shot"),
        ({"criterion": "snip", "one_shot": [0.5], "rewind_to": 5}, "prunes theta_0 .* there is nothing to rewind"),
        ({"criterion": "snip", "one_shot": [0.5], "rewind": "lr"}, "prunes theta_0 .* there is nothing to rewind"),
        ({"rewind": "weight"}, "no rewind is called 'weight'"),
        ({"rewind_to": 600}, "from 0 to 599 with 600 iterations; not 600"),
        ({"strategy": "keep"}, "no strategy is called 'keep'"),
        ({"controls": "shuffle"}, "no control is called 'shuffle'"),
        ({"prune": 1}, "between 0 and 1"),
        ({"prune": 0}, "between 0 and 1"),
        ({"prune": "x"}, "'x' is no fraction"),
        ({"schedule": lambda iteration: 1.0}, "schedule"),
        ({"schedule": 5}, "schedule"),
        ({"one_shot": []}, "one-shot wants one or more different densities"),
        ({"one_shot": [0.5, 0.5]}, "one-shot wants one or more different densities"),
        ({"one_shot": [0.5], "rounds": 3}, "rounds and one-shot exclude each other"),
        ({"one_shot": [0.5], "prune": 0.3}, "one-shot"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(changes, words):
    with pytest.raises(InputError, match=words):
        settings(**changes)


# -- the record in the file


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"one_shot": [0.5, 0.2], "controls": "none"},
        {"prune": "conv=0.1,fc=0.2,output=0.05", "scope": "layer"},
        {"schedule": MultiStep((10, 20), 0.5)},
        {"schedule": MultiStep([10, 20])},
        {"schedule": Warmup(5, Cosine(100))},
    ],
)
def test_settings_survive_json(changes):
    given = settings(**changes)
    assert Settings.from_plain(json.loads(json.dumps(given.to_plain()))) == given


def test_equal_settings_continue_and_more_rounds_or_trials_extend():
    recorded = settings(rounds=3, trials=2)
    for changes in ({}, {"rounds": 4}, {"trials": 5}, {"rounds": 9, "trials": 3}):
        settings(**{"rounds": 3, "trials": 2, **changes}).check_continues(recorded, "ticket.h5")


OTHER = {
    "data": "mnist",
    "model": "mlp-64-10",
    "rounds": 2,
    "iterations": 7,
    "batch_size": 7,
    "lr": 0.7,
    "optimizer": "sgd",
    "weight_decay": 0.7,
    "schedule": Cosine(7),
    "prune": 0.7,
    "scope": "global",
    "trials": 1,
    "controls": "none",
    "seed": 7,
    "validation": 7,
    "evaluate_every": 7,
    "eager": True,
    "rewind": "lr",
    "rewind_to": 7,
    "strategy": "continue",
    "augment": "flip-crop",
    "recipe": "frankle-carbin/lenet",
    "criterion": "movement",
    "mask_0": "freeze",
    "masks_from": "mlp-64-10 on digits, seed 7",
    "first_trial": 2,
    "device": "cuda",
    "margin": 0.01,
    "test_at": "minima",
    "loss": "binary-cross-entropy",
    "label_smoothing": 0.1,
    "class_weights": "balanced",
    "target": "species",
    "label_noise": 0.2,
    "exact_convolutions": True,
    "ties": "random",
}


def test_the_table_of_other_settings_is_complete():
    elsewhere = {
        "one_shot",
        "gradual",
        "method",
        "update_every",
        "drop",
        "salient",
        "signed_constant",
        "rescale",
        "score_lr",
        "score_start",
        "score_penalty",
        "early_bird_by",
        "scale_penalty",
        "rewind_optimizer",
        "samples_per_class",
        "first_graph",
        "first_weights",
        "interpolate_norms",
    }
    assert {*OTHER, *elsewhere} == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("name", OTHER)
def test_every_other_difference_is_named_with_both_values(name):
    recorded = settings()
    with pytest.raises(InputError) as error:
        settings(**{name: OTHER[name]}).check_continues(recorded, "ticket.h5")
    message = str(error.value)
    assert message.startswith("ticket.h5 holds an experiment with other settings")
    assert f"{name.replace('_', '-')} was " in message
    others = {other for other in OTHER if other != name}
    if name == "scope":
        others -= {"prune"}  # whose output layer is not halved then
    if name == "data":
        others -= {"trials"}  # which the digits have more of
    assert not [other for other in others if f"{other.replace('_', '-')} was " in message]


def test_all_differences_are_named_at_once():
    with pytest.raises(InputError, match=r"lr was 0\.0012 and is now 0\.5; .*seed was 0 and is now 3"):
        settings(lr=0.5, seed=3).check_continues(settings(), "ticket.h5")


def test_other_densities_of_one_shot_are_a_difference():
    with pytest.raises(InputError, match=r"one-shot was 0\.5 and is now 0\.5,0\.2"):
        settings(one_shot=[0.5, 0.2]).check_continues(settings(one_shot=[0.5]), "ticket.h5")


def test_a_schedule_may_be_text():
    assert settings(schedule="warmup:5+step:7,9").schedule == Warmup(5, MultiStep((7, 9)))


def test_what_came_later_is_left_out_of_a_file_where_it_is_as_ever():
    plain = settings().to_plain()
    assert not {"augment", "recipe"} & plain.keys()
    assert Settings.from_plain(plain).augment == "none"
    plain = json.loads(json.dumps(settings(augment="flip-crop", recipe="frankle-carbin/lenet").to_plain()))
    assert (plain["augment"], plain["recipe"]) == ("flip-crop", "frankle-carbin/lenet")
    assert Settings.from_plain(plain) == settings(augment="flip-crop", recipe="frankle-carbin/lenet")
