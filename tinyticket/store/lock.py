"""One run at a time into a result file: a lock beside it, or where a file system has none a file that names its owner.

A lock ends with its process. Where a file system has no locks (some network file systems), a file says which process of which
machine writes; what a dead process of this machine has left is taken over. Under Windows, two runs into one file are not noticed.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tinyticket import filesystem
from tinyticket.errors import InputError, printable
from tinyticket.interruption import deferred


@contextlib.contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold a file against other runs; raise InputError if another one holds it, OSError if nothing can be written beside it."""
    with contextlib.ExitStack() as stack:
        with deferred():  # a signal is heard when the lock is sure to be given back
            stack.enter_context(_taken(file))
        yield


@contextlib.contextmanager
def _taken(file: Path) -> Iterator[None]:
    beside = file.with_name(f".{file.name}.lock")
    while True:
        lock, locked = filesystem.open_own(beside), True
        try:
            if not filesystem.lock(lock):
                lock.close()
                raise InputError(f"{file} is being written by another process; wait for it, or choose another file")
        except InputError:
            raise
        except OSError:
            locked = False
        # Its last holder may have removed the file between our opening and locking it: then this lock guards nothing.
        if not filesystem.LOCKS or (beside.exists() and os.path.samestat(os.fstat(lock.fileno()), beside.stat())):
            break
        lock.close()
    try:
        with contextlib.nullcontext() if locked else _owned(file):
            yield
    finally:
        with deferred(), contextlib.suppress(OSError), lock:  # left behind, it harms nobody
            filesystem.remove_open(lock, beside)


@contextlib.contextmanager
def _owned(file: Path) -> Iterator[None]:
    """Hold a file by another one that names this process."""
    owner = file.with_name(f".{file.name}.owner")
    while True:
        try:
            with open(owner, "x", encoding="utf-8") as stream:
                stream.write(f"{socket.gethostname()} {os.getpid()}\n")
            break
        except FileExistsError:
            machine, process = _read(owner)
            if machine == socket.gethostname() and not _lives(process):
                owner.unlink(missing_ok=True)
                continue
            raise InputError(
                f"{file} is being written by process {process} of {machine}; wait for it, or if it has ended remove {owner}"
            ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a later run of this machine takes it over
            owner.unlink()


def _read(owner: Path) -> tuple[str, int]:
    """Return machine and process of a file that names them; process 0 if it does not."""
    with contextlib.suppress(OSError), filesystem.open_own(owner) as stream:
        machine, _, process = stream.read(300).decode(errors="replace").strip().rpartition(" ")
        return printable(machine), int(process) if process.isascii() and process.isdecimal() else 0
    return "?", 0


def _lives(process: int) -> bool:
    """Whether a process of this machine lives, as far as this one can tell."""
    try:
        os.kill(process or os.getpid(), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True
