"""Files out of a folder, or out of the gzipped tar file that it was published as."""

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tinyticket.data.files import BLOCK, Content, open_content
from tinyticket.errors import InputError

RECORD = tarfile.BLOCKSIZE  # a tar file is a sequence of records: a member's header, its content padded with zeros
MOST_MEMBERS = 1000
NO_CONTENT = {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE}


def read_members(path: Path, names: tuple[str, ...], most: int) -> Iterator[tuple[str, bytes]]:
    """Read files from an unpacked folder or from a tar file, gzipped or not.

    Parameters
    ----------
    path : Path
        The folder that holds the files, or a tar file that holds them in any folder.
    names : tuple of str
        The files' names, without folders.
    most : int
        How many bytes all of them may hold together.

    Yields
    ------
    name : str
        One of `names`, in the order in which they are found.
    content : bytes

    Raises
    ------
    InputError
        If a file is missing, cannot be read or is no regular file, the tar file is truncated or damaged, or there are
        more bytes than there may be.
    """
    missing = set(names)
    for name, content in _from_folder(path, names, most) if path.is_dir() else _from_tar(path, names, most):
        missing.discard(name)
        yield name, content
    if missing:
        raise InputError(f"{path} does not hold {', '.join(sorted(missing))}; expected {', '.join(names)}")


def _from_folder(path: Path, names: tuple[str, ...], most: int) -> Iterator[tuple[str, bytes]]:
    for name in names:
        with open_content(path / name, "a file of the data set", most) as stream:
            content = stream.read(stream.most)  # all at once, into memory of that size
        most -= len(content)
        yield name, content


def _from_tar(path: Path, names: tuple[str, ...], most: int) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted members, in one pass and without writing anything."""
    expected = "a tar file, gzipped or not"
    others = 4 * MOST_MEMBERS * RECORD  # bytes: headers, what contents are padded with, and files that are not wanted
    with open_content(path, expected, most + others) as stream:
        try:
            for member in _members(stream):
                name = member.name.rpartition("/")[2]
                if name in names and member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    yield name, _take(stream, member.size)
                else:
                    _skip(stream, member.size)
                _skip(stream, -member.size % RECORD)
            while stream.read(BLOCK):  # gzip's checksum comes at the very end
                pass
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise InputError(f"{path} is truncated or damaged ({error}); expected {expected}") from None


def _members(stream: Content) -> Iterator[tarfile.TarInfo]:
    """Yield the members, whose content is to be read before the next one is asked for.

    The main header of a member says enough. Extended ones (of long names or times) are members like others here: `tarfile`
    would read and keep them, however large they are.
    """
    for _ in range(MOST_MEMBERS + 1):
        try:
            member = tarfile.TarInfo.frombuf(stream.read(RECORD), "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            return
        if member.type in NO_CONTENT:
            member.size = 0
        if not 0 <= member.size <= stream.most:
            raise EOFError(f"a member of {member.size} bytes")
        yield member
    raise EOFError(f"more than {MOST_MEMBERS} members")


def _take(stream: Content, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError(f"a member of {size} bytes has {len(content)}")
    return content


def _skip(stream: Content, size: int) -> None:
    while size > 0:
        size -= len(_take(stream, min(size, BLOCK)))
