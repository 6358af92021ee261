"""Keep a file whole at every instant.

HDF5 has no journal: a process killed while it writes leaves a file that may not open, and a full disk crashes it. So HDF5 only ever
writes to memory: a round is added to an image of the file, the image is brought to disk under another name, and then takes the
file's name in one step. Whatever happens, the name stands for the old state or the new.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import h5py

from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.store.layout import check_format


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

    @property
    def name(self) -> str:
        """How messages call it."""
        return "the result" if self.path is None else str(self.path)

    @property
    def exists(self) -> bool:
        """Whether anything has been committed."""
        return bool(self._image) if self.path is None else self.path.exists()

    @contextlib.contextmanager
    def read(self) -> Iterator[h5py.File]:
        """Open for reading.

        Raises
        ------
        InputError
            If it does not exist, is no HDF5 file or a damaged one, or is not tinyticket's.
        """
        if self.path is not None and not os.path.isfile(self.path):  # which copes with names that are too long
            raise InputError(
                f"{self.path} {'is a folder' if os.path.isdir(self.path) else 'does not exist'}; expected a result file"
            )
        try:
            file = h5py.File(io.BytesIO(self._image) if self.path is None else self.path, "r")
        except OSError as error:
            raise InputError(f"{self.name} cannot be read as an HDF5 file: {_first_line(error)}") from None
        with file:
            check_format(file, self.name)
            yield file

    def commit(self, write: Callable[[h5py.File], None]) -> None:
        """Add to the file what `write` writes, all of it or nothing.

        Raises
        ------
        InputError
            If the disk is full or the folder cannot be written; the file is as it was before.
        """
        image = self._bytes() if self.exists else b""
        buffer = io.BytesIO(image)
        with h5py.File(buffer, "r+" if image else "w") as file:
            write(file)
        if self.path is None:
            self._image = buffer.getvalue()
        else:
            replace(self.path, buffer.getbuffer())

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
        try:
            if self.path.is_dir():
                raise InputError(f"{self.path} is a folder; give the name of a file")
            whole = Path(os.path.realpath(self.path))  # however it was named: through a link it is the same file
            lock = whole.with_name(f".{whole.name}.lock")
            handle = _open_locked(lock)
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {_first_line(error)}") from None
        if handle is None:
            raise InputError(f"{self.path} is being written by another process; wait for it, or choose another file")
        with handle:
            try:
                yield
            finally:
                filesystem.remove_open(handle, lock)

    def save(self, path: str | os.PathLike) -> None:
        """Write a copy to another path, in one step."""
        replace(Path(path), self._bytes())

    def _bytes(self) -> bytes:
        return self._image if self.path is None else self.path.read_bytes()


def replace(path: Path, content: bytes | memoryview) -> None:
    """Give a file new content in one step: it is written beside it and brought to disk, and then takes its name.

    Raises
    ------
    InputError
        If that cannot be done; the file is as it was before.
    """
    path = Path(os.path.realpath(path))  # of a link, what it points to is replaced
    copy = path.with_name(f".{path.name}.partial")
    try:
        try:
            with open(copy, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(copy, path)
        except BaseException:
            with contextlib.suppress(OSError):
                copy.unlink(missing_ok=True)
            raise
        filesystem.sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {_first_line(error)}; what it held before is untouched") from error


def _open_locked(lock: Path) -> IO | None:
    """Open and lock a file, or return None if somebody else has it."""
    while True:
        handle = open(lock, "w")  # noqa: SIM115 - the lock lives as long as the handle
        if not filesystem.LOCKS:  # two runs into one file are then not noticed
            return handle
        if not filesystem.lock(handle):
            handle.close()
            return None
        # Its last holder may have removed the file between our opening and locking it: then this lock guards nothing.
        if lock.exists() and os.path.samestat(os.fstat(handle.fileno()), lock.stat()):
            return handle
        handle.close()


def _first_line(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
