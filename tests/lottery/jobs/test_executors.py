"""Trainings in processes side by side: the same file, and what happens when one of them ends badly."""

import functools
import logging
import multiprocessing
import re
import signal
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import tinyticket as tt
from tests.cli.commands import ENVIRONMENT
from tests.lottery.experiments import DATA, SMALL, Interrupt, InterruptAt, Recorder, contents, differing, find
from tests.lottery.networks import Fragile, dying, plain
from tinyticket.errors import DivergenceError, InputError, WorkerError
from tinyticket.lottery.jobs import worker
from tinyticket.lottery.jobs.executors import processes
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.streams import stream

THREE = {"trials": 3, "rounds": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three trials one after another."""
    path = tmp_path_factory.mktemp("whole") / "ticket.h5"
    find(out=path, **THREE)
    return contents(path)


def test_any_number_of_workers_and_threads_leaves_the_same_file(whole, out, tmp_path):
    progress = Recorder()
    result = find(out=out, workers=2, threads=3, callbacks=progress, **THREE)
    assert differing(contents(out), whole) == []
    assert [len(trial.rounds) for trial in result.trials] == [2, 2, 2]
    assert list(tmp_path.iterdir()) == [out]
    assert progress.of("run_begun") == [(12, 20, 0)]
    assert {arguments[:3] for arguments in progress.of("training_begun")} == {
        (trial, *which) for trial in range(3) for which in [(0, None), (1, None), (1, "reinit"), (1, "random")]
    }
    assert sorted(progress.of("committed")) == [(trial, round) for trial in range(3) for round in range(2)]
    assert len(progress.of("run_ended")) == 1


def test_what_is_finished_is_not_trained_again_and_more_trials_extend_it(whole, out):
    find(out=out, trials=1, rounds=1)
    with pytest.raises(Interrupt):
        find(out=out, workers=2, callbacks=InterruptAt("committed", after=1), **THREE)
    before = {trial.number: len(trial.rounds) for trial in tt.load(out).trials}
    assert sum(before.values()) == 4
    progress = Recorder()
    find(out=out, workers=3, callbacks=progress, **THREE)
    assert differing(contents(out), whole) == []
    assert len(progress.of("committed")) == 2


@pytest.mark.parametrize("kind", ["training_begun", "evaluated", "training_ended", "committed"])
def test_whoever_watches_may_stop_a_run_at_any_event(kind):
    with pytest.raises(Interrupt):
        find(workers=2, callbacks=InterruptAt(kind, after=1), **THREE)


def test_a_result_in_memory_can_have_workers_too(whole, tmp_path):
    assert differing(contents(find(workers=2, rounds=1, trials=3), tmp_path), whole) == []


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_any_executor_can_do_the_jobs_and_goes_on_living(kind, whole, tmp_path):
    start = ThreadPoolExecutor
    if kind == "processes":
        start = functools.partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))
    with start(2) as executor:
        found = find(executor=executor, workers=2, rounds=1, trials=3)
        assert executor.submit(abs, -1).result() == 1
    assert differing(contents(found, tmp_path), whole) == []


class Losing(ThreadPoolExecutor):
    """Cancels its first jobs, as a cluster does whose only worker with the data has died."""

    def __init__(self, jobs):
        super().__init__(2)
        self.left = jobs

    def submit(self, function, *arguments):
        if function is not worker.do or not self.left:
            return super().submit(function, *arguments)
        self.left -= 1
        lost = Future()
        lost.cancel()
        lost.set_running_or_notify_cancel()
        return lost


def test_what_a_cluster_has_lost_is_sent_again(whole, tmp_path, caplog):
    with Losing(2) as executor, caplog.at_level(logging.WARNING):
        found = find(executor=executor, workers=2, rounds=1, trials=3)
    assert "a worker has died with what the others needed, which was sent again" in caplog.text
    assert differing(contents(found, tmp_path), whole) == []
    lost = pytest.raises(WorkerError, match=r"^trial 0, round 0: the cluster has cancelled it again and again")
    with Losing(100) as executor, lost:
        find(executor=executor, workers=2, rounds=0)


def test_the_file_says_where_another_kind_of_cpu_trained(whole, out, monkeypatch):
    monkeypatch.setattr(worker, "cpu", lambda: "znver9")
    with ThreadPoolExecutor(2) as executor:
        result = find(executor=executor, workers=2, rounds=1, trials=3, out=out)
    runs = [run for trial in result.trials for round in trial.rounds for run in (round, *round.controls.values())]
    assert {run.cpu for run in runs} == {"znver9"}
    assert all("cpu" in name for name in differing(contents(out), whole))
    assert not [check for check in verify(result, data=DATA) if check.standing == "failed"]
    again = replay(result, 0, 1, data=DATA)
    assert again.agrees
    assert "trained on a CPU of the kind znver9" in again.remarks[0]
    find(rounds=2, trials=3, out=out)  # goes on, and keeps what it says
    assert [round.cpu for round in tt.load(out).trials[0].rounds] == ["znver9", "znver9", ""]


def test_controls_of_one_trial_are_trained_beside_the_next_ticket(tmp_path):
    """A round is committed before the next one, whichever ends first."""
    progress = Recorder()
    alone, beside = find(rounds=2), find(rounds=2, workers=2, callbacks=progress)
    assert differing(contents(beside, tmp_path), contents(alone, tmp_path)) == []
    assert progress.of("committed") == [(0, 0), (0, 1), (0, 2)]
    assert len(progress.of("training_begun")) == 7


def test_a_model_that_cannot_be_sent_is_trained_here_with_a_remark(caplog, tmp_path):
    with caplog.at_level(logging.WARNING):
        found = find(lambda rng: plain(rng), workers=2, trials=2, rounds=0)
    assert "trainings run one after another: the model cannot be sent to another process" in caplog.text
    assert len(found.trials) == 2


# -- endings


def flags(seed=0, trials=3):
    return [float(Fragile(0, stream(seed, trial, "init")).flag.data[0]) for trial in range(trials)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_diverging_trial_does_not_keep_the_others_from_their_end(workers, out):
    drawn = flags()
    bad = drawn.index(min(drawn))
    limit = sum(sorted(drawn)[:2]) / 2
    with pytest.raises(DivergenceError, match=f"^trial {bad}, round 0: the training loss is nan.* are in {out}$"):
        find(functools.partial(Fragile, limit), out=out, controls="none", workers=workers, **THREE)
    result = tt.load(out)
    assert {trial.number: len(trial.rounds) for trial in result.trials} == {
        trial: 2 for trial in range(3) if trial != bad
    }
    assert result.diverged == {str(bad): 0}  # so that nobody takes it for deleted
    checks = verify(result, data=DATA, model=functools.partial(Fragile, limit), threads=1)
    assert [check.failures for check in checks if check.failures] == []


def test_a_trial_before_others_may_be_missing_and_come_later(out):
    several = {"trials": 2, "rounds": 1, "controls": "none"}
    with pytest.raises(
        DivergenceError, match=r"^trial 0, round 0: .*; trial 1, round 0 diverged too; no round was fin"
    ):
        find(functools.partial(Fragile, 2), **several)
    seed, drawn = next((seed, found) for seed in range(20) if (found := flags(seed, 2))[0] < found[1])
    with pytest.raises(DivergenceError):
        find(functools.partial(Fragile, sum(drawn) / 2), out=out, seed=seed, **several)
    result = tt.load(out)
    assert [trial.number for trial in result.trials] == [1]
    assert result.verdict["text"]
    assert result.init(1)
    with pytest.raises(InputError, match="there is no trial 0"):
        result.init(0)
    find(functools.partial(Fragile, 0), out=out, seed=seed, **several)
    find(functools.partial(Fragile, 0), out=out.with_name("whole.h5"), seed=seed, **several)
    assert differing(contents(out), contents(out.with_name("whole.h5"))) == []


def test_what_a_killed_worker_did_is_done_again(out, monkeypatch, caplog):
    """Each process dies in its second training."""
    find(dying, out=out, trials=2, rounds=1, workers=1)
    monkeypatch.setenv("DIES_AT", str(SMALL["iterations"] + 7))
    again = out.with_name("again.h5")
    with caplog.at_level(logging.WARNING):
        find(dying, out=again, trials=2, rounds=1, workers=2)
    assert re.search(r"a worker has died, while training trial \d, round \d.*; what it did is begun again", caplog.text)
    assert differing(contents(again), contents(out)) == []


def test_a_training_whose_worker_dies_three_times_is_named_and_what_was_finished_is_kept(out, monkeypatch):
    find(dying, out=out, trials=1, rounds=0, controls="random")
    monkeypatch.setenv("DIES_AT", "3")
    with pytest.raises(
        WorkerError, match=r"^trial 0, round 1.*: its process has died 3 times.*; the finished rounds are in"
    ):
        find(dying, out=out, trials=1, rounds=1, controls="random", workers=2)
    assert [len(trial.rounds) for trial in tt.load(out).trials] == [1]


def test_an_executor_of_the_users_whose_workers_die_is_not_tried_again(out, monkeypatch):
    monkeypatch.setenv("DIES_AT", "3")
    died = pytest.raises(
        WorkerError, match=r"^trial 0, round 0: its process has died: killed, or out of memory; no round"
    )
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor, died:
        find(dying, out=out, rounds=0, executor=executor, workers=2)


def test_ctrl_c_while_workers_are_started_ends_them(monkeypatch):
    import loky

    started = []

    class Interrupted(loky.ProcessPoolExecutor):
        def submit(self, *what):
            signal.raise_signal(signal.SIGINT)  # which is held back
            future = super().submit(*what)
            started.extend(self._processes.values())
            return future

    monkeypatch.setattr(loky, "ProcessPoolExecutor", Interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            find(workers=2, **THREE)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(started) == 2
    assert not any(process.is_alive() for process in started)


def test_a_bug_in_a_model_shows_where_it_is(monkeypatch):
    monkeypatch.setenv("DIES_AT", "-3")
    with pytest.raises(ZeroDivisionError) as caught:
        find(dying, trials=2, rounds=0, workers=2)
    assert "networks.py" in str(caught.value.__cause__)


# -- scripts that nobody guarded

SCRIPT = """
import sys
import tinyticket as tt
from tests.lottery.experiments import SMALL, clusters

print("begins", flush=True)

class Mine(tt.nn.Sequential):
    pass

model = {model}
result = tt.lottery.find(model, clusters(), workers=2, **dict(SMALL, trials=2, rounds=0))
print(len(result.trials))
"""


@pytest.mark.parametrize(
    ("model", "remark"),
    [
        ('"mlp-12-16-8-3"', ""),
        (
            "Mine(tt.nn.Linear(12, 3, rng=0))",
            "trainings run one after another: the model cannot be sent to another process",
        ),
    ],
)
def test_a_script_without_a_guard_runs_once(model, remark, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(model=model))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, done.stdout) == (0, "begins\n2\n"), done.stderr
    assert (remark in done.stderr) if remark else done.stderr == ""


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": -2}])
def test_workers_are_at_least_one(wrong):
    with pytest.raises(InputError, match="workers are at least 1"):
        find(data=DATA, **wrong)


def test_processes_are_started_for_work_of_some_seconds_only():
    for iterations, expected in ((20, 1), (10_000_000, 2)):
        experiment = tt.lottery.Experiment(
            "mlp-12-16-8-3", DATA, **dict(SMALL, iterations=iterations), workers=None, threads=2
        )
        assert processes(experiment, 1) == expected
    assert processes(tt.lottery.Experiment("mlp-12-16-8-3", DATA, **SMALL, workers=2, threads=2), 1) == 2


def test_methods_have_work_for_a_process_a_round_beside_the_dense_network():
    own = {"method": "rigl", "update_every": 5}
    rounds = {"rounds": None, "one_shot": "0.5,0.2", "controls": "none", "workers": 5, "threads": 5}
    assert processes(tt.lottery.Experiment("mlp-12-16-8-3", DATA, **(SMALL | own | rounds)), 1) == 3
