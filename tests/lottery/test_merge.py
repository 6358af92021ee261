"""Trials of several machines in one file."""

import json
import os
import shutil
import sys

import h5py
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, contents, differing, find
from tinyticket.errors import InputError
from tinyticket.lottery import extend, merge
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.store import Archive, layout

EAGER = {"eager": True, "iterations": 5, "controls": "random", "rounds": 1}


def parts(tmp_path, **changes):
    """Return the files of two machines, and what one machine would have had."""
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    find(**{**EAGER, **changes}, trials=1, out=files[0])
    find(**{**EAGER, **changes}, trials=1, first_trial=1, out=files[1])
    return files, contents(find(**{**EAGER, **changes}, trials=2), tmp_path)


@pytest.mark.parametrize("changes", [{}, {"rewind_to": 2, "strategy": "continue"}, {"mask_0": "freeze"}])
def test_they_are_the_trials_of_one_run(changes, out, tmp_path):
    files, whole = parts(tmp_path, **changes)
    result = merge(files[::-1], out)
    assert differing(contents(out), whole) == []
    assert [trial.number for trial in result.trials] == [0, 1]


def test_few_rounds_are_in_memory_at_once_and_nothing_is_left_of_what_does_not_end(out, tmp_path, monkeypatch):
    files, whole = parts(tmp_path, rewind_to=2)
    monkeypatch.setattr(sys.modules[merge.__module__], "AT_ONCE", 1)
    commits, plain = [], Archive.commit

    def commit(archive, write):
        commits.append(archive)
        if len(commits) == 3:
            raise KeyboardInterrupt
        plain(archive, write)

    monkeypatch.setattr(Archive, "commit", commit)
    (out.parent / f".{out.name}.merging").mkdir()  # of a program that was killed
    before = {*os.listdir(out.parent)}
    with pytest.raises(KeyboardInterrupt):
        merge(files, out)
    assert {*os.listdir(out.parent)} == before - {f".{out.name}.merging"}
    commits.clear()
    commits.extend("   ")
    assert not any(check.failures for check in verify(merge(files, out), data=DATA))
    assert len(commits) == 3 + 1 + 4 + 1
    assert differing(contents(out), whole) == []


def test_masks_that_moved_are_taken_over(out, tmp_path):
    files, whole = parts(
        tmp_path, iterations=10, method="rigl", update_every=3, rounds=None, one_shot=[0.5], controls="static"
    )
    merge(files, out)
    assert differing(contents(out), whole) == []
    extend(out, trials=3, data=DATA)
    assert not any(check.failures for check in verify(tt.load(out), data=DATA))


def test_a_part_stands_for_itself(tmp_path):
    find(**EAGER, trials=1, first_trial=2, out=(path := tmp_path / "b.h5"))
    part = tt.load(path)
    assert [trial.number for trial in part.trials] == [2]
    assert part.config["first_trial"] == 2
    assert part.verdict["trials"] == 1
    assert not any(check.failures for check in verify(part, data=DATA))
    with pytest.raises(InputError, match="first-trial was 2 and is now 0"):
        find(**EAGER, trials=1, out=path)


def test_trials_that_diverged_are_said_to_have(out, tmp_path):
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    find(**EAGER, trials=2, out=files[0])
    find(**EAGER, trials=1, first_trial=2, out=files[1])
    with h5py.File(files[0], "r+") as file:
        del file["trials/1"]
        file.attrs["diverged"] = json.dumps({"1": 0})
    result = merge(files, out)
    assert ([trial.number for trial in result.trials], result.diverged) == ([0, 2], {"1": 0})
    assert result.config["trials"] == 3
    assert not any(check.failures for check in verify(result, data=DATA))


def change(path, text, **values):
    with h5py.File(path, "r+") as file:
        file.attrs[text] = json.dumps({**json.loads(file.attrs[text]), **values})
    return path


def test_another_machine_is_named(out, tmp_path):
    files, _ = parts(tmp_path)
    change(files[1], "machine", processor="z80", system="cp/m \u2116 2")
    result = merge(files, out)
    assert [result.round(trial, 1).cpu for trial in (0, 1)] == ["", "z80 of cp/m ? 2"]
    assert result.round(1, 1).controls["random"].cpu == "z80 of cp/m ? 2"
    assert "a CPU of the kind z80 of cp/m" in str(replay(result, 1, 1, data=DATA))


def test_a_file_says_which_machine_trained_which_rounds(out, tmp_path, monkeypatch):
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    z80 = {"system": "cp/m", "processor": "z80", "cores": 1}
    with monkeypatch.context() as patch:
        patch.setattr(layout, "machine", lambda: z80)
        find(**EAGER, trials=1, out=files[0])
    here = extend(files[0], rounds=2, data=DATA)
    assert (here.machine, here.trained_by(0, 1)) == (layout.machine(), (here.versions, z80))
    assert here.trained_by(0, 2) == (here.versions, here.machine)
    assert not any(check.failures for check in verify(here, data=DATA))
    assert "trained on another machine (z80)" in str(replay(here, 0, 1, data=DATA))
    assert "another machine" not in str(replay(here, 0, 2, data=DATA))
    find(**{**EAGER, "rounds": 2}, trials=1, first_trial=1, out=files[1])
    merged = merge(files[::-1], out)
    assert [merged.trained_by(trial, 0)[1] for trial in (0, 1)] == [z80, layout.machine()]


def test_what_does_not_belong_together(out, tmp_path):
    files, _ = parts(tmp_path)
    a, b = files
    with pytest.raises(InputError, match=r"a\.h5 and .*a\.h5 both have a trial 0"):
        merge([a, a], out)
    for text, values, says in (
        ("config", {"seed": 1}, r"c\.h5 is not of the experiment of .*a\.h5: seed differ; another machine runs"),
        ("config", {"rounds": 3}, "rounds differ"),
        ("versions", {"numpy": "1"}, "is of other versions than"),
        ("data", {"fingerprints": {"x_train": "other"}}, "is of other data than"),
        ("config", {"controls": ["reinit"]}, "controls differ"),
    ):
        other = change(shutil.copy(b, tmp_path / "c.h5"), text, **values)
        with pytest.raises(InputError, match=says):
            merge([a, other], out)
    with h5py.File(other := shutil.copy(b, tmp_path / "c.h5"), "r+") as file:
        del file["trials/1/rounds/01"]
    with pytest.raises(InputError, match=r"trial 1 of .*c\.h5 is unfinished: resume it first"):
        merge([a, other], out)
    with h5py.File(other := shutil.copy(b, tmp_path / "c.h5"), "r+") as file:
        file.move("trials/1", "trials/3")
    with pytest.raises(InputError, match="trial 1 is missing between those of the files"):
        merge([a, other], out)
    with pytest.raises(InputError, match="at least two files"):
        merge([a], out)
    assert not out.exists()
    with pytest.raises(InputError, match=r"b\.h5 is there already"):
        merge([a, b], b)
