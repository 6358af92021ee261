"""What a question reads of a result file: one that meets nothing changed has the answer that it had before.

Whatever reads a result file asks the groups of `tinyticket.store.reading`, so that its answer follows from theirs. What a question
asks them of a whole file is written down once; of a damaged one, they are asked the same, and only questions to which something is
answered otherwise are asked themselves.
"""

from collections.abc import Callable, Hashable, Iterable
from functools import wraps
from unittest import mock

import numpy as np

from tinyticket.errors import InputError
from tinyticket.store.reading import Group

METHODS = (
    *("names", "__contains__", "group", "array", "outline", "is_group", "attributes"),
    *("has", "number", "sizes", "text", "json", "check"),
)

Reading = tuple[str, str, tuple, tuple]
"""The path of a group, the name of its method, the arguments and the options of the call."""


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


class Answers(dict[Reading, Hashable]):
    """What the groups of an open file answer, each reading made when it is first looked up."""

    def __init__(self, root: Group):
        super().__init__()
        self._groups = {"": root}

    def __missing__(self, reading: Reading) -> Hashable:
        path, method, arguments, options = reading
        try:
            if path not in self._groups:
                self._groups[path] = self._groups[""].group(path)
            self[reading] = _plain(getattr(self._groups[path], method)(*arguments, **dict(options)))
        except InputError as error:
            self[reading] = error.args
        return self[reading]

    def all_as(self, other: "Answers", readings: Iterable[Reading]) -> bool:
        """Whether readings have the answers that another file gives."""
        return all(self[reading] == other[reading] for reading in readings)


def _plain(found: object) -> Hashable:
    """Return an answer in a form that compares bit for bit."""
    if isinstance(found, np.ndarray):
        return str(found.dtype), found.shape, found.tobytes()
    return "a group" if isinstance(found, Group) else repr(found)
