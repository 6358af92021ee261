"""Ctrl-C, and a second run into the same file, in real processes."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tinyticket as tt
from tests.cli.commands import ENVIRONMENT, call, find_arguments, one_sentence, start
from tests.lottery.experiments import SMALL, contents, differing

MODEL = f"{Path(__file__).with_name('steered.py')}:make"


@pytest.fixture
def arguments(npz, out):
    return find_arguments(npz, out, model=MODEL)


@pytest.fixture(scope="module")
def whole(npz, tmp_path_factory):
    """What a run leaves that nobody disturbed."""
    path = tmp_path_factory.mktemp("whole") / "ticket.h5"
    assert call(find_arguments(npz, path, model=MODEL)).code == 0
    return contents(path)


def steered(what, step):
    """Return an environment in which a signal is raised, or standard input waited for, in that step of all trainings."""
    return {**ENVIRONMENT, "STEER": f"{what}@{step}"}


@pytest.mark.parametrize(
    ("training", "rounds"),
    [(3, 1), (5, 2)],  # of seven: the dense network, a ticket and two controls, a ticket and two controls
)
def test_ctrl_c_says_how_to_resume_and_the_same_command_goes_on(training, rounds, arguments, out, whole):
    stopped = call(arguments, env=steered("SIGINT", (training - 1) * SMALL["iterations"] + 7))
    assert (stopped.code, stopped.out) == (130, "")
    assert "Traceback" not in stopped.err
    assert f"the finished rounds are in {out}. Run the same command again to go on." in stopped.err
    assert len(tt.load(out).trials[0].rounds) == rounds
    assert os.listdir(out.parent) == [out.name]
    assert call(arguments).code == 0
    assert differing(contents(out), whole) == []


def test_ctrl_c_before_any_round_is_finished_does_not_promise_a_file(arguments, out):
    stopped = call(arguments, env=steered("SIGINT", 3))
    assert (stopped.code, stopped.out) == (130, "")
    assert "Traceback" not in stopped.err
    assert "Run the same command again" in stopped.err
    assert str(out) not in stopped.err
    assert os.listdir(out.parent) == []


def test_a_second_run_into_the_same_file_is_refused_and_the_first_goes_on(arguments, out):
    first = start([*arguments, "--quiet"], env=steered("wait", SMALL["iterations"] + 7), stdin=subprocess.PIPE)
    assert first.stderr.readline() == "waiting\n"  # in the training of the first ticket
    sentence = one_sentence(call(arguments))
    assert "is being written by another process" in sentence
    assert str(out) in sentence
    assert len(tt.load(out).trials[0].rounds) == 1  # and it can be looked at meanwhile
    first.communicate("", timeout=60)
    assert first.returncode == 0
    assert len(tt.load(out).trials[0].rounds) == 3
    assert os.listdir(out.parent) == [out.name]


def test_the_lock_dies_with_its_holder(arguments, out):
    assert call(arguments, env=steered("SIGKILL", 3)).code == -9
    assert f".{out.name}.lock" in os.listdir(out.parent)
    assert call(arguments).code == 0
    assert os.listdir(out.parent) == [out.name]


# -- with trials side by side

SIDE_BY_SIDE = {"trials": 2, "rounds": 1, "iterations": 1500, "evaluate_every": 50, "workers": 2, "controls": "none"}


@pytest.fixture
def running(npz, out):
    """A run whose two workers have each finished a training or more, and which has some seconds to go."""
    process = start(find_arguments(npz, out, model=MODEL, **SIDE_BY_SIDE))
    seen = ""
    while not {"trial 0, round 0", "trial 1, round 0"} <= set(re.findall(r"trial \d, round \d", seen)):
        line = process.stderr.readline()
        assert line, seen
        seen += line
    yield process
    process.communicate(timeout=60)


def test_ctrl_c_stops_all_workers_and_the_same_command_goes_on(running, npz, out):
    running.send_signal(signal.SIGINT)
    printed, errors = running.communicate(timeout=60)
    if running.returncode == 0:
        pytest.skip("the machine was too fast")
    assert (running.returncode, printed) == (130, "")
    assert "Traceback" not in errors
    assert f"the finished rounds are in {out}. Run the same command again to go on." in errors
    assert os.listdir(out.parent) == [out.name]
    arguments = find_arguments(npz, out, model=MODEL, **SIDE_BY_SIDE)
    assert call(arguments).code == 0
    whole = out.with_name("whole.h5")
    assert call([*arguments, "--workers", "1", "--out", whole]).code == 0
    assert differing(contents(out), contents(whole)) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_workers_do_not_outlive_a_killed_parent(running):
    workers = [pid for pid, parent, _ in processes() if parent == running.pid]
    assert len(workers) >= 2
    running.kill()
    running.wait(60)
    deadline = time.monotonic() + 30
    while any(pid in workers and state != "Z" for pid, _, state in processes()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes():
    """Yield (pid, its parent's, state) of all processes."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = status.read_text().rpartition(") ")[2].split()
            yield int(status.parent.name), int(parent), state
