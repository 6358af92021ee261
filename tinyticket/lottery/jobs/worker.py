"""What a process does that trains for another one: it loads the workshop once, does jobs, and notes what happens in a file."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import IO, Any

from threadpoolctl import threadpool_limits

from tinyticket.interruption import ENDING
from tinyticket.lottery.jobs.folder import full
from tinyticket.lottery.jobs.job import Job, Workshop, cpu
from tinyticket.lottery.jobs.parcel import unpack
from tinyticket.store import Run

KEPT = 2
"""Workshops that a worker keeps: experiments of a sweep take turns."""

STOP = "stop"
"""The file of the folder that workers share which tells them that the run ends before its time."""

STOPPING = 3.0
"""Seconds that workers have then to write down what they train."""

PATIENCE = 0.5
"""Seconds after which a worker notices that its parent is gone."""


def begin(parent: int) -> None:
    """Begin as a process that belongs to another one: signals are for that one, and this one ends when it has been killed."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # standard error is closed
        os.dup2(2, 1)  # what a model of the user's own prints is no result
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PATIENCE)
    os._exit(1)


Parcel = str | tuple[str, bytes]
"""Where a worker finds the workshop: a folder that both sides see, or a key and its contents."""

_own = threading.local()  # workers of some executors are threads of one process, and each trains a network of its own


def workshop(parcel: Parcel) -> Workshop:
    """Return the workshop of an experiment, loaded once while few others are asked for."""
    key = parcel if isinstance(parcel, str) else parcel[0]
    loaded: dict[str, Workshop] = _own.__dict__.setdefault("workshops", {})
    if key not in loaded:
        threadpool_limits(1, user_api="blas")  # for good: threads of one process that set and restore it would cross
        contents = unpack(Path(parcel)) if isinstance(parcel, str) else pickle.loads(parcel[1])
        if len(loaded) >= KEPT:
            del loaded[next(iter(loaded))]
        loaded[key] = Workshop(*contents)
    return loaded[key]


def prepare(parcel: Parcel) -> str | None:
    """Load the workshop; return why it cannot be, or None."""
    try:
        workshop(parcel)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def do(parcel: Parcel, notes: str, job: Job, threads: int) -> Run:
    """Do a job, and note that it has begun, what its evaluations show, and remarks, where the other side may read it."""
    shop = workshop(parcel)
    with open(notes if os.path.isdir(os.path.dirname(notes)) else os.devnull, "a", buffering=1) as file:
        note: Callable[..., None] = functools.partial(_note, file)
        remarks = _Remarks(note)
        logging.getLogger().addHandler(remarks)
        note("begun")
        try:
            watch = functools.partial(note, "evaluated") if job.start.trains else lambda row: None
            stop = os.path.join(os.path.dirname(notes), STOP)
            run = shop.do(job, threads, watch, lambda: os.path.exists(stop))
            return dataclasses.replace(run, cpu=cpu())
        finally:
            logging.getLogger().removeHandler(remarks)


def stop(folder: Path, trainings: list[Future[Run]]) -> None:
    """Have workers that see a folder end what they train, which is written down where it is kept, and wait a little for that."""
    with contextlib.suppress(OSError):
        (folder / STOP).touch()
        wait(trainings, STOPPING)


def _note(file: IO[str], *what: Any) -> None:
    """Write a line of JSON: ["begun"], ["evaluated", row] or ["remark", logger, level, text]."""
    try:
        file.write(json.dumps(what, default=float) + "\n")
    except OSError as error:
        raise full(error) from None


class _Remarks(logging.Handler):
    """Leaves it to the parent what becomes of a remark."""

    def __init__(self, note: Callable[..., None]):
        super().__init__()
        self._write, self._thread = note, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._write("remark", record.name, record.levelno, record.getMessage())
