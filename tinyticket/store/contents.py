"""What stands in a group of the file, as plain values: the form in which it is written, read whole, and digested."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t

from tinyticket.store.reading import Group

LONGEST_FIXED = 60_000  # of the 64 KiB that HDF5 has for an attribute

# How h5py's methods create datasets, groups and links.
_UNTIMED, _IN_ORDER, _UTF8 = map(h5p.create, (h5p.DATASET_CREATE, h5p.GROUP_CREATE, h5p.LINK_CREATE))
_UTF8.set_char_encoding(h5t.CSET_UTF8)
for _created in (_UNTIMED, _IN_ORDER):
    _created.set_obj_track_times(False)
_IN_ORDER.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
_IN_ORDER.set_attr_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)


class Contents(NamedTuple):
    """Arrays by their path below a group, and attributes by that of what has them: "" is the group itself.

    An attribute is a number, a list of whole numbers, text, or a dict, which is JSON in the file.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, dict[str, Any]]

    def add(self, group: str, inner: Contents) -> None:
        """Add what stands in a group of this one."""
        self.arrays.update({f"{group}/{path}": value for path, value in inner.arrays.items()})
        self.attributes.update({f"{group}/{path}".rstrip("/"): held for path, held in inner.attributes.items()})


def write(group: h5py.Group, contents: Contents) -> None:
    """Write contents into a new group; groups in it keep the order of their members, which for states is the model's.

    A round is many small arrays and attributes, and h5py's methods check and look up several times for each what is known here:
    HDF5's own functions take a fifth of the time.
    """
    made: dict[str, Any] = {"": group.id}
    for path, value in contents.arrays.items():
        inner, _, name = path.rpartition("/")
        if inner not in made:
            made[inner] = h5g.create(group.id, inner.encode(), gcpl=_IN_ORDER)
        kind, space, value = _type_of(value.dtype), h5s.create_simple(value.shape), np.asarray(value, order="C")
        made[path] = h5d.create(made[inner], name.encode(), kind, space, _UNTIMED, None if name.isascii() else _UTF8)
        made[path].write(h5s.ALL, h5s.ALL, value, kind)
    for path, attributes in contents.attributes.items():
        for name, held in attributes.items():
            _write_attribute(made[path], name, json.dumps(held) if isinstance(held, dict) else held)


def _write_attribute(id: h5g.GroupID | h5d.DatasetID, name: str, value: Any) -> None:
    """Write a new attribute; text that fits there is of fixed length, for that lies in its group's header and needs no heap."""
    if isinstance(value, str) and len(value) > LONGEST_FIXED:
        h5py.Group(id).attrs[name] = value
        return
    array = np.asarray(value.encode() if isinstance(value, str) else value)
    kind, space = _type_of(array.dtype), h5s.create_simple(array.shape) if array.shape else h5s.create(h5s.SCALAR)
    h5a.create(id, name.encode(), kind, space).write(array, kind)


@functools.cache
def _type_of(dtype: np.dtype) -> h5t.TypeID:
    """Return HDF5's type of the elements of an array."""
    return h5t.py_create(dtype, logical=True)


def read(group: Group, tables: Mapping[str, np.dtype], without: Collection[str] = ()) -> Contents:
    """Return all that stands in a group and in the groups below it, whatever it is.

    `tables` has the dtypes of datasets that are tables, by name; `without` are names of the group that are left out.
    """
    found = Contents({}, {"": group.attributes()})
    for name in group.names():
        if name in without:
            continue
        if group.is_group(name):
            found.add(name, read(group.group(name), tables))
        else:
            found.arrays[name] = group.array(name, table=tables.get(name))
            found.attributes[name] = group.attributes(name)
    return found


def without_structure(state: Mapping[str, np.ndarray], initial: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a state without the arrays of whole numbers, such as connections, that it shares with another one."""

    def is_shared(value: np.ndarray, other: np.ndarray) -> bool:
        if value.dtype.kind not in "iu":
            return False
        return value is other or (value.dtype == other.dtype and np.array_equal(value, other))

    return {name: value for name, value in state.items() if name not in initial or not is_shared(value, initial[name])}


def with_structure(
    state: Mapping[str, np.ndarray], names: Iterable[str], structure: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return a state, in an order of names, with the arrays of a structure that it shares and does not hold itself."""
    return {name: state[name] if name in state else structure[name] for name in names}


def ordered_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that lists its members in the order in which they were written."""
    return parent.create_group(name, track_order=True)


def write_json(group: h5py.Group, name: str, value: Any) -> None:
    """Write an attribute as JSON, in the place of what it held."""
    group.attrs.pop(name, None)
    _write_attribute(group.id, name, json.dumps(value))
