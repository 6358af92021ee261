"""The program killed at random instants: finished rounds are always whole, and the same command ends where it would have.

TINYTICKET_KILLS says how many kills are tried for each way of committing, by a file that is replaced and through a journal.
"""

import functools
import os
import random
import signal
import subprocess
import sys
import time

import pytest

import tinyticket as tt
from tests.cli.commands import ENVIRONMENT, call, find_arguments, save_npz, start
from tests.lottery.experiments import contents, differing, find
from tinyticket.lottery.keeper import VARIABLE
from tinyticket.store.journal import entries_of

SETTINGS = {"trials": 3, "rounds": 3, "iterations": 10}  # 30 trainings and 12 commits, which take as long
KILLS = int(os.environ.get("TINYTICKET_KILLS", 2))

PROGRAM = """
import sys
from tinyticket.store import archive
archive.JOURNAL_FROM = {size}
from tinyticket.__main__ import main
main()
"""


def start_with_journal(arguments, size):
    """Start the program with a journal for files of a size or more."""
    command = [sys.executable, "-c", PROGRAM.format(size=size), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    return save_npz(tmp_path_factory.mktemp("data") / "mine.npz")


@pytest.fixture(scope="module")
def whole(npz, tmp_path_factory):
    """What a run leaves that nobody disturbed."""
    path = tmp_path_factory.mktemp("whole") / "ticket.h5"
    find(data=str(npz), out=path, **SETTINGS)
    return contents(path)


def kill_at_random(arguments, size, dice):
    """Start the program, let some trainings end, kill it a little later; say whether it was still running."""
    process = start_with_journal(arguments, size)
    for _ in range(dice.randint(1, 6)):
        process.stderr.readline()
    time.sleep(dice.uniform(0, 0.06))
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def check_finished_rounds(path):
    """Read everything there is, and find every round complete; return their number."""
    rounds = [round for trial in tt.load(path).trials for round in trial.rounds]
    for round in rounds:
        assert len(round.controls) == (2 if round.number else 0)
        for run in (round, *round.controls.values()):
            assert run.history["iteration"][-1] == SETTINGS["iterations"]
            assert {name: int(mask.sum()) for name, mask in run.masks.items()} == {
                name: int((run.trained[name] != 0).sum()) for name in run.masks
            }
    return len(rounds)


@pytest.mark.parametrize("size", [1 << 30, 0], ids=["replaced", "journal"])
def test_a_run_killed_again_and_again_keeps_its_rounds_and_ends_with_the_same_contents(size, npz, whole, path):
    dice, arguments, killed, finished, waited = random.Random(size), find_arguments(npz, path, **SETTINGS), 0, 0, 0
    for _ in range(KILLS):
        if finished == 12:
            go_on_to_the_end(path, arguments, size, whole)
            path.unlink()
            finished = 0
        killed += kill_at_random(arguments, size, dice)
        if path.exists():
            now = check_finished_rounds(path)
            assert now >= finished
            finished = now
            waited += bool(entries_of(path))
    assert killed
    go_on_to_the_end(path, arguments, size, whole)
    print(f"{killed} kills, {waited} of which left a journal")


def go_on_to_the_end(path, arguments, size, whole):
    """Let the program come to its end, and compare."""
    process = start_with_journal(arguments, size)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert differing(contents(path), whole) == []
    assert os.listdir(path.parent) == [path.name]


# -- within a training

KILLS = int(os.environ.get("TINYTICKET_FUZZ_KILLS", "2"))
LONG = {"model": "mlp-12-200-100-3", "iterations": 6000, "evaluate_every": 400, "rounds": 1, "controls": "random"}
KINDS = {
    "adam": {},
    "late": {"rewind_to": 2500, "optimizer": "momentum", "test_at": "minima"},
    "rigl": {"method": "rigl", "rounds": None, "one_shot": 0.2, "controls": "static"},
}
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


def kept(path):
    """Return the files of trainings under way, and when they were written."""
    found = [file for file in os.scandir(path.parent) if ".training-" in file.name and file.name[1] != "."]
    return {file.name: file.stat().st_mtime_ns for file in found}


def stop_at_random(arguments, path, folder, dice):
    """Start the program, let it keep a training, end it a little later; return the signal, or None if it came to its end."""
    number, before = dice.choice([*CODES]), kept(path)
    process = start(arguments, env={**ENVIRONMENT, VARIABLE: "0.05", "TMPDIR": str(folder)})
    while process.poll() is None and kept(path).items() <= before.items():
        time.sleep(0.005)
    time.sleep(dice.uniform(0, 0.3))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said, said
    assert "begins anew" not in said, said
    if process.returncode == 0:
        return None
    assert process.returncode == CODES[number], said
    if number != signal.SIGKILL:
        assert said.splitlines()[-1].startswith("tinyticket: stopped")
        assert f".{path.name}.lock" not in os.listdir(path.parent)
        assert not [name for name in os.listdir(folder) if name.startswith("tinyticket-")]
    return number


def test_trainings_ended_again_and_again_go_on_to_the_same_contents(npz, tmp_path):
    dice, stops, folder = random.Random(KILLS), [], tmp_path / "tmp"
    folder.mkdir()

    @functools.cache
    def undisturbed(kind):
        return contents(find(data=str(npz), **{**LONG, **KINDS[kind]}), tmp_path)

    while len(stops) < KILLS:
        kind, path = dice.choice([*KINDS]), tmp_path / str(len(stops)) / "ticket.h5"
        path.parent.mkdir()
        arguments = find_arguments(npz, path, "--quiet", workers=dice.choice([1, 2]), **{**LONG, **KINDS[kind]})
        while len(stops) < KILLS and (stop := stop_at_random(arguments, path, folder, dice)):
            stops.append(stop)
        assert call(arguments).code == 0
        assert os.listdir(path.parent) == [path.name]
        assert differing(contents(path), undisturbed(kind)) == []
    print(f"stopped {', '.join(f'{stops.count(number)} times by {number.name}' for number in CODES)}")
