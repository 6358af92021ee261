"""What a file says about the experiment that it holds."""

import dataclasses
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import tinyticket as tt
from tests.lottery.experiments import (
    MODEL,
    find,
)
from tinyticket.lottery.jobs import worker
from tinyticket.optim import MultiStep


def test_the_configuration_is_recorded_whole(out):
    schedule = MultiStep((10, 15), 0.5)
    changes = {
        "schedule": schedule,
        "weight_decay": 0.01,
        "optimizer": "nesterov",
        "controls": "reinit-2",
        "margin": 0.002,
    }
    config = find(out=out, **changes).config
    assert config == {
        "data": "clusters",
        "model": MODEL,
        "rounds": 2,
        "iterations": 20,
        "batch_size": 20,
        "lr": 0.01,
        "optimizer": "nesterov",
        "weight_decay": 0.01,
        "schedule": {"kind": "multistep", "milestones": [10, 15], "gamma": 0.5},
        "prune": {"conv": 0.2, "fc": 0.2, "output": 0.1},
        "one_shot": [],
        "scope": "layer",
        "trials": 1,
        "controls": ["reinit-2"],
        "seed": 0,
        "validation": 40,
        "evaluate_every": 5,
        "eager": False,
    }
    later = {
        field.name for field in dataclasses.fields(tt.lottery.Settings) if field.default is not dataclasses.MISSING
    }
    assert {field.name for field in dataclasses.fields(tt.lottery.Settings)} - later == set(config)


def test_later_settings_are_recorded_where_they_are_not_what_they_always_were():
    assert find(rounds=1, rewind_to=3).config["rewind_to"] == 3
    assert "rewind" not in find(rounds=1, rewind_to=3).config


# -- interrupted in a commit


@pytest.fixture
def ctrl_c():
    """Hear Ctrl-C, which whatever started the tests may have ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_commit_is_heard_after_it(out, monkeypatch, ctrl_c):
    monkeypatch.setattr(os, "fsync", lambda file: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        find(out=out)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert len(tt.load(out).trials[0].rounds) == 1


class InterruptInACommit(tt.lottery.Callback):
    """Interrupts the main thread while another one commits."""

    def __init__(self):
        self.committing, self.interrupted, self.ended = threading.Event(), threading.Event(), threading.Event()

    def evaluated(self, training, row):
        if self.committing.is_set():
            self.interrupted.set()
            raise KeyboardInterrupt

    def run_ended(self):
        self.ended.set()


class SecondWaits(ThreadPoolExecutor):
    """Begins its second training when a commit has begun: two that end at once would both wait for it."""

    def __init__(self, committing):
        super().__init__(2)
        self.committing, self.trainings = committing, 0

    def submit(self, function, *arguments):
        self.trainings += function is worker.do
        return super().submit(self.late if self.trainings == 2 else function, *arguments)

    def late(self, *arguments):
        assert self.committing.wait(20)
        return worker.do(*arguments)


def test_a_commit_of_another_thread_ends_before_the_run_does(out, monkeypatch):
    callback, fsync = InterruptInACommit(), os.fsync

    def sync(file):
        callback.committing.set()
        assert callback.interrupted.wait(20)
        assert not callback.ended.wait(1)
        fsync(file)
        monkeypatch.setattr(os, "fsync", fsync)

    monkeypatch.setattr(os, "fsync", sync)
    with SecondWaits(callback.committing) as pool, pytest.raises(KeyboardInterrupt):
        find(out=out, trials=4, workers=2, executor=pool, iterations=200, controls="none", callbacks=callback)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert sum(len(trial.rounds) for trial in tt.load(out).trials) == 1
