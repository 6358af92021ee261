"""A small problem, experiments on it that last a fraction of a second, and how to compare what they leave."""

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tinyticket.data import Dataset, from_arrays
from tinyticket.lottery import Callback

MODEL = "mlp-12-16-8-3"
SIZES = {"fc1.weight": 192, "fc2.weight": 128, "output.weight": 24}
SMALL = {
    "rounds": 2,
    "iterations": 20,
    "batch_size": 20,
    "validation": 40,
    "evaluate_every": 5,
    "trials": 1,
    "lr": 0.01,
}
NOT_CONTENTS = {"seconds", "versions", "machine"}  # what two runs of the same experiment may differ in


def clusters(train: int = 200, test: int = 60, seed: int = 0, name: str = "clusters") -> Dataset:
    """Make three overlapping clouds in twelve dimensions."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 12))

    def draw(count):
        labels = rng.integers(0, 3, count)
        return (centres[labels] + rng.normal(size=(count, 12))).astype(np.float32), labels

    return from_arrays(*draw(train), *draw(test), name=name)


DATA = clusters()


def find(model=MODEL, data=DATA, **changes):
    """Run the small experiment with some settings changed; one that is None has the library's default."""
    return tt.lottery.find(model, data, **{**SMALL, **changes})


def every_round(result):
    """Return (trial, round) of everything in a result."""
    return [(trial.number, round) for trial in result.trials for round in trial.rounds]


def equal_bytes(first, second):
    """Whether two states have the same names and, bit for bit, the same values."""
    return first.keys() == second.keys() and all(first[name].tobytes() == second[name].tobytes() for name in first)


def contents(result_or_path, tmp_path=None) -> dict[str, tuple]:
    """Return every dataset and attribute of a result file in a form that compares bit for bit."""
    path = result_or_path
    if isinstance(result_or_path, tt.lottery.Result):
        path = tmp_path / "contents.h5"
        path.unlink(missing_ok=True)
        result_or_path.save(path)
    found = {}

    def note(name, thing):
        for key, value in thing.attrs.items():
            if key not in NOT_CONTENTS:
                value = np.asarray(value)
                found[f"{name}@{key}"] = (value.shape, str(value.dtype), value.tolist())
        if isinstance(thing, h5py.Dataset):
            value = thing[()]
            found[name] = (value.shape, str(value.dtype), value.tobytes())

    with h5py.File(path, "r") as file:
        note("/", file)
        file.visititems(note)
    return found


def differing(first: dict, second: dict) -> list[str]:
    """Return the names under which two contents differ; a short thing to compare with an empty list."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


class Interrupt(Exception):
    """Stands for whatever ends a run before its time."""


class InterruptAt(Callback):
    """Let some events of one kind pass and raise at the next."""

    def __init__(self, kind: str, after: int = 0, error: type[BaseException] = Interrupt):
        self._left, self._error = after, error
        setattr(self, kind, self._count)

    def _count(self, *_):
        if self._left == 0:
            raise self._error
        self._left -= 1


def interrupted(run, times=1, after=0, **options):
    """Run an experiment that is interrupted so many times, each time after so many more rounds, to its end; return its result."""
    for _ in range(times):
        with pytest.raises(Interrupt):
            run(**options, callbacks=InterruptAt("committed", after))
    return run(**options)


class Recorder(Callback):
    """Write down everything that is reported, as (kind, arguments); of trainings begun, which."""

    def __init__(self):
        self.events = []
        for kind in ("run_begun", "training_begun", "evaluated", "untrained", "committed", "run_ended"):
            setattr(self, kind, lambda *arguments, kind=kind: self._note(kind, arguments))

    def _note(self, kind: str, arguments: tuple) -> None:
        self.events.append((kind, tuple(arguments[0]) if kind == "training_begun" else arguments))

    def of(self, kind: str) -> list[tuple]:
        return [arguments for found, arguments in self.events if found == kind]
