"""Temporary folders: those of runs that were killed go at the next start, those of runs under way stay."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.commands import ENVIRONMENT
from tests.lottery.experiments import find
from tinyticket.errors import InputError
from tinyticket.lottery.jobs.folder import OWNER, PREFIX, remove_abandoned, shared_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks are those of POSIX")

RUN = """
import os, signal
from tests.lottery.experiments import Recorder, find

progress = Recorder()
progress.evaluated = lambda training, row: os.kill(os.getpid(), signal.SIGKILL)
find(trials=2, workers=2, callbacks=progress)
"""


@pytest.fixture
def parent(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def folders(parent):
    return sorted(path for path in parent.iterdir() if path.name.startswith(PREFIX))


def test_a_folder_lives_as_long_as_it_is_needed(parent):
    with shared_folder() as folder:
        assert folders(parent) == [folder]
        assert os.listdir(folder) == [OWNER]
        remove_abandoned()
        with shared_folder() as other:
            assert folders(parent) == sorted([folder, other])
    assert folders(parent) == []
    with pytest.raises(ValueError, match="mine"), shared_folder():
        raise ValueError("mine")
    assert folders(parent) == []


def test_only_folders_whose_owner_is_gone_are_removed(parent):
    abandoned, young, other = (parent / f"{PREFIX}{name}" for name in ("abandoned", "young", "other"))
    for folder in (abandoned, young):
        folder.mkdir()
    (abandoned / OWNER).write_text("")
    (abandoned / "arrays").write_bytes(b"0" * 1000)
    (young / "unlocked").write_text("")  # is just being made
    other.write_text("no folder")
    (parent / "tinyticket-somebody").mkdir()
    (parent / "tinyticket-somebody" / OWNER).write_text("")
    remove_abandoned()
    assert folders(parent) == [other, young]
    assert (parent / "tinyticket-somebody").exists()


def test_what_a_killed_run_has_left_goes_at_the_next_start(parent):
    environment = {**ENVIRONMENT, "TMPDIR": str(parent)}
    killed = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    (left,) = folders(parent)
    assert next(left.glob("experiment-*/arrays")).stat().st_size > 1000
    find(rounds=0, trials=2, workers=2)
    assert folders(parent) == []
    assert Path(tempfile.gettempdir()) == parent


def test_a_run_without_workers_of_its_own_removes_it_too(parent):
    (parent / f"{PREFIX}abandoned").mkdir()
    (parent / f"{PREFIX}abandoned" / OWNER).write_text("")
    find(rounds=0, workers=1)
    assert folders(parent) == []


def test_without_any_temporary_folder_a_run_needs_to_have_no_workers(monkeypatch):
    def refuse():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    find(rounds=0, workers=1)
    with pytest.raises(InputError, match="no temporary folder: No usable"), shared_folder():
        pass
