"""What stands in a group of the file, as plain values: the form in which it is written, read whole, and digested."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from tinyticket.store.reading import Group

LONGEST_FIXED = 60_000  # of the 64 KiB that HDF5 has for an attribute


class Contents(NamedTuple):
    """Arrays by their path below a group, and attributes by that of what has them: "" is the group itself.

    An attribute is a number, a list of whole numbers, text, or a dict, which is JSON in the file.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, dict[str, Any]]


def write(group: h5py.Group, contents: Contents) -> None:
    """Write contents into a new group; groups in it keep the order of their members, which for states is the model's."""
    for path, value in contents.arrays.items():
        inner, _, name = path.rpartition("/")
        if inner and inner not in group:
            ordered_group(group, inner)
        (group[inner] if inner else group).create_dataset(name, data=value)
    for path, attributes in contents.attributes.items():
        target = group[path] if path else group
        for name, value in attributes.items():
            if isinstance(value, dict):
                write_json(target, name, value)
            else:
                target.attrs[name] = np.bytes_(value) if isinstance(value, str) else value


def read(group: Group, tables: Mapping[str, np.dtype], without: Collection[str] = ()) -> Contents:
    """Return all that stands in a group and in the groups below it, whatever it is.

    `tables` has the dtypes of datasets that are tables, by name; `without` are names of the group that are left out.
    """
    found = Contents({}, {"": group.attributes()})
    for name in group.names():
        if name in without:
            continue
        if group.is_group(name):
            inner = read(group.group(name), tables)
            found.arrays.update({f"{name}/{path}": value for path, value in inner.arrays.items()})
            found.attributes.update({f"{name}/{path}".rstrip("/"): held for path, held in inner.attributes.items()})
        else:
            found.arrays[name] = group.array(name, table=tables.get(name))
            found.attributes[name] = group.attributes(name)
    return found


def ordered_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that lists its members in the order in which they were written."""
    return parent.create_group(name, track_order=True)


def write_json(group: h5py.Group, name: str, value: Any) -> None:
    """Write an attribute as JSON: of fixed length, for that lies in the header of its group and needs no heap, if it fits there."""
    text = json.dumps(value)
    group.attrs[name] = np.bytes_(text) if len(text) <= LONGEST_FIXED else text
