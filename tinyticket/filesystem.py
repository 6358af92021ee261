"""What Linux and Windows do differently with files: locks, files that are open, and folders on disk.

A lock ends with the handle that took it, or with its process, however that ends: a killed run leaves none behind. Where the
system has no such locks (Windows), nothing is locked, open files can be neither renamed nor removed, and folders not opened.
"""

from __future__ import annotations

import contextlib
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


COPIED_AT_ONCE = 16 << 20


def open_own(path: Path, writable: bool = True) -> IO[bytes]:
    """Open a file of this program's own beside a user's, and leave in it what it holds; a writable one is made if it is not there.

    Raises
    ------
    OSError
        If the name stands for a link, which is not followed, or anything else than an ordinary file.
    """

    def opener(path: str, _: int) -> int:
        flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
        own = sum(getattr(os, flag, 0) for flag in flags)
        descriptor = os.open(path, own | (os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY), 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EEXIST, "it is no ordinary file")
        return descriptor

    return open(path, "r+b" if writable else "rb", opener=opener)


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


def copy_bytes(source: IO[bytes], start: int, target: IO[bytes], count: int) -> None:
    """Write bytes of a file into another one, by the system where it can: some file systems then share them."""
    place = target.tell()
    if hasattr(os, "copy_file_range"):
        with contextlib.suppress(OSError):  # if the system cannot, or what else it has to say, it says again below
            files = source.fileno(), target.fileno()
            while count and (done := os.copy_file_range(*files, min(count, COPIED_AT_ONCE), start, place)):
                start, place, count = start + done, place + done, count - done
    source.seek(start)
    target.seek(place)
    while count:
        content = source.read(min(count, COPIED_AT_ONCE))
        if not content:
            raise OSError("it has become shorter meanwhile")
        target.write(content)
        count -= len(content)


def _release(file: IO) -> None:
    if not LOCKS:
        file.close()
