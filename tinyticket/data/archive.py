"""Files out of a folder, or out of the gzipped tar file that it was published as."""

import gzip
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from tinyticket.data.idx import GZIP_START
from tinyticket.errors import InputError

BLOCK = 1 << 20


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Read files from an unpacked folder or from a tar file, gzipped or not.

    Parameters
    ----------
    path : Path
        The folder that holds the files, or a tar file that holds them in any folder.
    names : iterable of str
        The files' names, without folders.

    Returns
    -------
    dict of str to bytes
        Contents by name, in the order of `names`.

    Raises
    ------
    InputError
        If a file is missing or cannot be read, or the tar file is truncated or damaged.
    """
    names = list(names)
    found = _from_folder(path, names) if path.is_dir() else _from_tar(path, names)
    if missing := [name for name in names if name not in found]:
        raise InputError(f"{path} does not hold {', '.join(missing)}; expected {', '.join(names)}")
    return {name: found[name] for name in names}


def _from_folder(path: Path, names: list[str]) -> dict[str, bytes]:
    try:
        return {name: (path / name).read_bytes() for name in names if (path / name).exists()}
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None


def _from_tar(path: Path, names: list[str]) -> dict[str, bytes]:
    """Return the wanted members, in one pass and without writing anything."""
    found = {}
    try:
        with path.open("rb") as file:
            start = file.read(2)
        with gzip.open(path) if start == GZIP_START else path.open("rb") as stream:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in names and member.isfile() and (content := archive.extractfile(member)):
                        found[name] = content.read()
            while stream.read(BLOCK):  # gzip's checksum comes at the very end
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is truncated or damaged ({error}); expected a tar file, gzipped or not") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    return found
