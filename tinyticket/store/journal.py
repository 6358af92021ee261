"""The journal of a large file: what each commit changed of it, in a folder beside it, until that is packed into the file.

An entry is a file of a line and of bytes. The line (JSON) says to which state of the file the entry belongs, which state it makes
of that, and which pages it replaces; these pages follow, and then what the file grows by. Entries belong to a file if they lead
from what it holds, one after another, to the last of them; the file may hold some or all of them already. Like the file they may
be anybody's.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import stat
from pathlib import Path
from typing import IO, NamedTuple

from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.store.file_image import PAGE, FileImage
from tinyticket.store.replacing import first_line, put, system_errors

VERSION = 1
LONGEST_LINE = 16 << 20
NO_ENTRY = (ValueError, TypeError, KeyError, RecursionError)


class Entry(NamedTuple):
    """What one commit changed."""

    before: list  # the marks of the file's states
    after: list
    pages: list[int]
    stream: IO[bytes]

    def lay_over(self, image: FileImage) -> None:
        """Make of the state before the one after."""
        for number in self.pages:
            image.replace_page(number, self.stream.read(min(PAGE, self.before[0] - number * PAGE)))
        image.append(self.stream, self.stream.tell(), self.after[0] - self.before[0])


def folder_of(file: Path) -> Path:
    """Return the folder of a file's journal."""
    return file.with_name(f".{file.name}.journal")


def entries_of(file: Path) -> list[Path]:
    """Return the entries of a file's journal, the oldest first; raise OSError if its place is taken by something else."""
    folder = folder_of(file)
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(f"{folder} is no folder")
        return sorted(folder / name for name in os.listdir(folder) if re.fullmatch(r"[0-9]{6}", name))
    except FileNotFoundError:
        return []


def add_entry(file: Path, image: FileImage, before: list) -> None:
    """Bring to disk what a commit has changed of an image whose mark was `before`; raise OSError if that cannot be done."""
    numbers = sorted(image.changed)
    line = {"version": VERSION, "before": before, "after": image.mark(), "pages": numbers}

    def write(stream: IO[bytes]) -> None:
        stream.write(json.dumps(line).encode() + b"\n")
        stream.writelines(image.changed[number] for number in numbers)
        stream.write(image.tail)

    folder = folder_of(file)
    last = max((int(entry.name) for entry in entries_of(file)), default=0)
    if not last:
        folder.mkdir(exist_ok=True)
        filesystem.sync_folder(file.parent)
    put(folder / f"{last + 1:06d}", write, of=file)


def clear(file: Path) -> None:
    """Remove the journal of a file that holds all of it; whatever instant that ends at, the last entry goes last."""
    entries, folder = entries_of(file), folder_of(file)
    for entry in entries:
        if entry == entries[-1]:
            filesystem.sync_folder(folder)
        entry.unlink()
    with contextlib.suppress(OSError):  # it may not be there, or somebody may have put something else there
        for name in os.listdir(folder):
            if re.fullmatch(r"\.[0-9]{6}\.[0-9a-f]{16}\.partial", name):  # of a commit that was killed
                (folder / name).unlink()
        folder.rmdir()


def open_image(file: Path) -> FileImage:
    """Return what a file holds together with its journal; who asked closes it.

    InputError says that it cannot be read, or that the journal is damaged or belongs to another file.
    """
    seen = None
    with system_errors(file):
        while (paths := entries_of(file)) != seen:  # until no run has gone on with the file meanwhile
            seen = paths
            with contextlib.ExitStack() as opened:
                entries = _read_entries(file, paths, opened)
                # The file is opened after them: it may hold more than they add by then, and never less.
                image = FileImage(opened.enter_context(open(file, "rb")))
                if (first := _first_missing(entries, image)) is not None:
                    opened.pop_all()
                    for entry in entries[:first]:
                        entry.stream.close()
                    for entry in entries[first:]:
                        entry.lay_over(image)
                    return image
    raise InputError(
        f"{file} is not what it was when a run left finished rounds in {folder_of(file)}: put the file back that they belong to, "
        "or remove that folder"
    )


def _read_entries(file: Path, paths: list[Path], opened: contextlib.ExitStack) -> list[Entry]:
    entries = []
    for path in paths:
        try:
            entries.append(_read_entry(opened.enter_context(filesystem.open_own(path, writable=False))))
        except FileNotFoundError:  # packed meanwhile
            opened.close()
            return []
        except NO_ENTRY as error:
            raise InputError(f"{file} is damaged: {path} in its journal: {first_line(error)}") from error
    return entries


def _read_entry(stream: IO[bytes]) -> Entry:
    """Return an entry, whose pages come next in its stream; raise one of `NO_ENTRY` if it is none."""
    line = stream.readline(LONGEST_LINE)
    found = json.loads(line)
    if found["version"] != VERSION:
        raise ValueError("it has another format")
    (before, _), (after, _) = found["before"], found["after"]
    pages = found["pages"]
    if {*map(type, (before, after, *pages))} != {int} or not 0 <= before <= after:
        raise ValueError("its numbers are none")
    if pages != sorted({*pages}) or (pages and not 0 <= pages[0] <= pages[-1] < -(-before // PAGE)):
        raise ValueError("it has pages that the file has not")
    held = sum(min(PAGE, before - number * PAGE) for number in pages) + after - before
    if os.fstat(stream.fileno()).st_size != len(line) + held:
        raise ValueError("it is not as large as it says")
    return Entry(found["before"], found["after"], pages, stream)


def _first_missing(entries: list[Entry], image: FileImage) -> int | None:
    """Return the first entry that a file does not hold, their number if it holds all, None if they do not lead on from it."""
    if any(one.after != other.before for one, other in itertools.pairwise(entries)):
        return None
    mark = image.mark() if entries else None
    states = [entry.before for entry in entries] + [entry.after for entry in entries[-1:]]
    return states.index(mark) if mark in states else None if entries else 0
