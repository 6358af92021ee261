"""What Linux and Windows do differently with files: locks, files that are open, and folders on disk.

A lock ends with the handle that took it, or with its process, however that ends: a killed run leaves none behind. Where the
system has no such locks (Windows), nothing is locked, open files can be neither renamed nor removed, and folders not opened.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not on this system
    fcntl = None  # type: ignore[assignment]

LOCKS = fcntl is not None
"""Whether this system locks files."""


def open_own(path: Path) -> IO[bytes]:
    """Open a file of this program's own beside a user's, made if it is not there, and leave in it what it holds.

    Raises
    ------
    OSError
        If the name stands for a link, which is not followed, or anything else than an ordinary file.
    """

    def opener(path: str, _: int) -> int:
        flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
        own = sum(getattr(os, flag, 0) for flag in flags)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | own, 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EEXIST, "its lock is no ordinary file")
        return descriptor

    return open(path, "r+b", opener=opener)


def lock(file: IO) -> bool:
    """Lock an open file for this handle alone; return False if another handle has it, True where this system locks nothing.

    Raises
    ------
    OSError
        If the file system has no locks; some say then that another handle has each.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with tempfile.TemporaryFile(dir=Path(file.name).parent) as fresh:
                fcntl.flock(fresh, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody else can have this one
            return False
    return True


def rename_open(file: IO, path: Path, target: Path) -> None:
    """Give an open file another name; it is closed before where the system wants that."""
    _release(file)
    path.replace(target)


def remove_open(file: IO, path: Path) -> None:
    """Remove an open file, if it is still there; it is closed before where the system wants that."""
    _release(file)
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk, where the system lets folders be opened."""
    if not LOCKS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _release(file: IO) -> None:
    if not LOCKS:
        file.close()
