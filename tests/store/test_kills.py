"""The program killed at random instants: finished rounds are always whole, and the same command ends where it would have."""

import os
import random
import signal
import time

import pytest

import tinyticket as tt
from tests.cli.commands import call, find_arguments, save_npz, start
from tests.lottery.experiments import contents, differing, find

SETTINGS = {"trials": 3, "rounds": 3, "iterations": 10}  # 30 trainings and 12 commits, which take as long


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    return save_npz(tmp_path_factory.mktemp("data") / "mine.npz")


@pytest.fixture(scope="module")
def whole(npz, tmp_path_factory):
    """What a run leaves that nobody disturbed."""
    path = tmp_path_factory.mktemp("whole") / "ticket.h5"
    find(data=str(npz), out=path, **SETTINGS)
    return contents(path)


def kill_at_random(arguments, dice):
    """Start the program, let some trainings end, kill it a little later; say whether it was still running."""
    process = start(arguments)
    for _ in range(dice.randint(1, 3)):
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


def test_a_run_killed_again_and_again_keeps_its_rounds_and_ends_with_the_same_contents(npz, whole, path):
    dice, arguments, killed, finished = random.Random(0), find_arguments(npz, path, **SETTINGS), 0, 0
    for _ in range(4):
        killed += kill_at_random(arguments, dice)
        if path.exists():
            now = check_finished_rounds(path)
            assert now >= finished
            finished = now
    assert killed
    assert call(arguments).code == 0
    assert differing(contents(path), whole) == []
    assert os.listdir(path.parent) == [path.name]
