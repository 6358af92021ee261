"""Event files, read with TensorBoard's own reader."""

import os

import numpy as np
import pytest

from tests.lottery.experiments import Interrupt, InterruptAt, every_round, find
from tests.lottery.test_losses import CASES
from tinyticket.errors import InputError
from tinyticket.lottery import TensorBoard
from tinyticket.store import HISTORY

pytest.importorskip("tensorboard", reason="its event files need it: pip install 'tinyticket[tensorboard]'")


def read(folder):
    """Return {run: {tag: [(step, value), ...]}} of what TensorBoard finds under a folder."""
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    found = EventMultiplexer().AddRunsFromDirectory(str(folder))
    found.Reload()
    return {
        run: {tag: [(event.step, event.value) for event in found.Scalars(run, tag)] for tag in tags["scalars"]}
        for run, tags in found.Runs().items()
    }


def columns(history):
    """Return the scalars that a history is to become, in single precision."""
    names = [name for name in HISTORY.names if name != "iteration"]
    return {
        "/".join(reversed(name.split("_"))): [
            (int(row["iteration"]), pytest.approx(np.float32(row[name]))) for row in history if not np.isnan(row[name])
        ]
        for name in names
    }


def test_every_training_is_a_run_with_the_numbers_of_its_history(tmp_path):
    result = find(rounds=1, callbacks=TensorBoard(tmp_path))
    expected = {
        f"trial-{trial}/round-0{round.number}/{name}": columns(run.history)
        for trial, round in every_round(result)
        for name, run in {"ticket" if round.number else "dense": round, **round.controls}.items()
    }
    assert sorted(expected) == [
        "trial-0/round-00/dense",
        *(f"trial-0/round-01/{n}" for n in ("random", "reinit", "ticket")),
    ]
    assert read(tmp_path) == expected


def test_curves_are_seen_while_a_run_goes_on_and_those_of_a_repeated_training_replace_the_old(tmp_path, out):
    with pytest.raises(Interrupt):
        find(rounds=0, out=out, callbacks=[TensorBoard(tmp_path / "a"), InterruptAt("evaluated", 3)])
    (run,) = read(tmp_path / "a").values()
    assert [step for step, _ in run["loss/validation"]] == [0, 5, 10, 15]
    find(rounds=0, out=out, callbacks=TensorBoard(tmp_path / "a"))
    find(rounds=0, callbacks=TensorBoard(tmp_path / "whole"))
    (again,), (whole,) = (read(tmp_path / name).values() for name in ("a", "whole"))
    assert len(list((tmp_path / "a").rglob("*tfevents*"))) == 2
    assert str(again) == str(whole)  # nan is not equal to itself


def test_a_network_that_is_only_evaluated_is_one_point(tmp_path):
    result = find(rounds=None, method="supermask", controls="random", callbacks=TensorBoard(tmp_path))
    (point,) = read(tmp_path)["trial-0/round-01/random"]["accuracy/test"]
    assert point[1] == np.float32(result.trials[0].rounds[1].controls["random"].test_accuracy)


def test_r2_is_called_so(tmp_path):
    changes, data = CASES["mse"]
    find(**changes, data=data, rounds=0, callbacks=TensorBoard(tmp_path))
    (tags,) = read(tmp_path).values()
    assert sorted(tags) == ["R2/test", "R2/validation", "loss/test", "loss/train", "loss/validation"]


def test_a_folder_that_cannot_be_made_is_named_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"the log .*file cannot be written: File exists"):
        find(callbacks=TensorBoard(tmp_path / "file"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_full_disk_ends_the_run_in_one_sentence(tmp_path, monkeypatch):
    module = "tinyticket.lottery.callbacks.tensorboard"
    monkeypatch.setattr(f"{module}.open", lambda *_: open("/dev/full", "wb"), raising=False)  # noqa: SIM115
    with pytest.raises(InputError, match=f"^the log {tmp_path}.* cannot be written: No space left on device$"):
        find(callbacks=TensorBoard(tmp_path))
