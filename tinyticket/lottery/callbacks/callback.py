"""The events of an experiment, and how several callbacks are told them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tinyticket.errors import InputError
from tinyticket.store.replacing import system_errors

if TYPE_CHECKING:
    from tinyticket.lottery.jobs.job import Training


class Callback:
    """Is told the events of an experiment, and ignores them; subclass it and override the events of interest.

    Several trainings may be under way at once; each is named by trial, round, control and density. Only what is trained now is
    told, not the rounds that a file holds already, and once, also where a worker has died and its training is done again. An
    exception ends the run. With several workers `committed` is called in other threads than the rest.

    Examples
    --------
    Print accuracies as they are measured:

    >>> import tinyticket as tt
    >>> class PrintAccuracy(tt.lottery.Callback):
    ...     def evaluated(self, training, row):
    ...         print(f"{training}, iteration {row['iteration']}: {row['validation_accuracy']:.1%}")
    >>> result = tt.lottery.find(rounds=0, trials=1, iterations=20, callbacks=PrintAccuracy())
    trial 0, round 0, iteration 0: 15.0%
    trial 0, round 0, iteration 20: 83.5%
    """

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        """A run has begun: `trainings` of `iterations` each, of which `done` are in the file already."""

    def training_begun(self, training: Training) -> None:
        """A training has begun."""

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        """A training has a new row of its history: iteration, losses and accuracies (docs/format.md)."""

    def training_ended(self, training: Training, scalars: dict[str, Any]) -> None:
        """A training has ended, with the numbers that stand in the file."""

    def untrained(self, training: Training, scalars: dict[str, Any]) -> None:
        """A network has been evaluated as it is, which is no training; with the numbers that stand in the file."""

    def committed(self, trial: int, round: int) -> None:
        """A round with its controls is safe in the file."""

    def run_ended(self) -> None:
        """A run that had begun has ended, also by an error."""


def in_order(callbacks: Callback | Iterable[Callback]) -> Callback:
    """Return one callback that tells each of several; InputError if something given is none."""
    if isinstance(callbacks, Callback):
        return callbacks
    several = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in several:
        if not isinstance(callback, Callback):
            raise InputError(f"callbacks: expected tt.lottery.Callback objects, got {callback!r}")
    return several[0] if len(several) == 1 else Callbacks(several)


def writing(path: str | os.PathLike) -> contextlib.AbstractContextManager[None]:
    """Raise an InputError that names the path of a log where the system refuses to open, write or close it."""
    return system_errors(f"the log {os.fspath(path)}", "written")


def _to_each(event: str) -> Any:
    """Return a method that tells each of several callbacks an event."""

    def tell(self: Callbacks, *what: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*what)

    return tell


class Callbacks(Callback):
    """Tells several callbacks every event, one after the other.

    Each that was told that a run has begun is told its end, also where another one raises.
    """

    def __init__(self, callbacks: Iterable[Callback]):
        self.callbacks = tuple(callbacks)

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        with contextlib.ExitStack() as begun:
            for callback in self.callbacks:
                callback.run_begun(trainings, iterations, done)
                begun.callback(callback.run_ended)
            begun.pop_all()

    training_begun, evaluated = _to_each("training_begun"), _to_each("evaluated")
    training_ended, untrained = _to_each("training_ended"), _to_each("untrained")
    committed = _to_each("committed")

    def run_ended(self) -> None:
        with contextlib.ExitStack() as ends:
            for callback in reversed(self.callbacks):  # a stack calls the last one first
                ends.callback(callback.run_ended)
