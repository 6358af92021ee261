"""Keep a file whole at every instant.

HDF5 has no journal: a process killed while it writes leaves a file that may not open. So a round is added to a copy, the copy is
brought to disk, and then takes the file's name in one step. Whatever happens, the name stands for the old state or the new.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py

from tinyticket.errors import InputError
from tinyticket.store.layout import check_format

try:
    import fcntl
except ImportError:  # not on this platform: two runs into one file are then not noticed
    fcntl = None  # type: ignore[assignment]


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
        if self.path is not None and not self.path.exists():
            raise InputError(f"{self.path} does not exist")
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
        if self.path is None:
            buffer = io.BytesIO(self._image)
            with h5py.File(buffer, "r+" if self._image else "w") as file:
                write(file)
            self._image = buffer.getvalue()
            return
        copy = self._copy_path()
        try:
            if self.path.exists():
                shutil.copyfile(self.path, copy)
                mode = "r+"
            else:
                mode = "w"
            with h5py.File(copy, mode) as file:
                write(file)
            _to_disk(copy)
            os.replace(copy, self.path)
            _to_disk(self.path.parent)
        except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
            copy.unlink(missing_ok=True)
            raise InputError(
                f"{self.path} cannot be written: {_first_line(error)}; what it held before is untouched, "
                "and the same command goes on from there"
            ) from error
        except BaseException:
            copy.unlink(missing_ok=True)
            raise

    def check_writable(self) -> None:
        """Raise InputError now, rather than after hours of training, if the file could not be written."""
        if self.path is None:
            return
        copy = self._copy_path()
        try:
            if self.path.is_dir():
                raise InputError(f"{self.path} is a folder; give the name of a file")
            if not self.path.parent.is_dir():
                raise InputError(
                    f"the folder {self.path.parent} does not exist: {self.path.name} cannot be written there"
                )
            copy.write_bytes(b"")
            copy.unlink()
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against a second run.

        Raises
        ------
        InputError
            If another process holds it.
        """
        if self.path is None or fcntl is None:
            yield
            return
        lock = self.path.with_name(f".{self.path.name}.lock")
        with _open_and_lock(lock) as taken:
            if not taken:
                raise InputError(
                    f"{self.path} is being written by another process; wait for it, or choose another file"
                )
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)

    def save(self, path: str | os.PathLike) -> None:
        """Write a copy to another path, in one step."""
        target = Archive(path)
        target.check_writable()
        copy = target._copy_path()
        copy.write_bytes(self._image if self.path is None else self.path.read_bytes())
        _to_disk(copy)
        os.replace(copy, path)

    def _copy_path(self) -> Path:
        assert self.path is not None
        return self.path.with_name(f".{self.path.name}.partial")


@contextlib.contextmanager
def _open_and_lock(lock: Path) -> Iterator[bool]:
    """Take the lock file, or say that somebody else has it."""
    while True:
        with open(lock, "w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            # Its last holder may have removed the file between our opening and locking it: then this lock guards nothing.
            if lock.exists() and os.path.samestat(os.fstat(handle.fileno()), lock.stat()):
                yield True
                return


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0]
