"""Keep a file whole at every instant.

HDF5 has no journal: a process killed while it writes leaves a file that may not open, and a full disk crashes it. So HDF5 only ever
writes to memory: a round is added to an image of the file, the image is brought to disk under another name, and then takes the
file's name in one step. Whatever happens, the name stands for the old state or the new.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
from h5py import h5g

from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.store.layout import check_format
from tinyticket.store.lock import held
from tinyticket.store.reading import Group, Ledger, Source


class Archive:
    """A result file, or without a path the same thing in memory.

    Parameters
    ----------
    path
        Where the file is or shall be; None keeps it in memory.
    """

    def __init__(self, path: str | os.PathLike | None = None):
        self.path = None if path is None else Path(path)
        self._image: bytes = b""
        self._ledger: Ledger | None = None
        self._state: Any = None  # of the file that the ledger is about
        self._checked = False
        self._held = False  # against other runs
        self._own: tuple | None = None  # while it is held, the identity of the file that this object wrote or found

    @property
    def name(self) -> str:
        """How messages call it."""
        return "the result" if self.path is None else str(self.path)

    @property
    def exists(self) -> bool:
        """Whether anything has been committed."""
        return bool(self._image) if self.path is None else self.path.exists()

    @contextlib.contextmanager
    def read(self) -> Iterator[Group]:
        """Open for reading; gives the group that everything is in.

        Raises
        ------
        InputError
            If it does not exist, is no HDF5 file or a damaged one, or is not tinyticket's; if it is held and another program
            has replaced it.
        """
        self._check_own()
        if self.path is not None and not os.path.isfile(self.path):  # which copes with names that are too long
            folder, there = os.path.isdir(self.path), os.path.exists(self.path)
            what = "is a folder" if folder else "is no file" if there else "does not exist"
            raise InputError(f"{self.path} {what}; expected a result file")
        with self._opened(io.BytesIO(self._image) if self.path is None else self.path) as file:
            state: Any = len(self._image)
            if self.path is not None:
                state = _identity(file.id.get_vfd_handle())
            known = (
                self._ledger if state == self._state else None
            )  # else another file has taken its place, or it has grown
            ledger = known or Ledger(file.id.get_filesize())
            root = Source(file, self.name, ledger, None if self.path else self._image).root
            if known is None:
                check_format(root, self.name)
                self._ledger, self._state = ledger, state
            yield root

    def _opened(self, content: Path | io.BytesIO) -> h5py.File:
        try:
            file = h5py.File(content, "r")
            h5g.open(file.id, b"/")
            return file
        except Exception as error:  # of many classes, if a file is damaged
            raise InputError(f"{self.name} cannot be read as an HDF5 file: {_first_line(error)}") from None

    def commit(self, write: Callable[[h5py.File], None]) -> None:
        """Add to the file what `write` writes, all of it or nothing.

        Raises
        ------
        InputError
            If the disk is full or the folder cannot be written; the file is as it was before. If the file is damaged, or is held
            and another program has replaced it.
        """
        image = self._bytes() if self.exists else b""
        self._check_own()
        buffer = io.BytesIO(image)
        if image and not self._checked:  # what this object writes itself needs no check
            with self._opened(io.BytesIO(image)) as file:
                Source(file, self.name, Ledger(len(image)), image).root.check()
        try:
            with h5py.File(buffer, "r+" if image else "w") as file:
                write(file)
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            if image and "Unable to" in str(
                error
            ):  # so HDF5 begins what it has to say against damage that no reader meets
                raise InputError(f"{self.name} is damaged: {_first_line(error)}") from error
            raise
        if self.path is None:
            self._image = buffer.getvalue()
        else:
            replace(self.path, buffer.getbuffer(), over_result=True)
            self._own = _identity(self.path)
        self._checked = True

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against a second run, and make sure that it can be written before hours of training.

        Raises
        ------
        InputError
            If another process holds it, or nothing can be written there.
        """
        if self.path is None:
            yield
            return
        whole = Path(os.path.realpath(self.path))  # however it was named: through a link it is the same file
        try:
            if whole.is_dir():
                raise InputError(f"{self.path} is a folder; give the name of a file")
            _check_writable(whole)
            with contextlib.ExitStack() as begun:
                begun.enter_context(held(whole))
                _remove_partial(whole)
                stack = begun.pop_all()
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {_first_line(error)}") from None
        with stack:
            self._held, self._own = True, _identity(self.path)
            try:
                yield
            finally:
                self._held = False

    def _check_own(self) -> None:
        """Raise InputError if another program has taken a file that is held away, or has put or written something else there."""
        if self.path is None or not self._held or (now := _identity(self.path)) == self._own:
            return
        if now is None:
            raise InputError(f"{self.path} has disappeared while the experiment ran; its finished rounds went with it")
        raise InputError(
            f"{self.path} has been replaced or changed by another program while the experiment ran, and is left as it is: "
            "put the experiment's own file back and run the same command again, or choose another file"
        )

    def save(self, path: str | os.PathLike, force: bool = False) -> None:
        """Write a copy to another path, in one step; `force` replaces what is there, but never a result file."""
        check_free(path, force)
        replace(Path(path), self._bytes())

    def _bytes(self) -> bytes:
        return self._image if self.path is None else self.path.read_bytes()


def check_free(path: str | os.PathLike, force: bool = False) -> None:
    """Raise InputError unless a file may be written to a path.

    There is none yet, or one that `force` gives up; it is neither read-only nor a result file, which only its experiment writes.
    """
    whole = Path(os.path.realpath(path))
    _check_writable(whole)
    if _is_result(whole):
        raise InputError(f"{path} is a result file, which only its experiment goes on writing; choose another name")
    if not force and whole.is_file():
        raise InputError(f"{path} is there already; choose another name, or have it replaced with --force")


def replace(path: Path, content: bytes | memoryview, over_result: bool = False) -> None:
    """Give a file new content in one step: it is written beside it and brought to disk, and then takes its name.

    Raises
    ------
    InputError
        If that cannot be done, or the file is read-only, or a result file where `over_result` is not set; it is as it was before.
    """
    path = Path(os.path.realpath(path))  # of a link, what it points to is replaced
    if over_result:
        _check_writable(path)
    else:
        check_free(path, force=True)
    copy = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        try:
            with open(copy, "xb") as stream:  # a new file: nothing that lies there is written through
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if path.is_file():
                copy.chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(copy, path)
        except BaseException:
            with contextlib.suppress(OSError):
                copy.unlink(missing_ok=True)
            raise
        filesystem.sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {_first_line(error)}; what it held before is untouched") from error


def _identity(file: Path | int) -> tuple | None:
    """Return what is another for any other file of that name, and after any change; None if there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_writable(path: Path) -> None:
    """Raise InputError if what a path names is there and is no file that may be replaced."""
    if path.exists() and not path.is_dir():
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} cannot be written: it is no ordinary file")
        if not mode & 0o222:
            raise InputError(f"{path} cannot be written: it is read-only")


def _is_result(path: Path) -> bool:
    """Whether a path names a result file."""
    try:
        with Archive(path).read():
            return True
    except InputError:
        return False


def _remove_partial(path: Path) -> None:
    """Remove what killed runs have left beside a file."""
    ours = re.compile(rf"\.{re.escape(path.name)}(\.[0-9a-f]{{16}})?\.partial")
    for name in os.listdir(path.parent):
        if ours.fullmatch(name):
            with contextlib.suppress(OSError):
                path.with_name(name).unlink()


def _first_line(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
