"""The program ended by signals: finished rounds are always whole, and the same command ends where it would have.

TINYTICKET_FUZZ_SIGNALS says how many signals forked runs are sent (and the seed of the dice: "10000 7"); TINYTICKET_FUZZ_KILLS, how
many those that are started as users do it, with one worker and with two, whose trainings take longer.
"""

import functools
import os
import random
import signal
import subprocess
import sys
import time

from tests.cli.commands import ENVIRONMENT, call, find_arguments, start
from tests.lottery.experiments import contents, differing, find
from tinyticket.lottery.keeper import VARIABLE

KILLS = int(os.environ.get("TINYTICKET_FUZZ_KILLS", "2"))
SIGNALS = os.environ.get("TINYTICKET_FUZZ_SIGNALS", "")
LONG = {"model": "mlp-12-200-100-3", "iterations": 6000, "evaluate_every": 400, "rounds": 1, "controls": "random"}
KINDS = {
    "adam": {},
    "late": {"rewind_to": 2500, "optimizer": "momentum", "test_at": "minima"},
    "rigl": {"method": "rigl", "rounds": None, "one_shot": 0.2, "controls": "static"},
}
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


def test_forked_runs_ended_in_commits_and_checkpoints_lose_nothing():
    command = [sys.executable, "-m", "tests.store.victims", *(SIGNALS.split() or ["15"])]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stopped"), done.stdout
    print(done.stdout)


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
