"""What a reader gets from a result."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SIZES, SMALL, contents, differing, find
from tests.lottery.networks import Counting
from tinyticket.autograd import Tensor, no_grad
from tinyticket.errors import InputError
from tinyticket.lottery import Callback, reset
from tinyticket.store import HISTORY


@pytest.fixture(scope="module")
def loaded(small):
    return tt.load(small.path)


def accuracy(model, x, y):
    with no_grad():
        return (model(Tensor(x)).data.argmax(axis=1) == y).mean()


def test_trials_and_rounds_count_from_0(loaded):
    assert [trial.number for trial in loaded.trials] == [0, 1]
    assert [[round.number for round in trial.rounds] for trial in loaded.trials] == [[0, 1, 2]] * 2


def test_a_path_as_text_will_do(small):
    assert len(tt.load(str(small.path)).trials) == 2


def test_densities_and_counts_are_those_of_the_masks(loaded):
    for trial in loaded.trials:
        assert [round.weights_left for round in trial.rounds] == [344, 278, 225]
        for round in trial.rounds:
            for run in (round, *round.controls.values()):
                assert run.weights_left == sum(int(mask.sum()) for mask in run.masks.values())
                assert run.density == run.weights_left / 344
                assert {name: mask.size for name, mask in run.masks.items()} == SIZES
                assert {mask.dtype for mask in run.masks.values()} == {np.dtype(bool)}


def test_numbers_are_read_off_the_history_at_the_first_minimum_of_validation_loss(loaded):
    for trial in loaded.trials:
        for round in trial.rounds:
            for run in (round, *round.controls.values()):
                rows = [dict(zip(HISTORY.names, row, strict=True)) for row in run.history.tolist()]
                assert [row["iteration"] for row in rows] == [0, 5, 10, 15, 20]
                best = min(rows, key=lambda row: row["validation_loss"])  # the first, if several are smallest
                assert run.early_stop_iteration == best["iteration"]
                assert run.validation_loss == best["validation_loss"]
                assert run.test_accuracy == best["test_accuracy"]
                assert run.final_test_accuracy == rows[-1]["test_accuracy"]


def test_a_history_is_a_table_of_evaluations(loaded):
    history = loaded.trials[0].rounds[0].history
    assert history.dtype == HISTORY
    assert math.isnan(history["train_loss"][0])
    for name in HISTORY.names[1:]:
        assert np.isfinite(history[name][1:]).all()
    for name in ("validation_accuracy", "test_accuracy"):
        assert ((history[name] >= 0) & (history[name] <= 1)).all()


@pytest.mark.parametrize("trial", [0, 1])
@pytest.mark.parametrize("round", [0, 1, 2])
def test_a_model_is_ready_and_has_the_recorded_accuracy(loaded, trial, round):
    model = loaded.model(trial, round)
    recorded = loaded.trials[trial].rounds[round]
    assert not model.training
    assert accuracy(model, DATA.x_test, DATA.y_test) == recorded.final_test_accuracy
    for name, parameter in model.prunable().items():
        np.testing.assert_array_equal(parameter.mask, recorded.masks[name])
        assert parameter.data[~parameter.mask].tobytes() == bytes(4 * np.count_nonzero(~parameter.mask))


def test_a_model_with_initial_weights_is_the_ticket_as_it_starts(loaded):
    model = loaded.model(1, 2, weights="init")
    expected = reset(loaded.init(1), loaded.trials[1].rounds[2].masks)
    for name, value in model.state_dict().items():
        assert value.tobytes() == expected[name].tobytes()
    assert accuracy(model, DATA.x_test, DATA.y_test) == loaded.trials[1].rounds[2].history["test_accuracy"][0]


def test_a_model_can_be_trained_on_and_stays_sparse(loaded):
    model = loaded.model(0, 2)
    optimizer = tt.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        tt.nn.functional.cross_entropy(model(Tensor(DATA.x_train)), DATA.y_train).backward()
        optimizer.step()
    for name, parameter in model.prunable().items():
        gone = ~loaded.trials[0].rounds[2].masks[name]
        assert parameter.data[gone].tobytes() == bytes(4 * np.count_nonzero(gone))


def test_models_and_states_are_the_readers_own(loaded):
    first = loaded.init(0)
    first["fc1.weight"][...] = 0
    assert loaded.init(0)["fc1.weight"].all()
    model = loaded.model(0, 1)
    model.fc1.weight.data[...] = 7
    assert not (loaded.model(0, 1).fc1.weight.data == 7).any()


def test_a_model_of_a_class_of_ones_own_is_filled_into_one_that_is_given(out):
    result = find(Counting(), out=out)
    model = Counting()
    assert result.model(0, 1, into=model) is model
    assert accuracy(model, DATA.x_test, DATA.y_test) == result.trials[0].rounds[1].final_test_accuracy
    assert model.steps.data.tolist() == [SMALL["iterations"]]
    with pytest.raises(InputError, match=r"class tests\.lottery\.networks\.Counting, which is not one of tinyticket's"):
        result.model(0, 1)


def test_what_is_known_about_the_experiment_is_there(loaded):
    assert loaded.seed == 0
    assert (loaded.config["model"], loaded.config["data"]) == (MODEL, "clusters")
    assert set(loaded.versions) >= {"tinyticket", "python", "numpy", "h5py"}
    assert set(loaded.machine) >= {"system", "processor", "cores"}
    assert set(loaded.data["fingerprints"]) == {"x_train", "y_train", "x_test", "y_test"}
    assert loaded.data["input_shape"] == [12]
    assert loaded.data["classes"] == 3


def test_objects_say_what_they_are(loaded):
    assert "2 trials" in repr(loaded)
    assert MODEL in repr(loaded)
    assert "3 rounds" in repr(loaded.trials[1])
    assert "density 0.8081" in repr(loaded.trials[0].rounds[1])


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda result: result.init(2), "has 2 trials, counted from 0; there is no trial 2"),
        (lambda result: result.init(-1), "there is no trial -1"),
        (lambda result: result.model(0, 3), "has 3 rounds, counted from 0; there is no round 3"),
        (lambda result: result.model(0, -1), "there is no round -1"),
        (lambda result: result.model(0, 0, weights="final"), "'trained', 'init' or 'start', not 'final'"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(loaded, ask, words):
    with pytest.raises(InputError, match=words):
        ask(loaded)


# -- saving


def test_a_result_in_memory_can_be_saved_and_loaded(small, out):
    result = find(trials=2)
    result.save(out)
    assert differing(contents(small.path), contents(out)) == []
    saved = tt.load(out)
    assert (
        saved.model(0, 2).state_dict()["fc1.weight"].tobytes()
        == result.model(0, 2).state_dict()["fc1.weight"].tobytes()
    )
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_saved_result_can_be_continued(out):
    find(rounds=1).save(out)
    find(out=out)
    assert differing(contents(out), contents(find(), out.parent)) == []


def test_saving_a_file_copies_it(small, out):
    before = Path(small.path).read_bytes()
    small.save(out)
    assert out.read_bytes() == before
    with pytest.raises(InputError, match=r"small\.h5 is a result file"):  # onto itself
        small.save(small.path)
    assert Path(small.path).read_bytes() == before


@pytest.mark.parametrize("place", [".", "missing/ticket.h5", "file/ticket.h5"])
def test_saving_where_nothing_can_be_written_is_refused(place, small, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match="cannot be written"):
        small.save(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# -- a result under way


def test_a_result_can_be_read_while_it_grows(out):
    seen = []

    class Reader(Callback):
        def committed(self, trial, round):
            rounds = tt.load(out).trials[trial].rounds
            seen.append([len(run.history) for run in rounds])

    find(out=out, callbacks=Reader())
    assert seen == [[5], [5, 5], [5, 5, 5]]


def test_an_open_result_keeps_what_it_had_when_more_rounds_arrive(out):
    early = find(rounds=1, out=out)
    find(out=out)
    assert len(early.trials[0].rounds) == 2
    assert early.trials[0].rounds[1].history["iteration"][-1] == SMALL["iterations"]
    assert len(tt.load(out).trials[0].rounds) == 3


# -- files that are no results


def make_hdf5(path, **attributes):
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "folder"),
        (lambda path: path.write_bytes(b""), "cannot be read as an HDF5 file"),
        (lambda path: path.write_text("round,accuracy\n1,0.9\n" * 100), "cannot be read as an HDF5 file"),
        (lambda path: make_hdf5(path), "is an HDF5 file, but not one of tinyticket's"),
        (lambda path: make_hdf5(path, format="keras"), "not one of tinyticket's"),
        (lambda path: make_hdf5(path, format="tinyticket", format_version=99), r"format version 99.*reads up to 1"),
        (lambda path: make_hdf5(path, format="tinyticket"), "is damaged"),
        (lambda path: make_hdf5(path, format="tinyticket", format_version=1), "is damaged"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(make, words, out):
    make(out)
    with pytest.raises(InputError, match=words) as error:
        tt.load(out)
    assert str(out) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(share, small, out):
    whole = Path(small.path).read_bytes()
    out.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="cannot be read as an HDF5 file") as error:
        tt.load(out)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["config", "model", "data", "versions", "machine", "seed"])
def test_a_missing_attribute_is_damage(name, small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        del file.attrs[name]
    with pytest.raises(InputError, match="is damaged"):
        tt.load(out)


def test_an_attribute_that_is_no_json_is_damage(small, out):
    small.save(out)
    with h5py.File(out, "r+") as file:
        file.attrs["config"] = file.attrs["config"][:20]
    with pytest.raises(InputError, match="is damaged"):
        tt.load(out)
