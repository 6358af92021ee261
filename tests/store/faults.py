"""Commits with a fault at one of their calls of the system: `python -m tests.store.faults KIND [FIRST [STEP]]`.

A child process writes a file of seven rounds, most of them through its journal. At call FIRST, FIRST + STEP, ... of those that
change something on disk there is an error instead ("error"), or from there on at every one ("full"), or the process is killed
before or after it ("before", "after"); with "read" there is an error instead of one of the calls that change nothing. With "room"
nothing is patched: a file leaves so many bytes of the disk of $TINYTICKET_SMALL_DISK free.

Every time the file, read with its journal and with h5py alone, is what it was after one of the commits; none that had returned is
lost; an error is one sentence; and the next run ends with the bytes of a run without faults, and nothing beside them.
"""

import builtins
import errno
import fcntl
import io
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import h5py
import numpy as np

from tinyticket.errors import InputError
from tinyticket.store import Archive, archive

SIZES = [5000, 1000, 1500, 1000, 2000, 1200, 900]
CHANGING = {
    *("open", "mkdir", "rmdir", "unlink", "replace", "fsync", "chmod", "copy_file_range", "flock"),
    *("write", "writelines", "flush", "close"),
}
READING = {"stat", "lstat", "fstat", "listdir", "read", "readline", "readinto", "seek"}
METHODS = {"read", "readline", "readinto", "seek", "write", "writelines", "flush", "close"}


class Faults:
    """Patches the calls of this process; the fault comes at the one of a number. "count" counts calls, and no fault comes."""

    def __init__(self, kind: str, at: int, number: int = signal.SIGKILL):
        self.kind, self.at, self.count, self.signal = kind, at, 0, number

    def install(self) -> None:
        for name in (CHANGING | READING) - METHODS - {"flock"}:
            setattr(os, name, self.patched(name, getattr(os, name)))
        fcntl.flock = self.patched("flock", fcntl.flock)
        plain = builtins.open
        builtins.open = io.open = self.patched("open", lambda *given, **more: Stream(self, plain(*given, **more)))

    def patched(self, name, call):
        if name not in (READING if self.kind == "read" else CHANGING):
            return call

        def patched(*given, **more):
            self.count += 1
            mine = self.count == self.at + 1
            if self.kind in ("error", "read") and mine:
                raise OSError(errno.EIO, "a fault")
            if self.kind == "full" and self.count > self.at and name not in ("unlink", "rmdir"):
                raise OSError(errno.ENOSPC, "a fault")
            if self.kind == "before" and mine:
                os.kill(os.getpid(), self.signal)
            found = call(*given, **more)
            if self.kind == "after" and mine:
                os.kill(os.getpid(), self.signal)
            return found

        return patched


class Stream:
    """An open file whose methods are calls too."""

    def __init__(self, faults, stream):
        self._faults, self._stream = faults, stream

    def __getattr__(self, name):
        found = getattr(self._stream, name)
        return self._faults.patched(name, found) if name in METHODS else found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write_round(file, number):
    if number == 0:
        file.attrs["format"], file.attrs["format_version"] = "tinyticket", 1
    file.attrs["newest"] = number  # what there is changes too
    for name in ("mask", "trained"):
        values = np.random.default_rng(number).integers(0, 255, SIZES[number])
        file.create_dataset(f"rounds/{number}/{name}", data=values)


def run(path, told=lambda text: None):
    """Write the rounds that are not there."""
    held = Archive(path)
    with held.locked():
        for number in range(read(path)[0] if held.exists else 0, len(SIZES)):
            held.commit(lambda file, number=number: write_round(file, number))
            told(f"{number}\n")


def read(path):
    """Return how many rounds there are, with the journal and for h5py alone."""
    with Archive(path).read() as root:
        names = root.group("rounds").names()
        assert root.number("newest", int) == len(names) - 1
        for number, name in enumerate(names):
            for part in ("mask", "trained"):
                values = root.group(f"rounds/{name}").array(part)
                assert (values == np.random.default_rng(number).integers(0, 255, SIZES[number])).all()
    with h5py.File(path) as file:
        alone = len(file["rounds"])
        assert file.attrs["newest"] == alone - 1
        assert file[f"rounds/{alone - 1}/trained"].shape == (SIZES[alone - 1],)
    return len(names), alone


def expected():
    """Return the bytes that HDF5 makes of all rounds in memory."""
    image = io.BytesIO()
    for number in range(len(SIZES)):
        with h5py.File(image, "r+" if number else "w") as file:
            write_round(file, number)
    return image.getvalue()


def child(path, kind, at):
    """Run with a fault in another process; return what it said, and whether the fault came."""
    reader, writer = os.pipe()
    if process := os.fork():
        os.close(writer)
        with open(reader) as stream:
            said = stream.read().splitlines()
        return said, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    tell, faults, code = (lambda text: os.write(writer, text.encode())), Faults(kind, at), 1
    try:
        if kind != "room":
            faults.install()
        run(path, tell)
        code = 0 if faults.count > at else 3
    except InputError as error:
        tell(f"{error}\n")
        code = 2
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def check(folder, kind, at, whole):
    """Have one fault; return whether there is one at this call."""
    path = folder / "ticket.h5"
    filler = folder / "filler"
    if kind == "room":
        with open(filler, "wb") as stream:
            free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
            os.posix_fallocate(stream.fileno(), 0, free - at)
    said, code = child(path, kind, at)
    filler.unlink(missing_ok=True)
    committed = [line for line in said if line.isdecimal()]
    if code in (0, 3):
        assert len(committed) == len(SIZES), said
    elif code == 2:
        assert len(said) == len(committed) + 1, said
        assert "ticket.h5" in said[-1], said
    else:
        assert code == -signal.SIGKILL, said
        assert len(said) == len(committed), said
    assert path.exists() or not committed
    if path.exists():
        held, alone = read(path)
        assert len(committed) <= held <= len(committed) + 1, said
        assert alone <= held
    run(path)
    assert path.read_bytes() == whole
    assert os.listdir(folder) == ["ticket.h5"], os.listdir(folder)
    path.unlink()
    return code != 3


def main(kind, first=0, step=1):
    archive.JOURNAL_FROM = 0
    whole, count, at = expected(), 0, first
    disk = os.environ["TINYTICKET_SMALL_DISK"] if kind == "room" else None
    with tempfile.TemporaryDirectory(dir=disk) as folder:
        while True:
            try:
                if not check(Path(folder), kind, at, whole) or (kind == "room" and at > 4 * len(whole)):
                    break
            except BaseException:
                print(f"{kind} at {at}:", file=sys.stderr)
                raise
            at, count = at + step, count + 1
    print(f"{count} faults of the kind {kind}")
    return count


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    main(kind, *map(int, numbers))
