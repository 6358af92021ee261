"""A Dask scheduler and its workers, as processes on this machine, started as the documentation says."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import tinyticket as tt
from tests.cli.commands import ENVIRONMENT, call, find_arguments, one_sentence
from tests.lottery.experiments import Recorder, contents, differing, find
from tests.lottery.networks import plain
from tinyticket.errors import InputError, WorkerError

pytest.importorskip("distributed")
pytestmark = pytest.mark.extra

LARGE = {"trials": 2, "rounds": 1, "iterations": 400, "evaluate_every": 20, "controls": "reinit,random"}


def dask(*arguments):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "dask", *map(str, arguments)], env=ENVIRONMENT, **quiet)


@pytest.fixture
def started():
    """Three workers of a scheduler: its address, their processes and its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    one = ("--nthreads", 1, "--nworkers", 1, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    workers = [dask("worker", address, *one) for _ in range(3)]
    try:
        from distributed import Client

        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(3, timeout=60)
        yield address, workers, scheduler
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_a_cluster_leaves_the_file_of_one_process_though_workers_are_killed_and_stopped(started, out):
    address, (killed, stopped, _), _ = started

    def be_cruel(trial, round):
        if killed.poll() is None:
            killed.kill()
            os.kill(stopped.pid, signal.SIGSTOP)
            time.sleep(1)
            os.kill(stopped.pid, signal.SIGCONT)

    progress = Recorder()
    progress.committed = be_cruel
    find(out=out, executor=address, callbacks=progress, **LARGE)
    assert killed.poll() == -signal.SIGKILL
    assert len(progress.of("training_begun")) == 8
    alone = out.with_name("alone.h5")
    find(out=alone, **LARGE)
    assert differing(contents(out), contents(alone)) == []


def test_models_of_ones_own_are_sent_and_the_command_line_takes_a_scheduler(started, npz, out):
    address, *_ = started
    found = find(lambda rng: plain(rng), executor=address, trials=2, rounds=0)
    assert len(found.trials) == 2
    assert call([*find_arguments(npz, out), "--scheduler", address]).code == 0
    assert tt.load(out).verdict["text"]


@pytest.mark.parametrize("who", ["scheduler", "workers"])
def test_a_cluster_that_is_lost_is_one_sentence_and_finished_rounds_stay(started, npz, out, who, monkeypatch):
    from tinyticket.lottery.jobs import executors

    monkeypatch.setattr(executors, "CONNECTS", 3)
    address, workers, scheduler = started
    progress = Recorder()
    progress.committed = lambda trial, round: [each.kill() for each in ([scheduler] if who == "scheduler" else workers)]
    with pytest.raises(
        WorkerError, match=rf"^the scheduler at {address}, or all of its workers, are gone.*the finished rounds are in"
    ):
        find(out=out, executor=address, callbacks=progress, **LARGE)
    find(out=out, **LARGE)
    find(out=out.with_name("alone.h5"), **LARGE)
    assert differing(contents(out), contents(out.with_name("alone.h5"))) == []


def test_no_scheduler_is_one_sentence(npz, out, monkeypatch):
    from tinyticket.lottery.jobs import executors

    monkeypatch.setattr(executors, "CONNECTS", 0.5)
    with pytest.raises(InputError, match=r"^no scheduler answers at tcp://127\.0\.0\.1:9"):
        find(executor="tcp://127.0.0.1:9")
    assert "no scheduler answers at nowhere" in one_sentence(
        call([*find_arguments(npz, out), "--quiet", "--scheduler", "nowhere"])
    )
