"""Experiments that train for other losses than the cross-entropy, and on examples that count differently."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, SMALL, contents, differing, find
from tinyticket.data import Dataset, from_arrays, weighted
from tinyticket.errors import InputError
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.settings import Settings
from tinyticket.report.table import table

NUMBERS = from_arrays(
    DATA.x_train, DATA.x_train @ np.ones((12, 2)), DATA.x_test, DATA.x_test @ np.ones((12, 2)), numbers=True
)
TWO = from_arrays(DATA.x_train, DATA.y_train % 2, DATA.x_test, DATA.y_test % 2)
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2, len(DATA.y_train))
CASES = {
    "smoothed": ({"label_smoothing": 0.1, "class_weights": "balanced"}, DATA),
    "binary": ({"loss": "binary-cross-entropy", "model": "mlp-12-16-8-1"}, TWO),
    "logit": ({"loss": "binary-cross-entropy", "model": "lenet-300-100"}, TWO),
    "mse": ({"loss": "mse", "model": "mlp-12-16-8-2", "iterations": 60}, NUMBERS),
    "weighted": ({}, from_arrays(DATA.x_train, weighted(DATA.y_train, WEIGHTS), DATA.x_test, DATA.y_test)),
}


@pytest.fixture(scope="module", params=CASES)
def run(request, tmp_path_factory):
    changes, data = CASES[request.param]
    out = tmp_path_factory.mktemp("losses") / f"{request.param}.h5"
    return request.param, find(**changes, data=data, rounds=1, out=out), data


def test_such_files_are_replayed_and_verified(run):
    _, result, data = run
    assert result.round(0, 1).plan["mode"] == ("compiled" if result.metric.title == "R2" else "eager")
    assert replay(result, 0, 1, data=data).agrees
    checks = {check.what: check for check in verify(result, data=data)}
    assert not [check for check in checks.values() if check.standing == "failed"]
    assert checks["the network is what its name says"].standing == "passed"
    assert result.round(0, 0).history["train_loss"][-1] < result.round(0, 0).history["train_loss"][1]


def test_the_file_says_what_its_accuracies_are(run):
    name, result, data = run
    with result.archive.read() as root:
        group = root.group("trials/0/rounds/01/controls/reinit")
        assert (group.text("metric") if group.has("metric") else "accuracy") == ("r2" if name == "mse" else "accuracy")
    title = "R2" if name == "mse" else "accuracy"
    assert result.metric.title == title
    assert title in [column.header for shown in table(result) for column in shown.columns]
    assert ("points of R2" in result.verdict["text"]) == (name == "mse")
    assert result.data["classes"] == data.classes
    assert result.data.get("outputs") == (2 if name == "mse" else None)


def test_r2_may_be_below_zero():
    result = find(**CASES["mse"][0] | {"iterations": 1}, data=NUMBERS, rounds=0)
    assert result.round(0, 0).history["test_accuracy"][0] < 0
    assert result.round(0, 0).test_accuracy < 0.5


def test_weights_of_one_change_nothing_but_the_data(tmp_path):
    ones = from_arrays(DATA.x_train, weighted(DATA.y_train, np.ones(len(DATA.y_train))), DATA.x_test, DATA.y_test)
    plain, result = find(eager=True, data=DATA, rounds=1), find(eager=True, data=ones, rounds=1)
    assert plain.round(0, 1).history["validation_loss"] == pytest.approx(
        result.round(0, 1).history["validation_loss"], rel=1e-5
    )


def test_a_class_that_counts_more_is_named_more_often():
    def named(weights):
        network = find(rounds=0, iterations=40, class_weights=weights).model(0, 0)
        return np.bincount(network(DATA.x_test).data.argmax(axis=1), minlength=3)

    assert named("0.01,1,0.01")[1] > named("none")[1]


def test_settings_of_before_are_equal_to_those_that_say_nothing_of_a_loss():
    config = find(rounds=0, trials=1).config
    assert not config.keys() & {"loss", "label_smoothing", "class_weights", "target"}
    assert Settings.from_plain(config).loss == "cross-entropy"


def test_a_smoothed_dense_training_is_no_plain_one(tmp_path):
    plain = find(rounds=0, out=tmp_path / "plain.h5")
    with pytest.raises(InputError, match="label-smoothing differ"):
        find(label_smoothing=0.1, dense_from=plain, out=tmp_path / "other.h5")


def test_extending_a_file_of_numbers_gives_what_one_run_gives(tmp_path):
    settings, data = CASES["mse"]
    for rounds in (0, 1):
        find(**settings, data=data, rounds=rounds, out=tmp_path / "a.h5")
    find(**settings, data=data, rounds=1, out=tmp_path / "b.h5")
    assert differing(contents(tmp_path / "a.h5"), contents(tmp_path / "b.h5")) == []


@pytest.mark.parametrize(
    ("changes", "data", "words"),
    [
        ({"loss": "mse"}, "digits", "mse is of targets that are numbers, but digits has classes"),
        ({}, NUMBERS, "cross-entropy is of targets that are classes, but arrays has numbers"),
        ({"loss": "binary-cross-entropy"}, DATA, "of two classes, but clusters has 3"),
        (
            {"loss": "mse", "label_smoothing": 0.1, "model": "mlp-12-2"},
            NUMBERS,
            "label smoothing are of the loss cross-entropy",
        ),
        ({"class_weights": "1,2"}, DATA, "there are 2 class weights, but clusters has 3 classes"),
        ({"class_weights": "1,-2,1"}, DATA, "class weights are numbers above 0"),
        ({"loss": "mse", "label_noise": 0.1, "model": "mlp-12-2"}, NUMBERS, "label noise is of classes"),
        ({"label_noise": 1}, DATA, "the share of wrong labels is at least 0 and below 1"),
        ({"label_smoothing": 1}, DATA, "label smoothing is a share from 0 to 1"),
        (
            {"criterion": "snip", "one_shot": 0.5, "rounds": None, "label_smoothing": 0.1},
            DATA,
            "snip computes with plain",
        ),
        ({"loss": "hinge"}, DATA, "no loss is called 'hinge'"),
        ({"target": "species"}, "digits", "'species' is a column of a CSV file or data frame"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, data, words):
    with pytest.raises(InputError, match=words):
        find(**{**SMALL, **changes}, data=data)


def test_data_of_numbers_are_not_those_of_classes():
    with pytest.raises(InputError, match=r"float32 \(N, outputs\) of numbers"):
        Dataset("mine", DATA.x_train, DATA.y_train, DATA.x_test, DATA.y_test, 0)
    with pytest.raises(InputError, match="y_train has 2 numbers an example and y_test 1"):
        from_arrays(DATA.x_train, NUMBERS.y_train, DATA.x_test, NUMBERS.y_test[:, 0], numbers=True)


def test_criteria_that_take_every_example_alike_refuse_weights():
    with pytest.raises(InputError, match="snip takes every example alike"):
        find(data=CASES["weighted"][1], criterion="snip", rounds=None, one_shot=[0.5])
