"""Calling the command line: within the process, and as a program where signals and limits are the matter."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinyticket
from tests.lottery.experiments import DATA, MODEL, SMALL

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(tinyticket.__file__).parents[1]), "COLUMNS": "100"}


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """What is written to it believes that it is seen by people."""

    def isatty(self):
        return True


def one_sentence(outcome: Outcome) -> str:
    """Return the sentence with which a command refused its input, and check that it did nothing else."""
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("tinyticket: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith("\n")
    return outcome.err.removeprefix("tinyticket: ").strip()


def save_npz(path, data=DATA):
    np.savez(path, x_train=data.x_train, y_train=data.y_train, x_test=data.x_test, y_test=data.y_test)
    return path


def find_arguments(npz, out, *more, **changes) -> list[str]:
    """Return the small experiment as a command; a setting that is None is not mentioned."""
    settings = {"model": MODEL, **SMALL, **changes, "data": npz, "out": out}
    given = [(f"--{name.replace('_', '-')}", str(value)) for name, value in settings.items() if value is not None]
    return ["find", *(word for pair in given for word in pair), *map(str, more)]


def hear_ctrl_c():
    """Undo what a shell, or nohup, does to programs that it starts in the background: they would never hear Ctrl-C or a hang-up."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(arguments, **options) -> subprocess.Popen:
    """Start the program with both its outputs in pipes."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    options = {**pipes, "env": ENVIRONMENT, "preexec_fn": hear_ctrl_c, **options}
    return subprocess.Popen([sys.executable, "-m", "tinyticket", *map(str, arguments)], **options)


def call(arguments, **options) -> Outcome:
    """Run the program to its end."""
    process = start(arguments, **options)
    out, err = process.communicate(timeout=60)
    waiting = r"^tinyticket: .* \.\.\.\n"  # what a slow machine is told
    return Outcome(process.returncode, out, re.sub(waiting, "", err or "", flags=re.M))
