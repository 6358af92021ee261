"""Experiments with layers that were never dense: connections by the seed, controls, resuming, and what is refused."""

import re
import shutil

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, SMALL, contents, differing, find
from tinyticket import nn
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment, size
from tinyticket.lottery.replay.barriers import barriers
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.nn import models
from tinyticket.report.export import export
from tinyticket.results.analyses import ANALYSES

MODEL = "sparse-mlp-12-16-8-3@0.3"
SETTINGS = {"rounds": 1, "iterations": 10, "trials": 2, "controls": "reinit,random,rewired", "threads": 1}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The file of an experiment; not to be modified."""
    path = tmp_path_factory.mktemp("never dense") / "ticket.h5"
    find(MODEL, **SETTINGS, out=path)
    return path


@pytest.fixture(scope="module")
def result(path):
    return tt.load(path)


def test_connections_are_drawn_once_and_weights_for_every_trial(result):
    first, second = result.init(0), result.init(1)
    for name, value in first.items():
        assert np.array_equal(value, second[name]) == (value.dtype.kind == "i" or name.endswith("bias"))
    sizes = {name: mask.size for name, mask in result.round(0, 0).masks.items()}
    assert sizes == {"fc1.weight": round(0.3 * 12 * 16), "fc2.weight": round(0.3 * 16 * 8), "output.weight": 24}
    assert result.round(0, 1).density == 98 / 120  # of the connections
    other = Experiment(MODEL, DATA, **SMALL, seed=1).model
    assert not np.array_equal(other.fc1.columns.data, first["fc1.columns"])


def test_a_file_keeps_its_claims_and_replays_to_its_bits(result):
    checks = verify(result, retrain=1, data=DATA, threads=1)
    assert [check for check in checks if check.failures] == []
    assert next(check.checked for check in checks if "what its name says" in check.what) == 1
    assert replay(result, 1, 1, "rewired", data=DATA, threads=1).differences == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("trials/1/init/fc1.columns", "fc1.columns of trial 1 are not the connections that seed 0 draws"),
        ("trials/0/rounds/01/trained/fc1.columns", "fc1.columns are not theta_0's"),
    ],
)
def test_other_connections_than_the_seed_draws_are_found(path, tmp_path, place, words):
    with h5py.File(shutil.copy(path, tmp_path / "forged.h5"), "r+") as file:
        columns = file["trials/0/init/fc1.columns"][()]
        first = slice(*file["trials/0/init/fc1.starts"][:2])  # of one output, which gets other inputs
        columns[first] = np.setdiff1d(np.arange(12), columns[first])[: first.stop]
        if place in file:
            del file[place]
        file[place] = columns
    checks = verify(tt.load(tmp_path / "forged.h5"))
    assert words in str([check.failures for check in checks])


def test_connections_of_a_stranger_take_no_more_memory_than_they_are_long(path, tmp_path):
    place = "trials/0/rounds/01/controls/rewired/trained/fc1.starts"
    with h5py.File(shutil.copy(path, tmp_path / "forged.h5"), "r+") as file:
        file[place][1:] = np.arange(1, file[place].size) * 2**60
    checks = verify(tt.load(tmp_path / "forged.h5"))
    assert "row starts that do not rise from 0 to" in str([check.failures for check in checks])


def test_a_control_with_other_connections_is_on_no_line(result):
    networks = {row["network"] for row in barriers(result, data=DATA, threads=1).rows}
    assert networks == {"ticket", "reinit", "random"}


def test_a_rewired_control_has_the_degrees_of_its_ticket_and_other_connections(result):
    ticket, control = result.round(0, 1), result.round(0, 1, "rewired")
    graphs = result.connections(0, 1), result.connections(0, 1, "rewired")
    for name in ("fc1.weight", "fc2.weight"):
        ours, theirs = (graph[name] for graph in graphs)
        mask, other = ticket.masks[name], control.masks[name]
        assert np.array_equal(np.bincount(ours.rows()[mask]), np.bincount(theirs.rows()[other]))
        assert np.array_equal(np.bincount(ours.columns[mask]), np.bincount(theirs.columns[other]))
    moved = np.setdiff1d(graphs[1]["fc1.weight"].positions(), graphs[0]["fc1.weight"].positions())
    assert moved.size
    assert control.origin["differs"]["mask"] >= 2 * moved.size
    result.trials[0].structure.clear()  # the caller's own
    assert result.round(0, 1, "reinit").structure["fc1.columns"] is result.init(0)["fc1.columns"]


def test_an_interrupted_experiment_goes_on_to_the_same_contents(path, tmp_path):
    find(MODEL, **{**SETTINGS, "trials": 1}, out=tmp_path / "again.h5")
    find(MODEL, **SETTINGS, out=tmp_path / "again.h5")
    assert differing(contents(path), contents(tmp_path / "again.h5")) == []


def test_other_connections_do_not_continue_a_file(tmp_path):
    def make(seed):
        rng = np.random.default_rng(seed)
        return nn.Sequential(nn.SparseLinear(12, 8, 0.5, rng=rng), nn.ReLU(), nn.Linear(8, 3, rng=rng))

    out, settings = tmp_path / "mine.h5", {**SETTINGS, "rounds": 0, "trials": 1}
    find(make(0), **settings, out=out)
    with pytest.raises(InputError, match=r"has other connections \(0.starts\) than the network of .*mine.h5"):
        find(make(1), **{**settings, "trials": 2}, out=out)
    with pytest.raises(InputError, match=r"draws other connections \(0.starts\) each time"):
        find(make, **settings)


def test_names_that_no_file_could_hold_are_refused_before_anything_is_trained():
    layer = nn.SparseLinear(12, 3, 0.5, rng=0, input_names=[f"{i}{'x' * 400_000}" for i in range(12)])
    with pytest.raises(InputError, match="shorter names of inputs and outputs, or none"):
        Experiment(nn.Sequential(layer), DATA, **SMALL)


def test_masks_of_a_file_are_of_its_connections(result, path, tmp_path):
    taken = {"masks_from": path, "iterations": 5, "evaluate_every": 5, "controls": "none", "batch_size": 20}
    again = tt.lottery.find(data=DATA, **taken, validation=40)
    assert again.init(0)["fc1.columns"].tobytes() == result.init(0)["fc1.columns"].tobytes()
    with pytest.raises(InputError, match="has other connections"):
        tt.lottery.find(MODEL, DATA, **taken, validation=40, seed=1)
    export(result, tmp_path / "ticket.npz", 0, 1)
    with pytest.raises(InputError, match="has other connections"):
        tt.lottery.find(MODEL, DATA, **{**taken, "masks_from": tmp_path / "ticket.npz"}, validation=40, seed=1)


def test_scipy_gets_the_matrix_of_survivors(result, tmp_path):
    export(result, tmp_path / "ticket.npz", 0, 1, to="scipy")
    held, graph, run = np.load(tmp_path / "ticket.npz"), result.connections(0, 1)["fc1.weight"], result.round(0, 1)
    assert held["fc1.weight/shape"].tolist() == [16, 12]
    assert held["fc1.weight/data"].tobytes() == run.trained["fc1.weight"][run.masks["fc1.weight"]].tobytes()
    assert np.array_equal(held["fc1.weight/indices"], graph.columns[run.masks["fc1.weight"]])
    assert not any(name.startswith("fc1.c") for name in held)


def test_degrees_are_those_of_units(result):
    row = next(row for row in ANALYSES["degrees"](result).rows if (row["round"], row["layer"]) == (0, "fc1.weight"))
    fan_in = result.connections(0, 0)["fc1.weight"].fan_in()
    assert (row["in_mean"], row["in_most"]) == (fan_in.mean(), fan_in.max())


@pytest.mark.parametrize("format", ["c", "onnx"])
def test_formats_that_know_no_sparse_layer_say_so(result, tmp_path, format):
    with pytest.raises(InputError, match="cannot express the layer fc1, SparseLinear"):
        export(result, tmp_path / "ticket", to=format)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "mlp-12-8-3", "controls": "rewired"}, "the model has none"),
        ({"controls": "rewired", "method": "supermask", "rounds": None}, "trains none"),
        ({"method": "cht", "one_shot": 0.5, "rounds": None}, "works on whole matrices"),
        ({"method": "edge-popup", "one_shot": 0.5, "rounds": None}, "works on whole matrices"),
    ],
)
def test_what_sparse_layers_lack_is_said(options, words):
    with pytest.raises(InputError, match=words):
        find(**{"model": MODEL, "controls": "none", **options})


def test_what_does_not_fit_is_refused_before_anything_is_made(monkeypatch):
    monkeypatch.setattr("tinyticket.lottery.size.memory", lambda: 1e6)
    for name in ("sparse-mlp-12-1000-1000-3@0.5", "sparse-mlp-12-1000-1000-3@e20"):
        with pytest.raises(InputError, match=r"GB: [0-9,]+ connections fit, as \S+ has") as refused:
            Experiment(name, DATA, **SMALL)
        fitting = re.search(r"fit, as (\S+) has", str(refused.value))[1]
        connections = sum(layer.connections for layer in models.layers_of(fitting))
        assert 0.9 * 1e6 < size.BYTES * connections <= 1e6
    with pytest.raises(InputError, match="no density of it would fit"):
        Experiment("sparse-mlp-12-9-2000-10@0.5", DATA, **SMALL)


def test_a_dry_run_says_sizes_first():
    assert size.words("sparse-mlp-1000000-1000000-2@0.00001", 60, 200).startswith(
        "12,000,000 connections, which take up to 2,400 MB of memory and about "
    )
    assert size.words("mlp-12-8-3", 60, 200) == ""


def test_connections_take_less_where_no_others_are_drawn():
    assert size.bytes_each("none", "tickets") == size.bytes_each((), "tickets") == size.BARE
    assert size.bytes_each(None, "tickets") == size.bytes_each(("rewired",), "tickets") == size.BYTES
    assert size.bytes_each((), "set") == size.BYTES
