"""Downloading a published data set to where `load` finds it.

A file appears under its name only when it is whole and its digest right; until then it is NAME.part, from which the
next call goes on.
"""

import contextlib
import hashlib
import logging
import os
import stat
from collections.abc import Callable, Sequence
from io import BufferedRandom
from pathlib import Path

from tinyticket.data.catalogue import look_up
from tinyticket.data.files import open_regular
from tinyticket.data.folders import Folder, fetch_folder
from tinyticket.data.published import PublishedFile
from tinyticket.errors import InputError
from tinyticket.filesystem import lock, remove_open, rename_open, sync_folder

Progress = Callable[[str, int, int | None], None]

log = logging.getLogger(__name__)


def fetch(
    name: str, folder: Folder = None, mirrors: Sequence[str] | None = None, progress: Progress | None = None
) -> Path:
    """Download a data set, or what is missing of it.

    Parameters
    ----------
    name : str
        The data set.
    folder : path-like, optional
        Write to FOLDER/NAME; by default below $TINYTICKET_DATA, or else in the user's cache folder.
    mirrors : sequence of str, optional
        Addresses (http or https) of folders that serve the published files, tried in order instead of the known ones.
    progress : callable, optional
        Called with a file's name, the bytes so far and the total (None if unknown) as they arrive. A file that needs
        no download is not reported.

    Returns
    -------
    Path
        The folder that now holds the files.

    Raises
    ------
    InputError
        If there is nothing to download for that name, the folder cannot be written, the disk is full, or no mirror
        delivers a file (the sentence gives each one's reason). What has arrived is kept for the next call.

    Notes
    -----
    A file with the published SHA-256 digest is left alone, and so is an unpacked one; a gzipped file with another
    digest is replaced once the right one is there.
    """
    found = look_up(name)
    if found.publication is None:
        raise InputError(f"{name} needs no download: {found.description}")
    place = fetch_folder(folder) / found.publication.name
    addresses = [_check_address(mirror) for mirror in (found.publication.mirrors if mirrors is None else mirrors)]
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in found.publication.files:
            if not _is_there(file, place):
                _fetch_file(file, place, addresses, progress or _quiet)
    except OSError as error:
        raise InputError(f"{name}: cannot write to {place}: {error.strerror or error}") from None
    return place


def _check_address(mirror: str) -> str:
    if not mirror.startswith(("http://", "https://")):
        raise InputError(f"the mirror {mirror!r} is no address; expected one that starts with http:// or https://")
    return mirror.rstrip("/")


def _is_there(file: PublishedFile, place: Path) -> bool:
    found = file.find(place)
    if found is None:
        return False
    if found.name == file.name:
        with open_regular(found, "a published file") as stream:
            same_size = os.fstat(stream.fileno()).st_size == file.size
            digest = hashlib.file_digest(stream, "sha256").hexdigest() if same_size else None
        if digest != file.sha256:
            log.warning("%s has not the published SHA-256 digest and will be replaced", found)
            return False
    log.info("%s is there already", found)
    return True


def _fetch_file(file: PublishedFile, place: Path, mirrors: list[str], progress: Progress) -> None:
    part = place / f"{file.name}.part"
    with open(part, "a+b", opener=_open_part) as stream:
        if not lock(stream):  # a second fetch would append to the same file
            raise InputError(f"{part} is being written by another process; wait for it and try again")
        try:
            _try_mirrors(file, stream, mirrors, progress)
        except InputError:
            if part.stat().st_size == 0:
                remove_open(stream, part)
            raise
        stream.flush()
        os.fsync(stream.fileno())
        rename_open(stream, part, place / file.name)
    sync_folder(place)


def _open_part(path: str, flags: int) -> int:
    """Open or make a file to write to, but nothing that a link leads to, and no pipe, device or socket."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder the system says so itself
            raise OSError(f"{path} is no regular file")
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _try_mirrors(file: PublishedFile, stream: BufferedRandom, mirrors: list[str], progress: Progress) -> None:
    """Fill the stream from the first mirror that can; all continue from what the others brought."""
    from tinyticket.data.download import MirrorError, download  # here, as it imports urllib.request, which is slow

    reasons = []
    for mirror in mirrors:
        try:
            download(f"{mirror}/{file.name}", file, stream, lambda done: progress(file.name, done, file.size))
        except MirrorError as error:
            log.info("%s from %s: %s", file.name, mirror, error)
            reasons.append(f"{mirror}: {error}")
        else:
            return
    raise InputError(f"{file.name} could not be downloaded; {'; '.join(reasons) or 'no mirror was given'}")


def _quiet(name: str, done: int, total: int | None) -> None:
    pass
