"""A process of bounded memory that loads strange data files, one case after the other.

    python -m tests.fuzz.data_worker FORMAT FIRST COUNT [SECONDS]

Prints each case that ended in anything but a data set or one sentence, and at last how many ended how. It ends itself when
a case takes too long (the last line on stdout is then that case's number), or is ended when SECONDS are over.
"""

import codecs
import faulthandler
import itertools
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import tinyticket.data
from tests.fuzz.data_files import CANARY
from tests.fuzz.formats import FORMATS, draw
from tinyticket.data.idx import read_idx
from tinyticket.errors import InputError
from tinyticket.store.weights import Weights, read_weights

MEMORY = 1 << 29  # bytes of address space beyond those of a process that has loaded honest files
PATIENCE = 5  # seconds that a case may take

IGNORED = {
    "compile", "import", "marshal.loads", "object.__getattr__", "object.__setattr__", "code.__new__", "sys._getframe",
    "array.__new__", "builtins.id",
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """Notes what a case does besides reading its own files: Python's audit hooks tell."""

    def __init__(self, folder):
        self.folder, self.seen, self.on = str(folder), [], False
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.on and event not in IGNORED and not (event == "open" and self.is_harmless(*arguments)):
            self.seen.append((event, *map(repr, arguments)))

    def is_harmless(self, path, mode, flags):
        return str(path).startswith(self.folder) and not flags & WRITING


def load(form, folder, files):
    """Return the data sets and arrays that the library makes of a case's files."""
    if form in ("npz", "sparse"):
        return tinyticket.data.load(folder / "mine.npz")
    if form == "table":
        (name,) = files
        attempt(tinyticket.data.tables.load_csv, folder / name, "c0", True)
        return tinyticket.data.load(folder / name)
    (name,) = {path.partition("/")[0] for path in files}
    if form == "weights":
        return read_weights(folder / name)
    if form == "idx":
        for path in files:
            if isinstance(array := attempt(read_idx, folder / path), np.ndarray):
                assert array.dtype.isnative
    if name == "cifar100" and (coarse := attempt(tinyticket.data.load, "cifar100-coarse", folder)):
        check(coarse)
    return tinyticket.data.load(name, folder)


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except InputError:
        return None


def check(data):
    """Check a data set's invariants, or those of weights."""
    if isinstance(data, Weights):
        assert all(mask.dtype == bool for mask in data.masks.values())
        return
    assert isinstance(data, tinyticket.data.Dataset)
    for x, y in (data.x_train, data.y_train), (data.x_test, data.y_test):
        assert len(x) == len(y) > 0
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert x.shape[1:] == data.input_shape
        if isinstance(x, tinyticket.data.SparseInputs):  # rows may be so wide that they are not to be made dense
            check_sparse(x)
        else:
            assert np.isfinite(x[:]).all()
        assert 0 <= y.min() <= y.max() < data.classes
    data.fingerprints()


def check_sparse(x):
    """Check what kernels, which check nothing, go by."""
    assert (x.starts.dtype, x.columns.dtype, x.values.dtype) == (np.int64, np.int32, np.float32)
    assert len(x.starts) == len(x) + 1
    assert x.starts[0] == 0
    assert x.starts[-1] == x.columns.size == x.values.size
    assert (np.diff(x.starts) >= 0).all()
    assert (np.isfinite(x.values) & (x.values != 0)).all()
    for first, last in itertools.pairwise(x.starts):
        row = x.columns[first:last].astype(np.int64)
        assert (np.diff(row) > 0).all()
        assert row.size == 0 or 0 <= row[0] <= row[-1] < x.shape[1]


def outcome(form, folder, files, watch):
    """Return "data", "refused", or the words for what is wrong."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    watch.seen, watch.on = [], True
    try:
        data = load(form, folder, files)
    except InputError as error:
        sentence = str(error)
        if not sentence.isprintable() or len(sentence) > 1500 or "larger than the memory" in sentence:
            return f"a bad sentence: {sentence!r}"
        return "refused"
    except Exception:
        watch.on = False
        return traceback.format_exc()
    else:
        check(data)
        return "data"
    finally:
        watch.on = False
        for path in files:
            (folder / path).unlink()


def contents(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def bound():
    """Bound memory, and how long a case may take."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(form, first, count, seconds=float("inf")):
    warnings.simplefilter("error")
    ends, started, done = Counter(), time.monotonic(), 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as place:
        folder = Path(place) / "a" / "b"
        folder.mkdir(parents=True)
        (Path(place) / CANARY).write_bytes(b"untouched")
        os.chdir(place)
        watch = Watch(folder)
        codecs.lookup("raw-unicode-escape")
        for number in range(-50, 0):  # everything that is imported late is imported
            outcome(form, folder, draw(form, number), watch)
        bound()
        for number in range(first, first + count):
            if time.monotonic() - started > seconds:
                break
            signal.alarm(PATIENCE)
            print(f"\r{number} ", end="", flush=True)
            end = outcome(form, folder, draw(form, number), watch)
            if watch.seen:
                end = f"something else was done: {watch.seen} ({end})"
            if end not in ("data", "refused"):
                print(f"\ncase {form} {number}: {end}", flush=True)
                end = "wrong"
            ends[end] += 1
            done += 1
        signal.alarm(0)
        assert contents(Path(place)) == {f"{place}/{CANARY}": b"untouched"}
        os.chdir("/")
    spent = time.monotonic() - started
    print(f"\n{form}: {done} cases from {first}, {dict(ends)}, {done / spent:.0f} a second")
    return 1 if ends["wrong"] else 0


if __name__ == "__main__":
    assert sys.argv[1] in FORMATS
    faulthandler.register(signal.SIGALRM, chain=True)  # says where it was, and ends
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *map(float, sys.argv[4:])))
