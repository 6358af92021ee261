"""Read a result file that anybody may have written: the one way to its groups, datasets and attributes.

HDF5 can do more than hold numbers: a name may stand for an object of another file, a dataset for data that lie elsewhere or are
computed from other datasets, and a few bytes for terabytes. Nothing of that is followed. What is read are groups and datasets under
hard links, each under one name; datasets of plain numbers that lie in this file as they are, each in a place of its own; and
attributes that are numbers or text. Sizes are compared before memory is taken, so that reading takes no more of it than the file
is large.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import h5py
import numpy as np
from h5py import h5, h5a, h5d, h5g, h5l, h5o, h5p, h5s, h5t

from tinyticket.errors import InputError
from tinyticket.store.file_image import FileImage
from tinyticket.store.old_text import read_old_text

LONGEST_TEXT = 4 << 20
LONGEST_NAME = 255
KINDS = {int: (h5t.INTEGER, h5t.NATIVE_INT64, np.int64), float: (h5t.FLOAT, h5t.NATIVE_DOUBLE, np.float64)}

Shapes = Mapping[str, tuple[int, ...]]
P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """What has been read of a file, so that nothing counts twice: each object has one name, each byte one owner."""

    def __init__(self, size: int):
        self.size = size
        self.reached: set[str] = set()
        self.made: dict[Any, Any] = {}  # of groups, by `Group.once`
        self._objects: dict[int, str] = {}
        self._taken: dict[str, int] = {}
        self._total = 0

    def reach(self, address: int, path: str) -> None:
        """Note that an object was reached; raise ValueError if it has another name too."""
        if (other := self._objects.setdefault(address, path)) != path:
            raise ValueError(f"it is {other} under a second name")
        self.reached.add(path)

    def take(self, path: str, count: int) -> None:
        """Note that bytes are about to be read; raise ValueError if the file has not so many."""
        self._total += count - self._taken.get(path, 0)
        self._taken[path] = count
        if self._total > self.size:
            raise ValueError("the file is smaller than what it says it holds")


class Source:
    """An open file: its bytes, how messages call it, and its ledger."""

    def __init__(self, file: h5py.File, image: FileImage, where: str, ledger: Ledger):
        self.where, self.ledger = where, ledger
        self._file, self.image = file, image

    @property
    def root(self) -> Group:
        """The group that everything is in."""
        return Group(self, h5g.open(self._file.id, b"/"), "")

    def bytes_at(self, start: int, count: int) -> bytes:
        """Return bytes of the file; raise ValueError if it has none there."""
        if not 0 <= start <= start + count <= self.ledger.size:
            raise ValueError("an address lies outside of the file")
        return bytes(self.image.read_at(start, count))


def _checked(method: Callable[Concatenate[Group, P], T]) -> Callable[Concatenate[Group, P], T]:
    """Turn what HDF5 raises about damaged files, errors of many classes, into InputError."""

    @functools.wraps(method)
    def checked(group: Group, *arguments: P.args, **options: P.kwargs) -> T:
        try:
            found = method(group, *arguments, **options)
            group._source.image.check(group._source.where)
            return found
        except InputError:
            raise
        except Exception as error:
            name = next((text for text in arguments if isinstance(text, str)), "")
            words = str(error.args[0] if isinstance(error, KeyError) and error.args else error) or type(error).__name__
            raise group.damage(words.splitlines()[0], name) from error

    return checked


class Group:
    """A group of a result file; its methods raise InputError if what they return is missing or nothing that this program writes."""

    def __init__(self, source: Source, id: h5g.GroupID, path: str):
        self._source, self._id, self._path = source, id, path

    def damage(self, reason: str, name: str = "") -> InputError:
        """Return the error that something here is not as it was written; raise what came up if it could not be read."""
        self._source.image.check(self._source.where)
        return InputError(f"{self._source.where} is damaged: {self._join(name) or '/'}: {reason}")

    def once(self, make: Callable[[Group], T]) -> T:
        """Return what a function makes of this group, made once while the file stays as it is."""
        made, key = self._source.ledger.made, (self._path, make)
        if key not in made:
            made[key] = make(self)
        return made[key]

    # -- what is in it

    @_checked
    def names(self) -> list[str]:
        """Return the names of groups and datasets, in the order in which they were written where the file keeps it."""
        found: list[bytes] = []
        in_order = self._id.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
        self._id.links.iterate(found.append, idx_type=h5.INDEX_CRT_ORDER if in_order else h5.INDEX_NAME)
        names = [name.decode() for name in found]
        for name in names:
            if not name.isprintable() or len(name) > LONGEST_NAME:
                raise ValueError(f"{name[:LONGEST_NAME]!r} is no name of anything")
        return names

    @_checked
    def __contains__(self, path: str) -> bool:
        name, _, rest = path.partition("/")
        return self._id.links.exists(name.encode()) and (not rest or rest in self.group(name))

    @_checked
    def group(self, path: str) -> Group:
        """Return the group at a path below this one."""
        if (joined := self._join(path)) in self._source.ledger.reached:  # step by step, once before
            id = h5o.open(self._id, path.encode())
            if isinstance(id, h5g.GroupID):
                return Group(self._source, id, joined)
        name, _, rest = path.partition("/")
        found = Group(self._source, self._open(name, h5g.GroupID, "group"), self._join(name))
        return found.group(rest) if rest else found

    @_checked
    def array(self, name: str, shape: tuple[int, ...] | None = None, table: np.dtype | None = None) -> np.ndarray:
        """Return a dataset of numbers, of a shape if one is given, or a table of rows with the fields of a dtype."""
        id, found, dtype = self._dataset(name)
        if shape is not None and found != shape:
            raise ValueError(f"it has the shape {found} instead of {shape}")
        if table is None and (dtype.kind not in "fiub" or dtype.itemsize > 8):
            raise ValueError(f"it holds values of type {dtype} instead of numbers")
        if table is not None and (len(found) != 1 or not _alike(dtype, table)):
            raise ValueError(f"it is no table of {', '.join(table.names or ())}")
        size = math.prod(found) * dtype.itemsize
        if size:
            # Data have a place only if they lie in this file, all there and unfiltered.
            place = id.get_offset()
            if place is None or place + size > self._source.ledger.size:
                raise ValueError("its data are not in the file as they are")
            self._source.ledger.take(self._join(name), size)
        values = np.empty(found, dtype)
        if size:
            id.read(h5s.ALL, h5s.ALL, values)
        return values if table is None else values.astype(table)

    @_checked
    def outline(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return the shape of a dataset, and the kind of its numbers in a letter, as NumPy has it: "i" and "u" for whole ones."""
        _, shape, dtype = self._dataset(name)
        return shape, dtype.kind

    @_checked
    def is_group(self, name: str) -> bool:
        """Whether what has a name is a group, and no dataset."""
        return isinstance(self._open(name), h5g.GroupID)

    # -- attributes

    @_checked
    def attributes(self, of: str | None = None) -> dict[str, Any]:
        """Return all attributes of this group, or of a dataset in it: numbers, lists of whole numbers, and (of groups) text."""
        id, found = self._id if of is None else self._open(of, h5d.DatasetID, "dataset"), dict[str, Any]()
        for i in range(h5a.get_num_attrs(id)):
            attribute = h5a.open(id, index=i)
            name = attribute.name.decode() if isinstance(attribute.name, bytes) else attribute.name
            kind = attribute.get_type().get_class()
            if kind == h5t.STRING and of is None:
                found[name] = self.text(name)
            elif kind == h5t.FLOAT:
                found[name] = self.number(name, float, of)
            else:
                found[name] = self._numbers(name, int, of, () if attribute.shape == () else None)
        return found

    @_checked
    def has(self, name: str, of: str | None = None) -> bool:
        """Whether there is an attribute, of this group or of a dataset in it."""
        return h5a.exists(self._id if of is None else self._open(of, h5d.DatasetID, "dataset"), name.encode())

    def number(self, name: str, kind: type, of: str | None = None) -> Any:
        """Return an attribute that is a single int or float, of this group or of a dataset in it."""
        return self._numbers(name, kind, of, ())

    def sizes(self, name: str, of: str) -> tuple[int, ...]:
        """Return an attribute of a dataset that is a list of whole numbers, such as a shape."""
        return tuple(self._numbers(name, int, of, None))

    @_checked
    def text(self, name: str) -> str:
        """Return an attribute that is text."""
        attribute = h5a.open(self._id, name.encode())
        kind = attribute.get_type()
        if kind.get_class() != h5t.STRING:
            raise ValueError("it is no text")
        if kind.is_variable_str():
            address = h5o.get_info(self._id).addr
            content = read_old_text(self._source.bytes_at, address, name.encode(), LONGEST_TEXT)
            self._source.ledger.take(f"{self._path}@{name}", len(content))
            return content.decode()
        if attribute.get_storage_size() != kind.get_size():
            raise ValueError("it is no single text")
        held = np.empty((), f"S{kind.get_size()}")
        attribute.read(held, kind)
        return held.item().decode()

    @_checked
    def json(self, name: str) -> dict[str, Any]:
        """Return an attribute that is a JSON object."""
        found = json.loads(self.text(name))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        return found

    # -- everything

    @_checked
    def check(self) -> None:
        """Look at everything below, so that writing into this file neither follows a link nor meets what HDF5 cannot read."""
        for i in range(h5a.get_num_attrs(self._id)):
            attribute = h5a.open(self._id, index=i)
            if attribute.get_type().get_class() == h5t.STRING:
                self.text(attribute.name.decode() if isinstance(attribute.name, bytes) else attribute.name)
        for name in self.names():
            if isinstance(found := self._open(name), h5g.GroupID):
                Group(self._source, found, self._join(name)).check()
            elif isinstance(found, h5d.DatasetID):
                self.outline(name)

    def _open(self, name: str, kind: type = object, words: str = "") -> Any:
        encoded = name.encode()
        try:
            link = self._id.links.get_info(encoded)
        except KeyError:
            raise self.damage("it is missing", name) from None
        if link.type != h5l.TYPE_HARD:
            raise self.damage("it is a link to something else", name)
        found = h5o.open(self._id, encoded)
        if not isinstance(found, kind):
            raise self.damage(f"it is no {words}", name)
        self._source.ledger.reach(h5o.get_info(found).addr, self._join(name))
        return found

    def _join(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path and name else name or self._path

    def _dataset(self, name: str) -> tuple[h5d.DatasetID, tuple[int, ...], np.dtype]:
        id = self._open(name, h5d.DatasetID, "dataset")
        if id.get_offset() is None and id.get_create_plist().get_layout() == h5d.VIRTUAL:
            raise self.damage("its data are those of other datasets", name)  # asking for its shape would open them
        shape = id.shape
        if shape is None:
            raise self.damage("it holds nothing", name)
        return id, shape, id.dtype

    @_checked
    def _numbers(self, name: str, kind: type, of: str | None, shape: tuple[int, ...] | None) -> Any:
        id = self._id if of is None else self._open(of, h5d.DatasetID, "dataset")
        attribute = h5a.open(id, name.encode())
        stored, memory, dtype = KINDS[kind]
        of_type = attribute.get_type()
        count, rest = divmod(attribute.get_storage_size(), of_type.get_size())
        if of_type.get_class() != stored or rest or not (count == 1 if shape == () else count <= 32):
            raise ValueError(f"its attribute {name} is no {'number' if shape == () else 'shape'}")
        held = np.empty(() if shape == () else (count,), dtype)
        if count:
            attribute.read(held, memory)
        return held.item() if shape == () else held.tolist()


def _alike(found: np.dtype, table: np.dtype) -> bool:
    """Whether a table has the fields of another, whatever the order of their bytes."""
    if found.names != table.names:
        return False
    return all(
        (found[name].kind, found[name].itemsize) == (table[name].kind, table[name].itemsize)
        for name in table.names or ()
    )
