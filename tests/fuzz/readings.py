"""What a question reads of a result file: one that meets nothing changed has the answer that it had before.

Whatever reads a result file asks the groups of `tinyticket.store.reading`, so that its answer follows from theirs, and theirs from
the bytes that HDF5 looks at for them. Both are written down once, of a whole file. Of a damaged one, groups are asked again where
such bytes have changed, and only questions to which they answer otherwise are asked themselves.
"""

import math
from collections.abc import Callable, Hashable, Iterable
from functools import wraps
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np

from tinyticket.errors import InputError
from tinyticket.store import Archive
from tinyticket.store.file_image import FileImage
from tinyticket.store.reading import Group, Ledger, Source

METHODS = (
    *("names", "__contains__", "group", "array", "outline", "is_group", "attributes"),
    *("has", "number", "sizes", "text", "json", "check"),
)

Reading = tuple[str, str, tuple, tuple]
"""The path of a group, the name of its method, the arguments and the options of the call."""

HUGE = 1e6

END = slice(40, 48)
"""The bytes of an HDF5 file's header that hold the length of the file."""


def readings(ask: Callable) -> tuple[set[Reading], bool]:
    """Ask a question, and return what it reads and whether it was refused."""
    found, within = set[Reading](), []

    def noted(name: str) -> Callable:
        plain = getattr(Group, name)

        @wraps(plain)
        def method(group, *arguments, **options):
            if not within:
                found.add((group._path, name, arguments, tuple(options.items())))
            within.append(name)
            try:
                return plain(group, *arguments, **options)
            finally:
                within.pop()

        return method

    refused = False
    with mock.patch.multiple(Group, **{name: noted(name) for name in METHODS}):
        try:
            ask()
        except InputError:
            refused = True
    arrays = {(path, arguments[0]) for path, method, arguments, _ in found if method == "array"}
    implied = {one for one in found if one[1] in ("is_group", "outline") and (one[0], one[2][0]) in arrays}
    return found - implied, refused


class Answer(NamedTuple):
    """The answer of a group to a reading: its kind, and the bits of an array."""

    kind: Hashable
    bits: bytes = b""


class Answers(dict[Reading, Answer]):
    """What the groups of an open file answer, each reading made when it is first looked up."""

    def __init__(self, root: Group):
        super().__init__()
        self._groups = {"": root}

    def __missing__(self, reading: Reading) -> Answer:
        path, method, arguments, options = reading
        try:
            if path not in self._groups:
                self._groups[path] = self._groups[""].group(path)
            self[reading] = _plain(getattr(self._groups[path], method)(*arguments, **dict(options)))
        except InputError:
            self[reading] = Answer("refused")
        return self[reading]


class Looked:
    """A group of a whole file: what it answers, and what was looked at for that in a file opened for it alone.

    Attributes
    ----------
    at : ndarray of bool
        For each byte of the file, whether HDF5 looked at it.
    objects, taken : dict
        What the ledger of the file then knew: addresses with their paths, and how many bytes of datasets were read.
    """

    def __init__(self, path: Path, size: int, readings: Iterable[Reading]):
        self.at, fill = np.zeros(size, bool), FileImage._fill

        def noted(image: FileImage, view: memoryview, start: int) -> None:
            self.at[start : start + len(view)] = True
            fill(image, view, start)

        with mock.patch.object(FileImage, "_fill", noted), Archive(path).read() as root:
            self.answers = Answers(root)
            for reading in readings:
                self.answers[reading]
            ledger = root._source.ledger
            self.objects, self.taken = ledger._objects, ledger._taken


class Reach:
    """Which answers of a whole file's groups damage changes.

    Parameters
    ----------
    path
        The whole file.
    reads
        What each question reads of it, by name.
    """

    def __init__(self, path: Path, reads: dict[str, set[Reading]]):
        self._bytes, self._reads = np.frombuffer(path.read_bytes(), np.uint8), reads
        self._all = _by_group(set().union(*reads.values()))
        self._groups = {group: Looked(path, self._bytes.size, held) for group, held in self._all.items()}

    def touched(self, content: bytes) -> set[str]:
        """Return the groups for whose answers HDF5 looks at bytes that have changed."""
        found, size = np.frombuffer(content, np.uint8), self._bytes.size
        changed = np.ones(size, bool)
        changed[: found.size] = found[:size] != self._bytes[: found.size]
        if int.from_bytes(content[END], "little") == len(content) >= size:
            changed[END] = False  # a file may grow
        return {name for name, group in self._groups.items() if (group.at & changed).any()}

    def is_asked(self, question: str, touched: set[str]) -> bool:
        """Whether a question reads any of some groups."""
        return any(group in touched for group, *_ in self._reads[question])

    def changes(self, root: Group, touched: set[str], questions: list[str]) -> dict[str, frozenset]:
        """Return which groups answer otherwise, and what kind of thing, to some questions, for those where any does."""
        if not touched:
            return {}
        asked, found = set().union(*(self._reads[question] for question in questions)), dict[Reading, Hashable]()
        # A ledger of its own, so that the questions meet nothing as if it had been read before.
        ledger = Ledger(root._source.ledger.size)
        now = Answers(Source(root._source._file, root._source.image, root._source.where, ledger).root)
        for name in self._groups.keys() - touched:
            for address, place in self._groups[name].objects.items():
                ledger.reach(address, place)
            for place, count in self._groups[name].taken.items():
                ledger.take(place, count)
        for name in sorted(touched):
            before, whole = self._groups[name].answers, (name, "attributes", (), ())
            same = whole in before and now[whole] == before[whole]
            for reading in self._all[name]:
                if reading in asked and not (same and _is_of_attributes(reading)) and now[reading] != before[reading]:
                    found[reading] = now[reading].kind
        changed = {question: self._reads[question] & found.keys() for question in questions}
        return {name: frozenset((each, found[each]) for each in held) for name, held in changed.items() if held}


def _is_of_attributes(reading: Reading) -> bool:
    """Whether a reading is of what the attributes of its group tell, which are read together too."""
    _, method, arguments, options = reading
    return not options and (method in ("text", "json") or (method, len(arguments)) in (("has", 1), ("number", 2)))


def _by_group(readings: set[Reading]) -> dict[str, list[Reading]]:
    """Return readings by the paths of their groups, in an order that is always the same."""
    found: dict[str, list[Reading]] = {}
    for reading in sorted(readings, key=repr):
        found.setdefault(reading[0], []).append(reading)
    return found


def _plain(found: object) -> Answer:
    """Return an answer in a form that compares bit for bit."""
    if isinstance(found, np.ndarray):
        return Answer((str(found.dtype), found.shape, _traits(found)), found.tobytes())
    return Answer("a group" if isinstance(found, Group) else repr(found))


def _traits(values: np.ndarray) -> Hashable:
    """Return traits of an array, or of each column of a table, that readers may overlook: empty, NaN, negative or huge numbers."""
    if values.dtype.names:
        return tuple(_traits(values[name]) for name in values.dtype.names)
    if not values.size:
        return "empty"
    with np.errstate(all="ignore"):
        least, most = float(values.min()), float(values.max())  # NaN if there is any
    return math.isnan(least), math.copysign(1, least), abs(least) > HUGE, most > HUGE
