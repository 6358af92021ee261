"""The bytes of a result file as HDF5 sees them: read from disk, changed in memory alone.

A killed process leaves half of what it wrote, and a full disk crashes HDF5. So HDF5 never writes to the disk: what it changes of a
file is kept page by page, what it adds as a tail, and `archive` brings both to disk in one step.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
from collections.abc import Callable
from typing import IO, Any, Concatenate, NamedTuple, ParamSpec

from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.store.replacing import first_line

PAGE = 4096
SAMPLES = 64
"""How many pages of a file, spread over it, tell one state of it from another."""

Buffer = bytes | bytearray | memoryview
P = ParamSpec("P")


class Part(NamedTuple):
    """Consecutive bytes of a file, which lie in a stream."""

    start: int
    end: int
    stream: IO[bytes]
    place: int  # in the stream

    def read_into(self, view: memoryview, start: int) -> None:
        """Fill in what this part has of the bytes that begin at `start`; raise OSError if it has become shorter."""
        first, end = max(self.start, start), min(self.end, start + len(view))
        self.stream.seek(self.place + first - self.start)
        if self.stream.readinto(view[first - start : end - start]) != end - first:  # type: ignore[attr-defined]
            raise OSError("it has become shorter meanwhile")


def _held_back(method: Callable[Concatenate[FileImage, P], int]) -> Callable[Concatenate[FileImage, P], int]:
    """Keep an exception, a signal's included, until HDF5 has returned: it would call more while the exception is on its way."""

    @functools.wraps(method)
    def called(image: FileImage, *arguments: P.args, **options: P.kwargs) -> int:
        try:
            return method(image, *arguments, **options)
        except BaseException as error:
            image.error = image.error or error
            return 0

    return called


class FileImage(io.RawIOBase):
    """The parts of a file one after another, pages that replace some of their bytes, and what a commit changes."""

    def __init__(self, file: IO[bytes] | None = None):
        self.streams: list[IO[bytes]] = []  # where the parts lie; they are closed with the image
        self.changed: dict[int, bytearray] = {}  # pages by number, as a commit has changed them
        self.tail = bytearray()  # what a commit has added after the last part
        self.error: BaseException | None = None  # the first in what HDF5 has called, which cannot pass through HDF5
        self._parts: list[Part] = []
        self._pages: dict[int, Buffer] = {}
        self._at = 0
        if file is not None:
            self.append(file, 0, file.seek(0, os.SEEK_END))

    def append(self, stream: IO[bytes], place: int, count: int) -> None:
        """Add bytes of a stream after the last part."""
        self.streams.append(stream)
        if count:
            self._parts.append(Part(self.before, self.before + count, stream, place))

    def replace_page(self, number: int, page: Buffer) -> None:
        """Replace bytes of the parts."""
        self._pages[number] = page

    @property
    def packed(self) -> int:
        """The size of the first part, the file without its journal."""
        return self._parts[0].end if self._parts else 0

    @property
    def waiting(self) -> int:
        """How many entries of a journal there are."""
        return max(len(self.streams) - 1, 0)

    @property
    def before(self) -> int:
        """The size without what a commit adds."""
        return self._parts[-1].end if self._parts else 0

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.before + len(self.tail)

    def mark(self) -> list:
        """Return what tells this state of the file from others: its size and a digest of samples, of all of a small file."""
        digest, size = hashlib.sha256(), self.size
        for start in (*range(0, size, max(PAGE, size // SAMPLES)), max(size - PAGE, 0)):
            digest.update(self.read_at(start, min(PAGE, size - start)))
        return [size, digest.hexdigest()]

    def read_at(self, start: int, count: int) -> bytearray:
        """Return bytes of the file; zeros beyond its end."""
        found = bytearray(count)
        self._fill(memoryview(found), start)
        return found

    def copy_to(self, target: IO[bytes]) -> None:
        """Write everything into a new file, and close the streams: some systems let no open file be replaced."""
        for part in self._parts:
            filesystem.copy_bytes(part.stream, part.place, target, part.end - part.start)
        self.change(target)
        self.close()

    def change(self, target: IO[bytes]) -> None:
        """Write what is not in the parts into a file that holds them."""
        for number, page in sorted(self._pages.items()):
            target.seek(number * PAGE)
            target.write(page)
        target.seek(self.before)
        target.write(self.tail)

    def close(self) -> None:
        """Close the streams."""
        for stream in self.streams:
            with contextlib.suppress(OSError):  # nothing was written there
                stream.close()
        super().close()

    def check(self, name: str) -> None:
        """Raise what came up while HDF5 read or wrote; of the system's errors an InputError that says what cannot be read."""
        if isinstance(self.error, OSError):
            raise InputError(f"{name} cannot be read: {first_line(self.error)}") from self.error
        if self.error is not None:
            raise self.error

    # -- what HDF5 calls

    @_held_back
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at

    @_held_back
    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            self._fill(view, self._at)
        except BaseException:
            view[:] = bytes(len(view))
            raise
        return len(view)

    @_held_back
    def write(self, data: Any) -> int:
        view, start = memoryview(data).cast("B"), self._at
        end, before = start + len(view), self.before
        for number in range(start // PAGE, -(-min(end, before) // PAGE)) if start < before else ():
            page, first = self._changed(number), number * PAGE
            low, high = max(start, first), min(end, first + len(page))
            page[low - first : high - first] = view[low - start : high - start]
        if end > before:
            low = max(start, before)
            self.tail += bytes(max(low - self.size, 0))
            there = min(self.size, end) - low
            self.tail[low - before : low - before + there] = view[low - start : low - start + there]
            self.tail += view[low - start + there :]
        return len(view)

    @_held_back
    def truncate(self, size: int | None = None) -> int:
        tail = max((self._at if size is None else size) - self.before, 0)  # what the file held before stays under it
        del self.tail[tail:]
        self.tail += bytes(tail - len(self.tail))
        return self.size

    def _changed(self, number: int) -> bytearray:
        page = self.changed.get(number)
        if page is None:
            start = number * PAGE
            page = self.changed[number] = self.read_at(start, min(PAGE, self.before - start))
            self._pages[number] = page
        return page

    def _fill(self, view: memoryview, start: int) -> None:
        end = start + len(view)
        for part in self._parts:
            if part.start < end and start < part.end:
                part.read_into(view, start)
        for number in range(start // PAGE, -(-min(end, self.before) // PAGE)) if self._pages else ():
            if page := self._pages.get(number):
                _overlay(view, start, page, number * PAGE)
        if self.tail:
            _overlay(view, start, self.tail, self.before)


def _overlay(view: memoryview, start: int, page: Buffer, first: int) -> None:
    """Fill in what a page that begins at `first` has of the bytes that begin at `start`."""
    low, high = max(start, first), min(start + len(view), first + len(page))
    if low < high:
        view[low - start : high - start] = memoryview(page)[low - first : high - first]
