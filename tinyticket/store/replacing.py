"""Give a file new content in one step: it is written beside it and brought to disk, and then takes its name."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tinyticket import filesystem
from tinyticket.errors import InputError


def put(path: Path, write: Callable[[IO[bytes]], object], of: Path | None = None) -> None:
    """Let a file have what `write` writes, all of it or, with an OSError, as before.

    Whoever may read the file that it is `of` may read it.
    """
    file = of or path
    copy = file.with_name(f".{file.name}.{secrets.token_hex(8)}.partial")
    try:
        with open(copy, "xb") as stream:  # a new file: nothing that lies there is written through
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if file.is_file():
            copy.chmod(stat.S_IMODE(file.stat().st_mode))
        os.replace(copy, path)
    except BaseException:
        with contextlib.suppress(OSError):
            copy.unlink(missing_ok=True)
        raise
    filesystem.sync_folder(path.parent)


@contextlib.contextmanager
def system_errors(name: object, what: str = "read", rest: str = "") -> Iterator[None]:
    """Raise InputError where the system refuses something: that `name` cannot be read, or whatever else was attempted, and why."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{name} cannot be {what}: {first_line(error)}{rest}") from error


def check_writable(path: Path) -> None:
    """Raise InputError if what a path names is there and is no file that may be replaced."""
    if path.exists() and not path.is_dir():
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} cannot be written: it is no ordinary file")
        if not mode & 0o222:
            raise InputError(f"{path} cannot be written: it is read-only")


def remove_partial(path: Path) -> None:
    """Remove what killed runs have left beside a file."""
    remove_matching(path.parent, rf"\.{re.escape(path.name)}(\.[0-9a-f]{{16}})?\.partial")


def remove_matching(folder: Path, pattern: str) -> None:
    """Remove the files of a folder whose whole names match a pattern, as far as the system lets them be removed."""
    for name in os.listdir(folder):
        if re.fullmatch(pattern, name):
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def identity(file: Path | int) -> tuple | None:
    """Return what is another for any other file of that name, and after any change; None if there is none."""
    try:
        status = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def first_line(error: BaseException) -> str:
    """Return what an error says, in a line."""
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
