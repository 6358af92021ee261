"""Windows's habits with files, on another system: nothing is locked, open files stay where they are, folders are not opened."""

import errno
import os
import shutil
from pathlib import Path

OPEN_FILES = Path("/proc/self/fd")  # Linux's list of them; without it open files may be moved as ever


def install(put=setattr):
    """Have this process's files behave so; `put` sets an attribute of a module, as `monkeypatch.setattr` does."""
    from tinyticket import filesystem

    put(filesystem, "fcntl", None)
    put(filesystem, "LOCKS", False)
    for name in ("rename", "replace", "remove", "unlink"):
        put(os, name, _refusing(getattr(os, name), _is_open))
    put(os, "open", _refusing(os.open, os.path.isdir))
    put(shutil, "_use_fd_functions", False)  # whole folders are removed by names, not through folders that are open


def _refusing(function, refuses):
    def refusing(path, *arguments, **options):
        if refuses(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return function(path, *arguments, **options)

    return refusing


def _is_open(path):
    if not OPEN_FILES.exists():
        return False
    here = os.path.realpath(path)
    return any(os.path.realpath(file) == here for file in OPEN_FILES.iterdir())
