"""Keep a file whole at every instant.

HDF5 writes to memory alone (`file_image`). While a file is small, a commit brings the whole of it to disk under another name, which
then takes the file's in one step. Of a large file, a commit brings to disk what it changed, into a journal beside the file
(`journal`). Once that is as large as the file, and when a run ends or begins, the two are packed: copied into a new file, which
takes the name. Whatever happens, the name stands for a whole file, and with its journal for the old state or the new.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import h5py
from h5py import h5g

from tinyticket.errors import InputError
from tinyticket.store import journal
from tinyticket.store.file_image import FileImage
from tinyticket.store.layout import check_format
from tinyticket.store.lock import held
from tinyticket.store.reading import Group, Ledger, Source
from tinyticket.store.replacing import check_writable, first_line, identity, put, remove_partial, system_errors

JOURNAL_FROM = 4 << 20
"""Size of a file, in bytes, from which on commits go into a journal."""

MOST_ENTRIES = 16
"""How many commits wait in a journal at most: every reader, and every commit, opens as many files."""


class Archive:
    """A result file, or without a path the same thing in memory.

    Parameters
    ----------
    path
        Where the file is or shall be; None keeps it in memory.
    """

    def __init__(self, path: str | os.PathLike | None = None):
        self.path = None if path is None else Path(path)
        self._memory: bytes = b""
        self._ledger: Ledger | None = None
        self._state: Any = None  # of the file that the ledger is about
        self._checked = False
        self._held = False  # against other runs
        self._own: tuple | None = None  # while it is held, the identity of what this object wrote or found
        self._writing = threading.RLock()  # other threads may read meanwhile
        self._reading = threading.local()  # what this thread has opened

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_writing", "_reading")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _writing=threading.RLock(), _reading=threading.local())

    @property
    def name(self) -> str:
        """How messages call it."""
        return "the result" if self.path is None else str(self.path)

    @property
    def exists(self) -> bool:
        """Whether anything has been committed."""
        with system_errors(self.name):
            return bool(self._memory) if self.path is None else self.path.exists()

    @property
    def _file(self) -> Path:
        """The file itself, however it was named: through a link it is the same."""
        assert self.path is not None
        return Path(os.path.realpath(self.path))

    @contextlib.contextmanager
    def read(self) -> Iterator[Group]:
        """Open for reading; gives the group that everything is in.

        Within a block that reads, others of the same thread share its opening, and the state in which the file was then.

        Raises
        ------
        InputError
            If it does not exist, is no HDF5 file or a damaged one, or is not tinyticket's; if it is held and another program
            has replaced it.
        """
        if (opened := getattr(self._reading, "root", None)) is not None:
            yield opened
            return
        self._check_own()
        if self.path is not None and not os.path.isfile(self.path):  # which copes with names that are too long
            folder, there = os.path.isdir(self.path), os.path.exists(self.path)
            what = "is a folder" if folder else "is no file" if there else "does not exist"
            raise InputError(f"{self.path} {what}; expected a result file")
        with self._image() as image, self._opened(image) as file:
            with system_errors(self.name):
                state = (self.path and [identity(stream.fileno()) for stream in image.streams]) or image.size
            # If the state is another, another file has taken its place, or it has grown.
            known = self._ledger if state == self._state else None
            ledger = known or Ledger(image.size)
            root = Source(file, image, self.name, ledger).root
            if known is None:
                check_format(root, self.name)
                self._ledger, self._state = ledger, state
            self._reading.root = root
            try:
                yield root
            finally:
                self._reading.root = None

    def _image(self) -> FileImage:
        if self.path is None:
            return FileImage(io.BytesIO(self._memory))
        return journal.open_image(self._file) if self.exists else FileImage()

    def _opened(self, image: FileImage) -> h5py.File:
        try:
            file = h5py.File(image, "r")
            h5g.open(file.id, b"/")
        except Exception as error:  # of many classes, if a file is damaged
            image.check(self.name)
            raise InputError(f"{self.name} cannot be read as an HDF5 file: {first_line(error)}") from None
        image.check(self.name)
        return file

    def commit(self, write: Callable[[h5py.File], None]) -> None:
        """Add to the file what `write` writes, all of it or nothing.

        Raises
        ------
        InputError
            If the disk is full or the folder cannot be written; the file is as it was before. If the file is damaged, or is held
            and another program has replaced it.
        """
        with self._image() as image:
            self._check_own()
            if image.size and not self._checked:  # what this object writes itself needs no check
                with self._opened(image) as file:
                    Source(file, image, self.name, Ledger(image.size)).root.check()
            with system_errors(self.name):
                size, before = image.size, image.mark() if self._may_journal(image) else []
            try:
                with h5py.File(image, "r+" if image.size else "w") as file:
                    write(file)
            except (KeyError, OSError, RuntimeError, ValueError) as error:
                image.check(self.name)
                # So HDF5 begins what it has to say against damage that no reader meets.
                if size and "Unable to" in str(error):
                    raise InputError(f"{self.name} is damaged: {first_line(error)}") from error
                raise
            image.check(self.name)
            with self._writing:
                self._bring_to_disk(image, before)
        self._checked = True

    def _may_journal(self, image: FileImage) -> bool:
        """Whether a commit goes into a journal unless it doubles the file."""
        return bool(image.waiting) or (self._held and image.packed > JOURNAL_FROM)

    def _bring_to_disk(self, image: FileImage, before: list) -> None:
        if self.path is None:
            buffer = io.BytesIO(self._memory)  # which copies at the first change
            image.change(buffer)
            self._memory = buffer.getvalue()
            return
        if not self._may_journal(image) or (not image.waiting and image.packed <= len(image.tail)):
            _replace(self._file, image.copy_to)
        else:
            with _written(self._file):
                journal.add_entry(self._file, image, before)
            image.close()
            grown = image.size - image.packed
            if not self._held or grown >= image.packed or image.waiting + 1 >= MOST_ENTRIES:
                self._own = self._identity()
                self._pack()
        self._own = self._identity()

    def _pack(self) -> None:
        """Make one file of the file and its journal."""
        waits = f"its finished rounds wait in {journal.folder_of(self._file)}, and the same command goes on"
        with self._writing, _written(self._file, waits):
            if entries := journal.entries_of(self._file):
                self._check_own()
                with self._image() as image:
                    if image.waiting:
                        put(self._file, image.copy_to)
            with contextlib.suppress(OSError):  # the next run sees that the file holds all of it, or is not there
                journal.clear(self._file)
            if entries:
                self._own = self._identity()

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
        file = self._file
        with system_errors(self.path, "written"), contextlib.ExitStack() as begun:
            if file.is_dir():
                raise InputError(f"{self.path} is a folder; give the name of a file")
            check_writable(file)
            begun.enter_context(held(file))
            remove_partial(file)
            self._own = self._identity()
            stack = begun.pop_all()
        with stack:
            self._held = True
            try:
                self._pack()  # what a killed run has left
                yield
            except BaseException:
                with contextlib.suppress(InputError):  # nothing is lost with it
                    self._pack()
                raise
            else:
                self._pack()
            finally:
                self._held = False

    def _check_own(self) -> None:
        """Raise InputError if another program has taken a file that is held away, or has put or written something else there."""
        if self.path is None or not self._held:
            return
        with self._writing:
            now, own = self._identity(), self._own
        if now == own:
            return
        if now[0] is None:
            raise InputError(f"{self.path} has disappeared while the experiment ran; its finished rounds went with it")
        raise InputError(
            f"{self.path} has been replaced or changed by another program while the experiment ran, and is left as it is: "
            "put the experiment's own file back and run the same command again, or choose another file"
        )

    def _identity(self) -> tuple:
        if self.path is None:
            return ()
        with system_errors(self.name):
            return identity(self._file), [identity(entry) for entry in journal.entries_of(self._file)]

    def save(self, path: str | os.PathLike, force: bool = False) -> None:
        """Write a copy to another path, in one step; `force` replaces what is there, but never a result file."""
        check_free(path, force)
        with self._image() as image:
            _replace(Path(path), image.copy_to)


def check_free(path: str | os.PathLike, force: bool = False) -> None:
    """Raise InputError unless a file may be written to a path.

    There is none yet, or one that `force` gives up; it is neither read-only nor a result file, which only its experiment writes.
    """
    file = Path(os.path.realpath(path))
    check_writable(file)
    if _is_result(file):
        raise InputError(f"{path} is a result file, which only its experiment goes on writing; choose another name")
    if not force and file.is_file():
        raise InputError(f"{path} is there already; choose another name, or have it replaced with --force")


def replace(path: Path, content: bytes | memoryview, over_result: bool = False) -> None:
    """Give a file new content in one step: it is written beside it and brought to disk, and then takes its name.

    Raises
    ------
    InputError
        If that cannot be done, or the file is read-only, or a result file where `over_result` is not set; it is as it was before.
    """
    if not over_result:
        check_free(path, force=True)
    _replace(path, lambda stream: stream.write(content))


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    path = Path(os.path.realpath(path))  # of a link, what it points to is replaced
    with _written(path):
        journal.clear(path)  # of another file, which was removed
        put(path, write)


@contextlib.contextmanager
def _written(path: Path, rest: str = "what it held before is untouched") -> Iterator[None]:
    """Raise InputError if a file is read-only, or for what goes wrong while it is written."""
    with system_errors(path, "written", f"; {rest}"):
        check_writable(path)
        yield


def _is_result(path: Path) -> bool:
    """Whether a path names a result file."""
    try:
        with Archive(path).read():
            return True
    except InputError:
        return False
