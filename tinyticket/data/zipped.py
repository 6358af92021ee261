"""Zip files of strangers, which hold arrays of NumPy (.npz) and PyTorch (.pt): no more is read than such a file may hold."""

import contextlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from os import PathLike
from typing import IO, BinaryIO

from tinyticket.data.files import most_unpacked, open_regular, printable
from tinyticket.errors import InputError

ENCRYPTED = 1  # a bit of a member's flags
MOST_PIECE = 1 << 20  # bytes that are read at once, the most of them the table of contents

BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, IndexError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip


class Zip:
    """The members of a zip file of so many bytes; `writer` is the program whose files are expected."""

    def __init__(self, archive: zipfile.ZipFile, size: int, writer: str):
        self._archive, self._size, self._writer = archive, size, writer
        self.members = archive.infolist()

    def check_unpacked(self, members: list[zipfile.ZipInfo]) -> None:
        """Raise InputError if members unpack to more bytes than such a file may hold."""
        unpacked, most = sum(member.file_size for member in members), most_unpacked(self._size)
        if unpacked > most:
            raise InputError(
                f"unpacks to {unpacked} bytes, from {self._size}; expected at most {most} ({self._writer} writes "
                "arrays of zeros and the like as large as they are)"
            )

    def open(self, member: zipfile.ZipInfo, name: str) -> IO[bytes]:
        """Open a member, which messages call `name`."""
        if member.flag_bits & ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"holds {printable(name)} encrypted or packed in an unusual way; expected what {self._writer} writes"
            )
        return self._archive.open(member)


@contextlib.contextmanager
def open_zip(path: str | PathLike[str], kind: str, writer: str) -> Iterator[Zip]:
    """Open a zip file, and put into words what goes wrong with it meanwhile.

    Parameters
    ----------
    path : path-like
    kind : str
        What it should be, such as "an .npz file".
    writer : str
        What writes such files, such as "numpy.savez".

    Raises
    ------
    InputError
        If it cannot be read, is no zip file, or is damaged; an InputError raised meanwhile gets the file's name in front.
    """
    with open_regular(path, kind) as file:
        try:
            _check_zip(file, kind, writer)
            size = os.fstat(file.fileno()).st_size
            with _Pieces(file) as pieces, zipfile.ZipFile(pieces) as archive:
                yield Zip(archive, size, writer)
        except InputError as error:
            raise InputError(f"{path} {error}") from None
        except BROKEN as error:
            raise InputError(f"{path} is damaged ({printable(error)}); expected {kind} as {writer} writes it") from None


def _check_zip(file: BinaryIO, kind: str, writer: str) -> None:
    """Tell apart what NumPy would answer with one and the same message."""
    start = file.read(2)
    if zipfile.is_zipfile(file):
        return
    if start == b"PK":  # a zip file has its table of contents at its end
        raise InputError(f"is truncated: the end of {'the ' + kind.split(' ', 1)[1]} is missing")
    raise InputError(f"is not {kind}; expected a zip file of arrays, as {writer} writes it")


class _Pieces(io.BufferedReader):
    """A zip file that is read in pieces; the largest honest one is its table of contents."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = MOST_PIECE
        if size > MOST_PIECE:
            raise zipfile.BadZipFile("its table of contents is too large")
        return super().read(size)
