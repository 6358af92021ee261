"""Data files may come from anybody: only regular files are opened, and no more is unpacked than such a file may hold."""

import contextlib
import io
import os
import stat
import zlib
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError

BLOCK = 1 << 20
GZIP_START = b"\x1f\x8b"
GZIP = 16 + zlib.MAX_WBITS  # how zlib is told of gzip's header and checksum
HARMLESS = 1 << 27  # bytes that any compressed file may unpack to ...
RATIO = 100  # ... and those for each byte on disk, if that is more: photographs have 2, drawings of digits 6, blank paper 1,000


def most_unpacked(size: int) -> int:
    """Return how many bytes a compressed file of `size` bytes may unpack to."""
    return max(HARMLESS, RATIO * size)


def printable(words: object, most: int = 200) -> str:
    """Return words of a file or a server as one short line without control characters, which a terminal would obey."""
    text = str(words)
    cut = text if len(text) <= most else f"{text[:most]}..."
    return "".join(character if character.isprintable() else "?" for character in cut)


@contextlib.contextmanager
def open_regular(path: str | PathLike[str], expected: str) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading, and put into words what goes wrong with it meanwhile.

    Raises
    ------
    InputError
        If it is missing, unreadable, or a folder, pipe, device or socket: waiting for their bytes might take for ever.
    """
    if "\0" in str(path):
        raise InputError(f"{printable(path)} cannot be read: no name holds a zero byte; expected {expected}")
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected {expected}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; expected {expected}") from None


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a regular file; where something else takes its place just now, that is opened without waiting, and closed."""
    _check_regular(os.stat(path))
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise OSError("Is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is a pipe, a device or a socket")


class Content(io.BufferedReader):
    """The bytes of a data file as a stream that is read forwards: unpacked if the file is packed, at most `most` of them."""

    def __init__(self, raw: io.RawIOBase, most: int, packed: bool):
        super().__init__(raw, BLOCK)
        self.most, self.packed = most, packed


@contextlib.contextmanager
def open_content(path: str | PathLike[str], expected: str, most: int | None = None) -> Iterator[Content]:
    """Open a data file, gzipped or not, which is told from its first bytes as some programs unpack without renaming.

    Parameters
    ----------
    path : path-like
        The file.
    expected : str
        What it should be, for messages.
    most : int, optional
        How many bytes it may hold; by default `most_unpacked` of its size where it is gzipped.

    Raises
    ------
    InputError
        If it is no regular file, cannot be read, holds more bytes, or is a damaged gzip file; also while it is read.
    """
    with open_regular(path, expected) as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(len(GZIP_START)) == GZIP_START
        file.seek(0)
        if most is None:
            most = most_unpacked(size) if packed else size
        too_many = f"{path} holds more than {most} bytes; expected {expected}"
        if size > most:
            raise InputError(too_many)
        most = most if packed else size
        raw = (_Unpacked if packed else _Bounded)(file, most, too_many)
        try:
            yield Content(raw, most, packed)
        except (EOFError, zlib.error) as error:
            raise InputError(
                f"{path} is a broken gzip file, truncated or damaged ({error}); expected {expected}"
            ) from None


class _Bounded(io.RawIOBase):
    """The bytes of a file up to a bound, beyond which there is an InputError."""

    def __init__(self, file: BinaryIO, most: int, too_many: str):
        self.file, self.left, self.too_many = file, most, too_many

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer).cast("B") as view:
            got = self._next(min(len(view), BLOCK))
            self.left -= len(got)
            if self.left < 0:
                raise InputError(self.too_many)
            view[: len(got)] = got
        return len(got)

    def _next(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""
        return self.file.read(size) or b""


class _Unpacked(_Bounded):
    """The content of a gzip file of one or more members, padded with zeros or not."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.member = zlib.decompressobj(GZIP)

    def _next(self, size: int) -> bytes:
        while True:
            if self.member.eof:
                packed = self.member.unused_data.lstrip(b"\0")
                while not packed:
                    if not (packed := self.file.read(BLOCK)):
                        return b""
                    packed = packed.lstrip(b"\0")
                self.member = zlib.decompressobj(GZIP)
            else:
                packed = self.member.unconsumed_tail or self.file.read(BLOCK)
            got = self.member.decompress(packed, size)
            if got:
                return got
            if not packed and not self.member.eof:
                raise EOFError("its end is missing")


def fill(array: NDArray, stream: Any) -> int:
    """Read a C-contiguous array's bytes from a stream; return how many came."""
    view, done = array.reshape(-1).view(np.uint8).data, 0
    while done < len(view) and (count := stream.readinto(view[done : done + BLOCK])):
        done += count
    return done
