"""A dense training that is copied from another experiment."""

import json

import h5py
import numpy as np
import pytest

from tests.lottery.experiments import DATA, Recorder, clusters, contents, differing, find
from tinyticket.errors import InputError


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    return find(out=tmp_path_factory.mktemp("late") / "late.h5", rewind_to=5, controls="none", trials=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"controls": "reinit"},
        {"rewind_to": 5, "controls": "random"},
        {"rewind": "lr", "rewind_to": 10, "trials": 3},
        {"rewind": "finetune", "rewind_to": 5, "workers": 2, "trials": 2},
        {"rounds": None, "one_shot": [0.3, 0.1], "scope": "global", "strategy": "reset", "trials": 2},
        {"rounds": None, "one_shot": [0.3], "method": "rigl", "update_every": 4, "controls": "static"},
    ],
)
def test_the_file_is_the_one_of_an_experiment_that_does_it_itself(changes, late, out, tmp_path):
    copied = find(out=out, dense_from=late.path, **changes)
    assert differing(contents(copied.path), contents(find(**changes), tmp_path)) == []


def test_only_what_the_source_lacks_is_trained(late, out):
    heard = Recorder()
    find(out=out, dense_from=late, trials=3, rounds=1, controls="none", callbacks=heard)
    assert [arguments[:2] for arguments in heard.of("training_begun")] == [(0, 1), (1, 1), (2, 0), (2, 1)]
    assert heard.of("run_begun") == [(6, 20, 2)]


def test_a_run_goes_on_with_or_without_it(late, out, tmp_path):
    find(out=out, dense_from=late, trials=1, rounds=1)
    find(out=out, trials=2, rounds=1)
    assert differing(contents(find(out=out, dense_from=late, trials=2).path), contents(find(trials=2), tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lr": 0.02, "eager": True}, "another than this experiment's: lr, eager differ"),
        ({"seed": 1}, "seed differ"),
        ({"data": clusters(seed=3)}, "contents of the data differ"),
        ({"rewind_to": 10}, "has kept nothing of iteration 10 of its dense training"),
        ({"out": None}, r"copied into a file: say which \(out\)"),
    ],
)
def test_another_dense_training_is_refused(changes, says, late, out):
    with pytest.raises(InputError, match=says):
        find(**{"out": out, "dense_from": late, **changes})
    assert not out.exists()


@pytest.mark.parametrize("attribute", ["machine", "versions", "cpu"])
def test_a_machine_that_rounds_otherwise_is_refused(attribute, late, out, tmp_path):
    other = tmp_path / "other.h5"
    late.save(other)
    with h5py.File(other, "r+") as file:
        if attribute == "cpu":  # of a trial that was merged into the file
            file["trials/0/rounds/00"].attrs["cpu"] = np.bytes_("z80")
        else:
            file.attrs[attribute] = json.dumps({**json.loads(file.attrs[attribute]), "numpy": "1", "processor": "z80"})
    with pytest.raises(InputError, match="on another machine or with other versions"):
        find(out=out, dense_from=other, data=DATA)
