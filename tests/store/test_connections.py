"""Connections of sparse layers in the file: once for a trial, again where a network has others, and checked before use."""

import shutil

import h5py
import numpy as np
import pytest
from scipy.sparse import csr_array

import tinyticket as tt
from tests.lottery.experiments import DATA, equal_bytes, find
from tinyticket import nn
from tinyticket.errors import InputError
from tinyticket.results.analyses import ANALYSES
from tinyticket.store import contents

INIT, TRAINED = "trials/0/init/fc1.columns", "trials/0/rounds/01/trained"
SETTINGS = {"rounds": 1, "iterations": 10, "controls": "none", "rewind_to": 5, "threads": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The file of an experiment with a sparse layer; not to be modified."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("connected") / "ticket.h5"
    names = {"input_names": [f"gene {i}" for i in range(12)], "output_names": list("abcdefgh")}
    parts = {
        "fc1": nn.SparseLinear(12, 8, 0.3, rng=rng, **names),
        "relu": nn.ReLU(),
        "output": nn.Linear(8, 3, rng=rng),
    }
    find(nn.Sequential(parts), **SETTINGS, out=path)
    return path


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copy(whole, tmp_path / "copy.h5")


def test_connections_are_written_once_for_a_trial_and_states_share_them(whole):
    with h5py.File(whole) as file:
        assert {"fc1.starts", "fc1.columns"} <= {*file["trials/0/init"]}
        for group in ("rewind", "rounds/00/trained", "rounds/01/trained"):
            there = {*file[f"trials/0/{group}"]}
            assert {"fc1.weight", "fc1.bias"} <= there
            assert not {"fc1.starts", "fc1.columns"} & there
    result = tt.load(whole)
    initial, rewound, trained = result.init(0), result.rewind(0).state, result.round(0, 1).trained
    assert [*initial] == [*rewound] == [*trained]  # in the model's order
    model = result.model(0, 1)
    columns = [state["fc1.columns"] for state in (initial, rewound, trained, model.state_dict())]
    assert all(each is columns[0] for each in columns)
    assert not columns[0].flags.writeable
    assert model.fc1.connections.input_names[11] == "gene 11"
    assert model.fc1.connections.output_names == tuple("abcdefgh")


def test_a_ticket_is_computed_with_h5py_and_scipy_alone(whole):
    with h5py.File(whole) as file:
        initial, round = file["trials/0/init"], file["trials/0/rounds/01"]
        shape, columns = (initial["fc1.bias"].size, DATA.x_test.shape[1]), initial["fc1.columns"][()]
        kept = np.unpackbits(round["mask/fc1.weight"][()], count=columns.size).astype(bool)
        values = np.zeros(columns.size, np.float32)
        values[kept] = round["trained/fc1.weight"]
        fc1 = csr_array((values, columns, initial["fc1.starts"][()]), shape=shape)
        hidden = np.maximum((fc1 @ DATA.x_test.T).T + round["trained/fc1.bias"][()], 0)
        mask = round["mask/output.weight"]
        output = np.zeros(mask.attrs["shape"], np.float32)
        output[np.unpackbits(mask[()], count=output.size).astype(bool).reshape(output.shape)] = round[
            "trained/output.weight"
        ]
        logits = hidden @ output.T + round["trained/output.bias"][()]
    np.testing.assert_allclose(tt.load(whole).model(0, 1)(tt.Tensor(DATA.x_test)).numpy(), logits, atol=1e-5)


def moved(initial: dict) -> dict:
    """Return a state with as many connections elsewhere: outputs and inputs in reversed order."""
    columns, starts = initial["fc1.columns"], initial["fc1.starts"]
    return {**initial, "fc1.columns": 11 - columns[::-1], "fc1.starts": columns.size - starts[::-1]}


def test_connections_that_moved_are_written_with_the_network_that_has_them(whole, tmp_path):
    result = tt.load(whole)
    initial, run = result.init(0), result.round(0, 1).run()
    assert contents.without_structure(run.trained, initial).keys() == initial.keys() - {"fc1.starts", "fc1.columns"}
    other = {**moved(run.trained), "fc1.starts": run.trained["fc1.starts"].copy()}
    assert contents.without_structure(other, initial).keys() == initial.keys() - {"fc1.starts"}


def test_connections_that_moved_are_those_of_the_model(copy):
    state, digest = moved(tt.load(copy).init(0)), tt.load(copy).digest
    with h5py.File(copy, "r+") as file:
        for name in ("fc1.starts", "fc1.columns"):
            file[f"{TRAINED}/{name}"] = state[name]
    result = tt.load(copy)
    assert result.digest != digest
    model, dense = result.model(0, 1), result.model(0, 0)
    assert np.array_equal(model.fc1.columns.data, state["fc1.columns"])
    assert model.fc1.connections != dense.fc1.connections
    assert equal_bytes(result.round(0, 1).trained, model.state_dict())


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (INIT, lambda columns: columns + 12, "the model: fc1: the graph.* names the column"),
        (INIT, lambda columns: columns[::-1].copy(), "the model: fc1: the graph.* twice or behind a later one"),
        (
            INIT.replace("columns", "starts"),
            lambda starts: starts[::-1].copy(),
            "the model: fc1: the graph.* row starts that do not rise from 0",
        ),
        (
            f"{TRAINED}/fc1.columns",
            lambda columns: columns - 12,
            "is damaged: trial 0, round 1: fc1: the graph.* names the column",
        ),
        (f"{TRAINED}/fc1.columns", lambda columns: columns[:-1], "has the shape"),
        (f"{TRAINED}/fc1.columns", lambda columns: columns + 0.5, "connections are whole numbers"),
    ],
)
def test_connections_that_are_none_are_refused(copy, place, change, words):
    with h5py.File(copy, "r+") as file:
        found = file[INIT if place == f"{TRAINED}/fc1.columns" else place][()]
        if place in file:
            del file[place]
        file[place] = change(found)
    with pytest.raises(InputError, match=words):
        tt.load(copy).model(0, 1)


@pytest.mark.parametrize(("part", "are_gone"), [("starts", False), ("starts", True), ("columns", False)])
def test_connections_of_theta_0_that_are_fractions_or_gone_are_refused(copy, part, are_gone):
    place = INIT.replace("columns", part)
    with h5py.File(copy, "r+") as file:
        found = file[place][()]
        del file[place]
        if not are_gone:
            file[place] = found.astype(float)
    with pytest.raises(InputError, match=f"the model: fc1: {part} of connections are missing, or no whole numbers"):
        ANALYSES["degrees"](tt.load(copy))


@pytest.mark.parametrize(
    "described",
    [
        {"connections": 10**9},
        {"connections": 0.5, "in_features": 10**6, "out_features": 10**6},
        {"connections": -(10**12)},
        {"in_features": 2**31 - 1, "out_features": 2**31 - 2},
        {"connections": 20},
    ],
)
def test_a_few_words_do_not_make_large_layers(whole, described):
    result = tt.load(whole)
    result.model_description["parts"]["fc1"].update(described)
    with pytest.raises(InputError, match=r"damaged|cannot be made"):
        result.network()
