"""Data and models that are brought along: what of them is used for what, and which are refused."""

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    MODEL,
    SMALL,
    Recorder,
    equal_bytes,
    every_round,
    find,
)
from tests.lottery.networks import Counting, Drawn, Silent, Watching, plain
from tinyticket import nn
from tinyticket.data import Dataset, from_arrays
from tinyticket.data.noise import noisy_labels
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment, stream
from tinyticket.lottery.replay.verify import verify
from tinyticket.nn import models

ITERATIONS = SMALL["iterations"]


# -- data


def test_label_noise_is_of_training_labels_alone_and_moves_no_other_stream(out):
    clean, noisy = (Experiment(MODEL, DATA, **SMALL, label_noise=share).examples for share in (0, 0.25))
    assert np.count_nonzero(clean.train[1] != noisy.train[1]) == 40
    for part in ("validation", "test"):
        np.testing.assert_array_equal(getattr(clean, part)[1], getattr(noisy, part)[1])
        np.testing.assert_array_equal(getattr(clean, part)[0], getattr(noisy, part)[0])
    drawn = noisy_labels(clean.train[1], 3, 0.25, stream(0, 0, "label-noise"))
    np.testing.assert_array_equal(noisy.train[1], drawn)
    again = Experiment(MODEL, DATA, **{**SMALL, "trials": 2, "rounds": 3}, label_noise=0.25).examples
    np.testing.assert_array_equal(again.train[1], noisy.train[1])
    plain = find(rounds=0)
    with pytest.raises(InputError, match="label-noise differ"):
        find(label_noise=0.25, rounds=0, dense_from=plain, out=out)
    wrong = find(label_noise=0.25, rounds=1)
    assert equal_bytes(wrong.init(0), plain.init(0))
    assert [check.failures for check in verify(wrong, retrain=2, data=DATA) if check.failures] == []


def test_the_validation_examples_are_fixed_by_the_seed_and_are_no_others_examples():
    def parts(**changes):
        examples = Experiment(MODEL, DATA, **{**SMALL, **changes}).examples
        return {name: {row.tobytes() for row in getattr(examples, name)[0]} for name in ("train", "validation", "test")}

    first = parts()
    assert first == parts(trials=3, rounds=1, batch_size=7, lr=0.5)
    assert first["validation"] != parts(seed=1)["validation"]
    assert {name: len(rows) for name, rows in first.items()} == {"train": 160, "validation": 40, "test": 60}
    assert not first["train"] & first["validation"]
    assert not first["test"] & (first["train"] | first["validation"])


def test_validation_examples_are_never_trained_on():
    seen = []
    find(lambda rng: Watching(seen, rng), rounds=0, batch_size=1, iterations=160)
    trained_on = {np.frombuffer(batch, np.float32).tobytes() for batch in seen}
    examples = Experiment(MODEL, DATA, **SMALL).examples
    assert trained_on == {row.tobytes() for row in examples.train[0]}  # the whole of an epoch


def test_the_test_set_never_chooses_anything(small):
    """Other test examples may change what is reported, but no weight, no mask and no early-stopping iteration."""
    rng = np.random.default_rng(0)
    swapped = Dataset("clusters", DATA.x_train, DATA.y_train, DATA.x_test[::-1].copy(), rng.permutation(DATA.y_test), 3)
    other = find(data=swapped, trials=2)
    reported = []
    for (_, first), (_, second) in zip(every_round(small), every_round(other), strict=True):
        for a, b in zip([first, *first.controls.values()], [second, *second.controls.values()], strict=True):
            assert equal_bytes(a.masks, b.masks)
            assert equal_bytes(a.trained, b.trained)
            assert (a.early_stop_iteration, a.validation_loss) == (b.early_stop_iteration, b.validation_loss)
            reported.append(a.test_accuracy == b.test_accuracy)
    assert not all(reported)


def test_arrays_of_ones_own_are_taken_as_they_are(small):
    arrays = (DATA.x_train, DATA.y_train, DATA.x_test, DATA.y_test)
    result = find(data=arrays)
    assert result.config["data"] == "arrays"
    assert equal_bytes(result.trials[0].rounds[2].trained, small.trials[0].rounds[2].trained)
    assert result.data["examples"] == {"train": 160, "validation": 40, "test": 60}


def test_arrays_without_a_test_part_have_one_held_out():
    assert find(data=(DATA.x_train, DATA.y_train), rounds=0).data["examples"] == {
        "train": 120,
        "validation": 40,
        "test": 40,
    }


def test_an_npz_file_is_known_by_its_name(small, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=DATA.x_train, y_train=DATA.y_train, x_test=DATA.x_test, y_test=DATA.y_test)
    result = find(data=str(path))
    assert result.config["data"] == "mine.npz"
    assert result.data["fingerprints"] == small.data["fingerprints"]


# -- models of one's own


def test_a_module_is_drawn_anew_for_every_trial_and_left_as_it_was():
    model = plain(rng=5)
    before = model.state_dict()
    result = find(model, trials=2)
    assert equal_bytes(model.state_dict(), before)
    assert all(parameter.mask is None for parameter in model.parameters())
    assert (
        len({result.init(0)["0.weight"].tobytes(), result.init(1)["0.weight"].tobytes(), before["0.weight"].tobytes()})
        == 3
    )
    assert result.config["model"] == "Sequential"


def test_a_function_is_called_with_the_trials_generator():
    result = find(plain, trials=2)
    for trial in (0, 1):
        assert equal_bytes(result.init(trial), plain(stream(0, trial, "init")).state_dict())
    assert result.config["model"] == "plain"


def test_a_function_may_hand_out_the_same_module_every_time():
    model = plain()

    def redrawn(rng):
        model.reset_parameters(rng)
        return model

    same = find(redrawn, trials=2, controls="random,reinit")
    fresh = find(plain, trials=2, controls="random,reinit")
    for trial in (0, 1):
        assert same.init(trial)["0.weight"].all()  # no mask of another training in it
    for (_, first), (_, second) in zip(every_round(same), every_round(fresh), strict=True):
        for a, b in zip([first, *first.controls.values()], [second, *second.controls.values()], strict=True):
            assert equal_bytes(a.trained, b.trained)


@pytest.mark.parametrize("model", [Counting(), lambda rng: Counting(rng)], ids=["module", "function"])
def test_buffers_are_part_of_theta_0_and_are_reset_with_it(model):
    result = find(model)
    assert result.init(0)["steps"].tolist() == [0]
    for round in result.trials[0].rounds:
        for run in (round, *round.controls.values()):
            assert run.trained["steps"].tolist() == [ITERATIONS]  # counted from 0 every time


def test_running_statistics_of_a_convolutional_network_start_anew_in_every_round():
    images = DATA.x_train.reshape(-1, 1, 3, 4), DATA.y_train, DATA.x_test.reshape(-1, 1, 3, 4), DATA.y_test
    result = find("resnet-8", from_arrays(*images), rounds=1, iterations=3, prune="conv=0.2,output=0", lr=0.01)
    initial = result.init(0)
    statistics = [name for name in initial if "running" in name]
    assert len(statistics) == 18
    for name in statistics:
        assert set(initial[name].tolist()) == {0.0 if name.endswith("mean") else 1.0}
    dense, ticket = result.trials[0].rounds
    assert list(ticket.masks) == list(models.create("resnet-8", (1, 3, 4)).prunable())  # nothing of the normalisations
    assert [name for name, mask in ticket.masks.items() if mask.all()] == ["output.weight"]
    model = result.model(0, 1)
    for name in statistics:
        assert model.state_dict()[name].tobytes() == ticket.trained[name].tobytes()
        assert ticket.trained[name].tobytes() != dense.trained[name].tobytes()
    assert accuracy(model, images[2], images[3]) == ticket.final_test_accuracy


def accuracy(model, x, y):
    with tt.no_grad():
        return (model(tt.Tensor(x)).data.argmax(axis=1) == y).mean()


def test_a_class_of_ones_own_says_how_its_parameters_are_drawn():
    for model in (Drawn(), lambda rng: Drawn(rng)):
        result = find(model)
        assert list(result.init(0)) == ["scale", "layer.weight", "layer.bias"]
        assert list(result.trials[0].rounds[1].masks) == ["layer.weight"]
        assert len(set(result.init(0)["scale"])) == 12


def test_a_module_that_cannot_be_drawn_anew_says_what_is_missing():
    with pytest.raises((InputError, TypeError), match=r"Silent owns scale.*reset_parameters\(self, rng\)"):
        find(Silent())


def ignoring(rng):
    return plain(rng=0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("lenet-300-10", "no model is called 'lenet-300-10'.*did you mean 'lenet-300-100'"),
        ("mlp-13-8-3", "mlp-13-8-3 has 13 inputs and 3 outputs, but the data have 12 features and 3 classes"),
        (5, "the model is a name, a Module, or a function"),
        (nn.Linear, "the model is a name, a Module, or a function"),
        (lambda rng: None, "returned NoneType, not a Module"),
        (nn.Sequential(nn.Linear(13, 3)), r"cannot take examples of shape \(12,\)"),
        (nn.Sequential(nn.Linear(12, 4)), r"outputs of shape \(2, 4\).*3 classes"),
        (nn.Sequential(nn.ReLU()), "outputs|no layer"),
        (ignoring, "'ignoring' draws the same initial weights whatever its rng is"),
    ],
)
def test_models_that_do_not_do_are_refused_before_anything_is_trained(model, words, out):
    progress = Recorder()
    with pytest.raises(InputError, match=words):
        find(model, out=out, callbacks=progress)
    assert progress.events == []
    assert not out.exists()
