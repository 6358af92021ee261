"""What is refused before anything is trained, and trainings that do not end well."""

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    SMALL,
    Recorder,
    equal_bytes,
    find,
)
from tests.lottery.networks import Watching
from tinyticket import nn
from tinyticket.data import from_arrays
from tinyticket.errors import DivergenceError, InputError

ITERATIONS = SMALL["iterations"]


# -- bad input


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "digit"}, "unknown data set 'digit'.*did you mean 'digits'"),
        ({"data": "missing.npz"}, "missing.npz does not exist"),
        ({"data": (DATA.x_train, DATA.y_train[:-1])}, "x_train has 200 examples but y_train 199 labels"),
        ({"data": (np.full((20, 12), np.nan), np.arange(20) % 3)}, "x_train holds nan"),
        ({"validation": 200}, "200 validation examples of 200 leave none to train on"),
        ({"validation": 10_000}, "10000 validation examples of 200"),
        ({"batch_size": 161}, "batch of 161 is larger than the 160 training examples"),
        ({"prune": -0.2}, "between 0 and 1"),
        ({"rounds": None, "one_shot": [0.0]}, "density lies between 0 and 1.*got 0"),
        ({"rounds": 30}, "round 16 would remove nothing from output.weight"),
        ({"prune": 0.99999}, "round 1 would remove all of fc1.weight"),
        ({"threads": 0}, "threads are at least 1, not 0"),
        ({"model": lambda: nn.Linear(12, 3)}, r"the model's function is called with \(rng\), but takes \(\)"),
        ({"model": lambda shape, classes, rng: None}, r"called with \(rng\), but takes \(shape, classes, rng\)"),
        ({"model": "mlp-12-99999999999-3"}, "has 1,499,999,999,985 weights, for which .* GB of memory are too little"),
        ({"model": "mlp-12-99999999999999999999999-3"}, "GB of memory are too little"),
        ({"seed": 10**20}, "seed is a whole number below"),
        ({"iterations": 10**11}, "iterations is a whole number below"),
        ({"controls": ""}, "no control is called ''"),
    ],
)
def test_bad_input_is_refused_in_words_before_anything_is_trained(changes, words, out):
    progress = Recorder()
    with pytest.raises(InputError, match=words):
        find(out=out, callbacks=progress, **changes)
    assert progress.events == []
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["-", "ticket.npz", "ticket.PNG"])
def test_a_result_has_a_name_of_its_own_kind(name):
    with pytest.raises(InputError, match=r"a result is an HDF5 file with a name such as ticket\.h5, not"):
        find(out=name)


@pytest.mark.parametrize("call", [tt.load, tt.data.load, tt.models.create, tt.warmup])
def test_a_class_is_no_name(call):
    with pytest.raises(InputError, match="not <class 'int'>"):
        call(int)


def test_what_is_of_another_kind_is_refused_in_words(small):
    with pytest.raises(InputError, match=r"results, as tt\.load returns them"):
        tt.lottery.compare([small.path, small.path])
    with pytest.raises(InputError, match="a grid names to lists"):
        tt.lottery.sweep("nowhere", {}, [1])
    for other in ("mlp-12-16-8-3", tt.models.create("mlp-5-4-3", (5,), 3)):
        with pytest.raises(InputError, match="the module to fill has other weights than the networks of"):
            small.model(0, 0, into=other)
    with pytest.raises(TypeError, match="an optimizer wants Parameters, one or more"):
        tt.optim.SGD(nn.Linear(2, 3), 0.1)


def test_numpy_numbers_are_settings_like_any_other(small):
    changes = {"seed": np.int64(0), "rounds": np.int32(2), "lr": np.float64(0.01), "prune": np.float64(0.2)}
    assert equal_bytes(find(**changes).trials[0].rounds[2].trained, small.trials[0].rounds[2].trained)
    find(rounds=0, lr=np.float32(0.01), weight_decay=np.float32(0.1), prune={"fc": np.float32(0.2)})


# -- divergence


@pytest.mark.parametrize(
    ("nan_at", "where", "kept"),
    [
        (ITERATIONS + 3, "trial 0, round 1: the training loss is nan at iteration 3", [1, 3]),
        (3 * ITERATIONS - 1, r"trial 0, round 1 \(control reinit\): the training loss is nan at iteration 19", [1, 3]),
        (4 * ITERATIONS + 1, "trial 0, round 2: the training loss is nan at iteration 1", [2, 3]),
        (8 * ITERATIONS, "trial 1, round 0: the training loss is nan at iteration 20", [3]),
    ],
)
def test_a_diverging_training_is_named_and_the_finished_rounds_are_kept(nan_at, where, kept, out):
    seen = []
    with pytest.raises(DivergenceError, match=f"^{where}; try a learning rate below 0.01.*{out}") as error:
        find(lambda rng: Watching(seen, rng, nan_at), out=out, trials=2)
    assert isinstance(error.value, InputError)
    trials = tt.load(out).trials
    assert [len(trial.rounds) for trial in trials] == kept
    for trial in trials:
        for round in trial.rounds:
            assert [run.history["iteration"][-1] for run in (round, *round.controls.values())] == [ITERATIONS] * (
                3 if round.number else 1
            )
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 1e30}, r"try a learning rate below 1e\+30; no round"),
        ({"lr": 0.5, "weight_decay": 1e20, "optimizer": "sgd"}, "try a weight decay below 2, one over the learning rate; no"),
        ({"lr": 10.0, "optimizer": "sgd", "data": from_arrays(1e6 * DATA.x_train, DATA.y_train)},
         "try a learning rate below 10, or a longer warm-up; examples reach .*: scale them to about 1; no round"),
    ],
)  # fmt: skip
def test_advice_names_what_makes_a_training_diverge(changes, words):
    with pytest.raises(DivergenceError, match=words):
        find(**changes, rounds=0)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_where_nothing_is_finished_no_file_is_claimed_to_hold_anything_and_numpy_says_nothing(out):
    with pytest.raises(DivergenceError, match=r"trial 0, round 0: the .* loss is .* at iteration") as error:
        find(lr=1e30, out=out)
    assert not out.exists()
    assert str(out) not in str(error.value)
