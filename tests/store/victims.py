"""Runs of the program that a signal ends in a commit or a checkpoint: `python -m tests.store.victims SIGNALS [FIRST]`.

This process imports everything once and forks each run: a process of its own, with files, locks and signals as ever. Trainings are
written down after every call of their step, and are as short as they can be, so that a run does little else than write. A run is
ended before or after one of the calls of the system that change something on disk (`tests.store.faults`), or at some instant of the
time that it computes, and begun again, until it comes to its end; then the next experiment's turn comes, by a file that is replaced
or through a journal.

After each signal the file holds every round that it held before, whole. A run that may speak says in one sentence that it was
stopped, and leaves no lock. At the end there are the bits of an undisturbed run, and nothing beside them.
"""

import gc
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import tinyticket as tt
import tinyticket.cli
from tests.cli.commands import find_arguments, save_npz
from tests.lottery.experiments import contents, differing, find
from tests.store.faults import Faults
from tinyticket.__main__ import main as program
from tinyticket.lottery.keeper import VARIABLE
from tinyticket.store import archive

COMMON = {"model": "mlp-12-3", "iterations": 8, "evaluate_every": 4, "rounds": 1, "controls": "none", "threads": 1}
KINDS = {
    "adam": {"controls": "random"},
    "late": {"rewind_to": 3, "rounds": 2, "optimizer": "momentum", "test_at": "minima"},
    "continue": {"strategy": "continue", "rounds": 2},
    "trials": {"trials": 3},
    "layers": {"model": "mlp-12-8-3"},
    "rigl": {"method": "rigl", "rounds": None, "one_shot": 0.2, "update_every": 2, "controls": "static"},
}
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
SECONDS = 20
"""A run that computes longer hangs, and so does one that takes thirty times as long: the machine may have other work."""

DEAF = 0.02
"""Seconds of computing after which a run hears signals."""

DRAWN = [signal.SIGKILL] * 10 + [signal.SIGTERM, signal.SIGINT]


class Life:
    """One experiment's file, from its beginning to its end."""

    def __init__(self, folder: Path, npz: Path, kind: str, has_journal: bool):
        self.path, self.said = folder / "ticket.h5", folder.with_suffix(".said")
        self.arguments = [*find_arguments(npz, self.path, "--quiet", **COMMON | KINDS[kind])]
        self.has_journal, self.rounds = has_journal, 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def start(self, faults: Faults | None = None) -> int:
        """Fork a run, and return its number."""
        sys.stdout.flush()
        if number := os.fork():
            return number
        code = 99
        try:
            for stream, target in ((1, os.devnull), (2, self.said)):
                os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            signal.alarm(30 * SECONDS)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell has background programs ignore
            archive.JOURNAL_FROM = 0 if self.has_journal else 1 << 30
            sys.argv = ["tinyticket", *map(str, self.arguments)]
            if faults:
                faults.install()
            program()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            if faults and faults.kind == "count":
                self.said.write_text(str(faults.count))
            os._exit(code)

    def measure(self) -> tuple[int, float]:
        """Return the number of calls of the system with which an undisturbed run changes the disk, and its seconds of computing."""
        code, seconds = ended(self.start(Faults("count", 0)))
        assert code == 0, (code, self.said.read_text())
        return int(self.said.read_text()), seconds

    def finish(self, whole: dict) -> None:
        """Compare what a run that came to its end has left."""
        assert differing(contents(self.path), whole) == []
        assert os.listdir(self.path.parent) == [self.path.name]

    def check(self, number: signal.Signals, before: set[str]) -> None:
        """Look at what a run has left that was ended by a signal, beside what was there before."""
        said, new = self.said.read_text(), {*os.listdir(self.path.parent)} - before
        assert "Traceback" not in said, said
        assert "begins anew" not in said, said
        if number != signal.SIGKILL:
            assert said.splitlines()[-1].startswith("tinyticket: stopped"), said
            assert not [name for name in new if name.endswith((".lock", ".partial"))], new
        if not self.path.exists():
            assert not self.rounds
            return
        result = tt.load(self.path)
        found = [round for trial in result.trials for round in trial.rounds]
        assert len(found) >= self.rounds, f"{self.rounds} rounds were there, {len(found)} are"
        digests = result.digests  # which reads all that there is
        assert {place: digests.found[place] for place in digests.recorded} == digests.recorded
        self.rounds = len(found)


def ended(number: int) -> tuple[int, float]:
    """Wait for a run, and return its exit code and how many seconds it has computed."""
    _, status, used = os.wait4(number, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def wait_until_computed(number: int, seconds: float) -> None:
    """Wait until a run has computed so long, or has ended: how long that takes depends on what else the machine does."""
    clock = (~number << 3) | 2  # as Linux numbers the clocks of processes
    while time.clock_gettime(clock) < seconds:
        if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.0005)


def disturb(life: Life, dice: random.Random, calls: int, seconds: float, rounds: int) -> signal.Signals | None:
    """Send one run a signal; return that, or None if the run came to its end before.

    An undisturbed run of so many rounds makes so many calls in so many seconds.
    """
    before, left = {*os.listdir(life.path.parent)}, dice.random() * (1 - life.rounds / (rounds + 1))
    number, way = dice.choice(DRAWN), dice.choice(("before", "after", "instant"))
    if way == "instant":
        run = life.start()
        wait_until_computed(run, max(left * seconds, DEAF))
        os.kill(run, number)
    else:
        run = life.start(Faults(way, int(left * calls), number))
    code, _ = ended(run)
    if code == 0:
        return None
    assert code == CODES[number], (code, number, way, life.said.read_text())
    life.check(number, before)
    return number


def main(signals: int, first: int = 0) -> None:
    """Send so many signals, by dice of a seed."""
    os.environ[VARIABLE] = "0"
    dice, counts, known = random.Random(first), Counter(), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        npz = save_npz(folder / "mine.npz")
        while counts.total() < signals:  # and as many more as the last file's end takes
            kind, has_journal, seed = dice.choice([*KINDS]), dice.random() < 0.5, dice.random()
            if kind not in known:
                undisturbed = find(data=str(npz), out=folder / f"{kind}.h5", **COMMON | KINDS[kind])
                assert undisturbed.verdict["text"]  # which loads what a run needs for it
                known[kind] = contents(undisturbed.path)
                known[kind, "rounds"] = sum(len(trial.rounds) for trial in undisturbed.trials)
                gc.freeze()  # what lives longer than a run needs no look in each
            life = Life(folder / "life", npz, kind, has_journal)
            try:
                if (kind, has_journal) not in known:
                    known[kind, has_journal] = (*life.measure(), known[kind, "rounds"])
                    life = Life(folder / "life", npz, kind, has_journal)
                own = random.Random(seed)
                while number := disturb(life, own, *known[kind, has_journal]):
                    counts[number.name] += 1
                life.finish(known[kind])
            except BaseException:
                print(f"{kind}, journal {has_journal}, dice {seed}, after {dict(counts)}", file=sys.stderr)
                raise
    print(f"stopped {', '.join(f'{count} times by {name}' for name, count in sorted(counts.items()))}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
