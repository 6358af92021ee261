"""Ctrl-C and other signals, closed and full outputs, and others who write the same file, in real processes."""

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
from tests.cli.commands import ENVIRONMENT, Outcome, call, find_arguments, one_sentence, start
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


PROGRESS = r"\[|tinyticket: (training runs eagerly|.* \.\.\.$)"


def reports(outcome):
    """Return the lines of standard error but progress and the remark that the steered model runs eagerly."""
    return [line for line in outcome.err.splitlines() if line and not re.match(PROGRESS, line)]


@pytest.mark.parametrize(
    ("name", "training", "rounds", "code", "by"),
    [  # of seven trainings: the dense network, a ticket and two controls, a ticket and two controls
        ("SIGINT", 3, 1, 130, ""),
        ("SIGTERM", 5, 2, 143, " by SIGTERM"),
        ("SIGHUP", 3, 1, 129, " by SIGHUP"),
    ],
)
def test_a_signal_says_how_to_resume_and_the_same_command_goes_on(
    name, training, rounds, code, by, arguments, out, whole
):
    stopped = call(arguments, env=steered(name, (training - 1) * SMALL["iterations"] + 7))
    assert (stopped.code, stopped.out) == (code, "")
    kept = f"the finished rounds are in {out}. Run the same command again to go on."
    assert reports(stopped) == [f"tinyticket: stopped{by}; {kept}"]
    assert len(tt.load(out).trials[0].rounds) == rounds
    assert os.listdir(out.parent) == [out.name]
    assert call(arguments).code == 0
    assert differing(contents(out), whole) == []


def test_ctrl_c_before_any_round_is_finished_does_not_promise_a_file(arguments, out):
    stopped = call(arguments, env=steered("SIGINT", 3))
    assert (stopped.code, stopped.out) == (130, "")
    assert reports(stopped) == ["tinyticket: stopped; no round was finished. Run the same command again to go on."]
    assert os.listdir(out.parent) == []


def test_a_program_that_nobody_may_hang_up_goes_on(arguments, out):
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}  # as nohup does
    assert call([*arguments, "--quiet"], env=steered("SIGHUP", 7), **ignoring).code == 0


SWALLOWS_CTRL_C = """
import importlib, os, signal, sys
try:
    os.kill(os.getpid(), signal.SIGINT)
except BaseException:  # as modules written in Cython do
    pass
del sys.modules["click"], sys.path[sys.path.index(os.path.dirname(__file__))]
importlib.import_module("click")
"""


def test_ctrl_c_while_the_program_is_imported_is_heard_and_shows_no_traceback(tmp_path):
    (tmp_path / "click.py").write_text(SWALLOWS_CTRL_C)
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    stopped = call(["--version"], env={**ENVIRONMENT, "PYTHONPATH": path})
    assert stopped == (130, "", "tinyticket: stopped; run the same command again\n")


@pytest.mark.parametrize(
    "words",
    [["sweep", "{toml}", "--out", "{folder}"], ["replay", "{ticket}", "--data", "{npz}"], ["verify", "{ticket}"]],
)
def test_every_command_is_stopped_alike(words, npz, ticket, tmp_path):
    (tmp_path / "sweep.toml").write_text(f"""
        [settings]\ndata = "{npz}"\nmodel = "mlp-12-5-3"\nbatch_size = 20\n[grid]\nseed = [0, 1]
    """)
    names = {"toml": tmp_path / "sweep.toml", "folder": tmp_path / "results", "ticket": ticket, "npz": npz}
    (tmp_path / "sitecustomize.py").write_text(SIGNAL_AT_A_BATCH)
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    stopped = call([word.format(**names) for word in words], env={**ENVIRONMENT, "PYTHONPATH": path})
    more = (
        "no round was finished. Run the same command again to go on."
        if "sweep" in words
        else "run the same command again"
    )
    assert (stopped.code, stopped.out) == (143, "")
    assert reports(stopped) == [f"tinyticket: stopped by SIGTERM; {more}"]


SIGNAL_AT_A_BATCH = """
import os, signal, sys

def watch(frame, event, _):
    if frame.f_code.co_name in ("do", "verify") and os.path.join("lottery", "") in frame.f_code.co_filename:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGTERM)

sys.setprofile(watch)
"""


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


def test_a_file_that_is_replaced_under_a_run_is_left_as_it_is(arguments, ticket, out):
    replaced = steered("replace", 2 * SMALL["iterations"] + 7) | {"OTHER": str(ticket), "RESULT": str(out)}
    sentence = one_sentence(call([*arguments, "--quiet"], env=replaced))
    assert sentence.startswith(f"{out} has been replaced or changed by another program")
    assert out.read_bytes() == ticket.read_bytes()
    assert os.listdir(out.parent) == [out.name]


# -- outputs that cannot be written

full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


@full
def test_an_output_on_a_full_device_is_one_sentence(ticket):
    with open("/dev/full", "w") as device:
        for words in (["show", ticket], ["show", ticket, "--csv"], ["--help"]):
            outcome = call(words, stdout=device)
            assert (outcome.code, outcome.err) == (
                2,
                "tinyticket: the output cannot be written: No space left on device\n",
            )


@full
def test_a_full_or_closed_standard_error_changes_nothing(arguments, out, tmp_path):
    with open("/dev/full", "w") as device:
        assert call(arguments, stderr=device).code == 0
        assert call(["show", tmp_path / "none.h5"], stderr=device).code == 2
    closed = call([*arguments, "--workers", "2", "--trials", "2"], stderr=None, preexec_fn=lambda: os.close(2))
    assert (closed.code, closed.out != "") == (0, True)
    assert len(tt.load(out).trials) == 2


def test_a_full_temporary_folder_is_one_sentence(arguments, out, tmp_path):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    env = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    sentence = one_sentence(call([*arguments, "--workers", "2", "--quiet"], env=env, preexec_fn=limit))
    assert sentence.startswith(f"the temporary folder {tmp_path} cannot be written: File too large")
    assert os.listdir(out.parent) == []


# -- with trials side by side

SIDE_BY_SIDE = {"trials": 2, "rounds": 1, "iterations": 1000, "evaluate_every": 50, "workers": 2, "controls": "reinit"}


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_ctrl_c_in_a_terminal_is_not_heard_by_workers_that_are_just_starting(npz, out):
    process = start(find_arguments(npz, out, model=MODEL, **SIDE_BY_SIDE), start_new_session=True)
    while sum(parent == process.pid for _, parent, _ in processes()) < 3:  # two, and loky's tracker of semaphores
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, "")
    stopped = "tinyticket: stopped; no round was finished. Run the same command again to go on."
    assert reports(Outcome(130, "", errors)) == [stopped]
    assert os.listdir(out.parent) == []


def test_ctrl_c_stops_all_workers_and_the_same_command_goes_on(running, npz, out):
    running.send_signal(signal.SIGINT)
    printed, errors = running.communicate(timeout=60)
    if running.returncode == 0:
        pytest.skip("the machine was too fast")
    assert (running.returncode, printed) == (130, "")
    kept = f"the finished rounds are in {out}. Run the same command again to go on."
    assert reports(Outcome(130, printed, errors)) == [f"tinyticket: stopped; {kept}"]
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
