"""Whole experiments: what follows from what, what is equal to what, and what never has an influence."""

import dataclasses
import itertools

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    DATA,
    MODEL,
    SMALL,
    Interrupt,
    InterruptAt,
    Recorder,
    clusters,
    contents,
    differing,
    equal_bytes,
    find,
)
from tests.lottery.networks import Counting, Drawn, Silent, Watching, plain
from tinyticket import nn
from tinyticket.data import Dataset, from_arrays
from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery import Experiment, reset, stream
from tinyticket.lottery.start import Start
from tinyticket.lottery.training import Trainer
from tinyticket.nn import models
from tinyticket.optim import Cosine, MultiStep

ITERATIONS = SMALL["iterations"]


def every_round(result):
    return [(trial.number, round) for trial in result.trials for round in trial.rounds]


# -- the algorithm, seen from its result


def test_theta_0_is_drawn_from_the_trials_own_stream(small):
    for trial in (0, 1):
        drawn = models.create(MODEL, (12,), 3, stream(0, trial, "init")).state_dict()
        assert equal_bytes(small.init(trial), drawn)


def test_every_ticket_is_its_mask_and_theta_0_trained(small):
    """Replay each stored training from what the file says: no mask, start or order of batches is other than claimed."""
    experiment = Experiment(MODEL, DATA, **SMALL)
    for trial, round in every_round(small):
        start = Start(round.masks, reset(small.init(trial), round.masks), {})
        streams = (stream(0, trial, purpose, round.number) for purpose in ("batches", "dropout"))
        run = Trainer(experiment.model, experiment.settings, experiment.examples).train(start, *streams)
        assert equal_bytes(run.trained, round.trained)
        assert run.history.tobytes() == round.history.tobytes()


def test_every_mask_is_what_magnitude_leaves_of_the_round_before(small):
    fractions = {"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1}
    for trial in small.trials:
        assert all(mask.all() for mask in trial.rounds[0].masks.values())
        for before, after in itertools.pairwise(trial.rounds):
            weights = {name: before.trained[name] for name in fractions}
            assert equal_bytes(after.masks, tt.prune.magnitude(weights, before.masks, fractions))


def test_biases_are_never_pruned(small):
    for _, round in every_round(small):
        assert list(round.masks) == ["fc1.weight", "fc2.weight", "output.weight"]
        assert round.trained["fc1.bias"].all()


def test_one_shot_prunes_the_dense_network_to_each_density():
    result = find(rounds=None, one_shot=[0.5, 0.2, 0.8], controls="none")
    dense, *tickets = result.trials[0].rounds
    assert [round(ticket.density, 2) for ticket in tickets] == [0.5, 0.2, 0.8]
    for ticket in tickets:
        for name, mask in ticket.masks.items():
            weights, gone = np.abs(dense.trained[name]), ~mask
            assert weights[gone].max() <= weights[mask].min()
    kept = {name: [ticket.masks[name].mean() for ticket in tickets] for name in dense.masks}
    np.testing.assert_allclose(1 - np.array(kept["output.weight"]), (1 - np.array(kept["fc1.weight"])) / 2, atol=0.05)


def test_global_scope_compares_all_layers():
    result = find(scope="global", prune=0.3, controls="none")
    dense, *tickets = result.trials[0].rounds
    assert [round.weights_left for round in result.trials[0].rounds] == [344, 241, 169]
    everything = np.concatenate([np.abs(dense.trained[name][mask]) for name, mask in tickets[0].masks.items()])
    gone = np.concatenate([np.abs(dense.trained[name][~mask]) for name, mask in tickets[0].masks.items()])
    assert gone.max() <= everything.min()
    assert len({round(float(mask.mean()), 2) for mask in tickets[1].masks.values()}) > 1  # no layer's own count


def test_global_scope_leaves_groups_at_zero_alone():
    result = find(scope="global", prune="fc=0.3,output=0", controls="random")
    for round in result.trials[0].rounds:
        assert round.masks["output.weight"].all()
        assert all(control.masks["output.weight"].all() for control in round.controls.values())
    assert result.trials[0].rounds[1].weights_left == 344 - 96


# -- controls


def test_controls_have_their_tickets_counts_in_every_layer(small):
    for _, round in every_round(small):
        assert list(round.controls) == (["reinit", "random"] if round.number else [])
        for control in round.controls.values():
            assert {n: m.sum() for n, m in control.masks.items()} == {n: m.sum() for n, m in round.masks.items()}


def test_reinit_has_the_tickets_mask_and_random_has_not(small):
    for _, round in every_round(small):
        if round.number:
            assert equal_bytes(round.controls["reinit"].masks, round.masks)
            agreement = np.mean(round.controls["random"].masks["fc1.weight"] == round.masks["fc1.weight"])
            assert 0.2 < agreement < 0.9


def test_every_control_can_be_replayed_from_the_file_alone(tmp_path):
    result = find(controls=["reinit", "random", "reinit-2"], out=tmp_path / "ticket.h5")
    experiment = Experiment(MODEL, DATA, **SMALL)
    starts = []
    for round in result.trials[0].rounds[1:]:
        for control in round.controls.values():
            origin, masks = control.origin, round.masks
            weights = result.init(0)
            if origin["weights"] != "init":
                weights = models.create(MODEL, (12,), 3, stream(*origin["weights"]["stream"])).state_dict()
            if origin["mask"] != "ticket":
                masks = tt.prune.random(masks, stream(*origin["mask"]["stream"]))
            start = Start(masks, reset(weights, masks), {})
            streams = (stream(0, 0, purpose, round.number) for purpose in ("batches", "dropout"))
            run = Trainer(experiment.model, experiment.settings, experiment.examples).train(start, *streams)
            assert equal_bytes(run.trained, control.trained)
            starts.append(start.weights["fc1.weight"].tobytes())
    assert len(set(starts)) == 6  # every control of every round is another network


def test_a_ticket_and_its_controls_see_the_same_batches_and_other_trainings_others():
    seen, progress = [], Recorder()
    find(lambda rng: Watching(seen, rng), trials=2, rounds=1, progress=progress)
    orders = [tuple(seen[i : i + ITERATIONS]) for i in range(0, len(seen), ITERATIONS)]
    by_training = dict(zip([arguments[:3] for arguments in progress.of("training")], orders, strict=True))
    for trial in (0, 1):
        assert by_training[trial, 1, None] == by_training[trial, 1, "reinit"] == by_training[trial, 1, "random"]
    assert len(set(orders)) == 4  # two trials of two rounds


def test_tickets_do_not_depend_on_which_controls_run_beside_them(small):
    alone = find(trials=2, controls="none")
    for (_, first), (_, second) in zip(every_round(small), every_round(alone), strict=True):
        assert equal_bytes(first.trained, second.trained)
    for _, round in every_round(alone):
        assert round.controls == {}


def test_a_control_does_not_depend_on_the_others_or_their_order(small):
    result = find(controls="random,reinit")
    for first, second in zip(small.trials[0].rounds[1:], result.trials[0].rounds[1:], strict=True):
        for name in ("reinit", "random"):
            assert equal_bytes(first.controls[name].trained, second.controls[name].trained)


# -- the same bits again


def test_the_same_seed_gives_the_same_file_contents(small, tmp_path):
    again = find(trials=2, out=tmp_path / "again.h5")
    assert differing(contents(small.path), contents(again.path)) == []


def test_a_result_in_memory_is_the_same_as_one_in_a_file(small, tmp_path):
    result = find(trials=2)
    assert result.path is None
    assert differing(contents(small.path), contents(result, tmp_path)) == []


def test_another_seed_gives_other_weights_masks_and_validation_examples(small):
    other = find(seed=1)
    assert not equal_bytes(small.init(0), other.init(0))
    assert not equal_bytes(small.trials[0].rounds[1].masks, other.trials[0].rounds[1].masks)
    assert other.seed == 1


def test_trials_differ_and_do_not_depend_on_how_many_there_are(small):
    assert not equal_bytes(small.init(0), small.init(1))
    one = find()
    for first, second in zip(small.trials[0].rounds, one.trials[0].rounds, strict=True):
        assert equal_bytes(first.trained, second.trained)


def test_threads_change_no_bit(tmp_path):
    large = clusters(train=800, test=1200)  # several chunks to evaluate, so that threads have work to share
    results = [find(data=large, rounds=1, validation=600, threads=threads) for threads in (1, 2)]
    assert differing(*(contents(result, tmp_path) for result in results)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 10},
        {"lr": 0.02},
        {"optimizer": "sgd"},
        {"optimizer": "momentum"},
        {"weight_decay": 0.1},
        {"schedule": Cosine(20)},
        {"seed": 1},
        {"validation": 50},
        {"iterations": 19},
        {"prune": 0.3},
        {"scope": "global"},
        {"rounds": None, "one_shot": [0.5]},
    ],
    ids=lambda changes: next(reversed(changes)),
)
def test_no_setting_is_accepted_and_never_used(small, changes):
    """Published scripts parsed flags that nothing read. Masks of the last round depend on all that happened before."""
    changed = find(**{"rounds": 1, "controls": "none", **changes})
    assert not equal_bytes(small.trials[0].rounds[1].masks, changed.trials[0].rounds[-1].masks)


def test_momentum_and_nesterov_are_not_the_same():
    first, second = (find(optimizer=name, rounds=0).trials[0].rounds[0] for name in ("momentum", "nesterov"))
    assert not equal_bytes(first.trained, second.trained)


def test_evaluate_every_decides_the_rows_and_changes_no_weight(small):
    result = find(evaluate_every=4)
    assert result.trials[0].rounds[0].history["iteration"].tolist() == [0, 4, 8, 12, 16, 20]
    assert equal_bytes(result.trials[0].rounds[2].trained, small.trials[0].rounds[2].trained)


# -- data


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
        find(model, out=out, progress=progress)
    assert progress.events == []
    assert not out.exists()


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
        ({"validation": 0}, "validation is a whole number of at least 1"),
        ({"batch_size": 161}, "batch of 161 is larger than the 160 training examples"),
        ({"batch_size": 0}, "batch size is a whole number of at least 1"),
        ({"prune": 0}, "between 0 and 1"),
        ({"prune": 1.0}, "between 0 and 1"),
        ({"prune": -0.2}, "between 0 and 1"),
        ({"rounds": None, "one_shot": [0.0]}, "density lies between 0 and 1.*got 0"),
        ({"rounds": 30}, "round 16 would remove nothing from output.weight"),
        ({"prune": 0.99999}, "round 1 would remove all of fc1.weight"),
        ({"threads": 0}, "threads are at least 1, not 0"),
        ({"optimizer": "rmsprop"}, "no optimizer is called 'rmsprop'"),
        ({"controls": "shuffle"}, "no control is called 'shuffle'"),
        ({"schedule": lambda iteration: 1.0}, "schedule"),
    ],
)
def test_bad_input_is_refused_in_words_before_anything_is_trained(changes, words, out):
    progress = Recorder()
    with pytest.raises(InputError, match=words):
        find(out=out, progress=progress, **changes)
    assert progress.events == []
    assert list(out.parent.iterdir()) == []


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


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_where_nothing_is_finished_no_file_is_claimed_to_hold_anything_and_numpy_says_nothing(out):
    with pytest.raises(DivergenceError, match=r"trial 0, round 0: the .* loss is .* at iteration") as error:
        find(lr=1e30, out=out)
    assert not out.exists()
    assert str(out) not in str(error.value)


# -- recorded


def test_the_configuration_is_recorded_whole(out):
    schedule = MultiStep((10, 15), 0.5)
    config = find(out=out, schedule=schedule, weight_decay=0.01, optimizer="nesterov", controls="reinit-2").config
    assert config == {
        "data": "clusters",
        "model": MODEL,
        "rounds": 2,
        "iterations": 20,
        "batch_size": 20,
        "lr": 0.01,
        "optimizer": "nesterov",
        "weight_decay": 0.01,
        "schedule": {"kind": "multistep", "milestones": [10, 15], "gamma": 0.5},
        "prune": {"conv": 0.2, "fc": 0.2, "output": 0.1},
        "one_shot": [],
        "scope": "layer",
        "trials": 1,
        "controls": ["reinit-2"],
        "seed": 0,
        "validation": 40,
        "evaluate_every": 5,
        "eager": False,
    }
    later = {
        field.name for field in dataclasses.fields(tt.lottery.Settings) if field.default is not dataclasses.MISSING
    }
    assert {field.name for field in dataclasses.fields(tt.lottery.Settings)} - later == set(config)


def test_later_settings_are_recorded_where_they_are_not_what_they_always_were():
    assert find(rounds=1, rewind_to=3).config["rewind_to"] == 3
    assert "rewind" not in find(rounds=1, rewind_to=3).config


def test_progress_is_told_everything_in_order():
    progress = Recorder()
    find(rounds=1, iterations=10, progress=progress)
    kinds = [kind for kind, _ in progress.events]
    one = ["training", "evaluated", "evaluated", "evaluated"]
    assert kinds == ["begin", *one, "committed", *one, *one, *one, "committed", "end"]
    assert progress.of("begin") == [(4, 10, 0)]
    assert progress.of("training") == [
        (0, 0, None, 1.0),
        (0, 1, None, pytest.approx(278 / 344)),
        (0, 1, "reinit", pytest.approx(278 / 344)),
        (0, 1, "random", pytest.approx(278 / 344)),
    ]
    assert progress.of("committed") == [(0, 0), (0, 1)]


def test_the_end_is_told_after_an_error_too():
    progress = Recorder()
    progress.evaluated = InterruptAt("evaluated", 3).evaluated
    with pytest.raises(Interrupt):
        find(progress=progress)
    assert progress.events[-1] == ("end", ())
