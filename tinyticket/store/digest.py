"""Digests of what a file holds: each of the contents of a group and of the digest before it, up to one of the whole file.

They do not depend on how HDF5 lays a file out, nor on when, where, in which order and with how many interruptions it was written:
two files with equal results have equal digests. docs/format.md defines them, so that they can be computed with h5py and hashlib.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from tinyticket.store import contents, layout
from tinyticket.store.contents import Contents
from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY

DIGEST = "digest"
"""The attribute that holds the digest of a group, and at the root that of the file."""

FILE = "/"
"""The place of the digest of the whole file."""

OUTSIDE = (DIGEST, "seconds", "cpu")
"""Attributes of a training that are not digested: two trainings with equal results may differ in them."""

UNFELT = "subnormals"
"""What a plan says of arithmetic that hardly any training feels, and that is not digested: where one did, its arrays say so."""

ASKED = ("rounds", "trials")
"""Settings that decide how far an experiment goes and not what comes of a training: a larger number extends the file."""

FIRST = "first_trial"
"""The setting that decides with which trial a file begins, where other files have those before."""


def digest(place: str, held: Contents, covered: Mapping[str, str]) -> str:
    """Return the digest of contents that stand at a place of the file, and of other digests by their names."""
    return _of_document(place, _arrays(held.arrays), _attributes(held.attributes), covered)


def of_experiment(header: Mapping[str, Any]) -> str:
    """Return the digest of what all trainings share: config (but for how far it goes), model, data, networks and seed."""
    config = {name: value for name, value in header["config"].items() if name not in (*ASKED, FIRST)}
    shared = {name: header[name] for name in ("model", "data", "networks", "seed")}
    return digest("", Contents({}, {"": {"config": config, **shared}}), {})


def of_file(header: Mapping[str, Any], experiment: str, last: Mapping[int, str]) -> str:
    """Return the digest of a file, given that of its experiment and those of the last rounds of its trials."""
    reached = {name: header["config"][name] for name in ASKED}
    if header.get(layout.DIVERGED):
        reached[layout.DIVERGED] = header[layout.DIVERGED]
    trials = {layout.trial_path(trial): value for trial, value in last.items()}
    return digest(FILE, Contents({}, {"": reached}), {"experiment": experiment, **trials})


def seal(group: h5py.Group, held: Contents, covered: Mapping[str, str]) -> str:
    """Write contents into a new group together with their digest, and return that."""
    value = digest(group.name.strip("/"), held, covered)
    attributes = {**held.attributes, "": {**held.attributes.get("", {}), DIGEST: value}}
    contents.write(group, Contents(held.arrays, attributes))
    return value


def remove(file: h5py.File) -> None:
    """Remove all digests of a file, where so much of it changes that they are written anew at the end."""

    def forget(_: str, thing: h5py.Group | h5py.Dataset) -> None:
        if DIGEST in thing.attrs:  # which is not read: a stranger's may be anything
            del thing.attrs[DIGEST]

    forget("", file)
    file["trials"].visititems(forget)


def record(group: h5py.Group, value: str) -> None:
    """Write a digest."""
    group.attrs[DIGEST] = np.bytes_(value)


class Examined(NamedTuple):
    """What the digests of a file are and should be, by the place of what they are of; FILE is that of the whole file."""

    found: dict[str, str]  # computed from all that the file holds
    recorded: dict[str, Any]  # as they stand in the file; None where there is none
    expected: dict[str, str]  # computed from what stands in a place and from the recorded digests of what comes before
    last: dict[int, str]  # those of `found` that cover a whole trial


def examine(root: Group, header: Mapping[str, Any]) -> Examined:
    """Read a whole file and compute its digests; raise InputError where it is damaged."""
    experiment, last = of_experiment(header), dict[int, str]()
    examined = Examined({"": experiment}, {}, {}, {})
    for trial in layout.read_numbers(root.group("trials")):
        for place, held, covered in _links(root, trial):
            examined.recorded[place] = held.attributes.get("", {}).get(DIGEST)
            before = {name: examined.found[other] for name, other in covered.items()}
            stands = {name: examined.recorded.get(other) or before[name] for name, other in covered.items()}
            plain = _arrays(held.arrays), _attributes(held.attributes)
            examined.found[place] = examined.last[trial] = _of_document(place, *plain, before)
            examined.expected[place] = _of_document(place, *plain, stands)
            last[trial] = examined.recorded[place] or examined.found[place]
    examined.recorded[FILE] = root.attributes().get(DIGEST)
    examined.found[FILE] = of_file(header, experiment, examined.last)
    examined.expected[FILE] = of_file(header, experiment, last)
    return examined


def renew(file: h5py.File, examined: Examined) -> None:
    """Write all digests of a file as they should be."""
    for place in examined.recorded:
        record(file[place], examined.found[place])


def _links(root: Group, trial: int) -> Iterator[tuple[str, Contents, dict[str, str]]]:
    """Yield what has a digest, in order: its place, what it holds, and by their names the places of the digests that it covers."""
    before, trial_group = "", root.group(layout.trial_path(trial))
    for name in ("init", "rewind"):
        if name in trial_group:
            place = f"{layout.trial_path(trial)}/{name}"
            yield place, _read(root.group(place)), {"before": before}
            before = place
    for number in layout.read_numbers(trial_group.group("rounds"), digits=2):
        place, covered = layout.round_path(trial, number), {"before": before}
        round = root.group(place)
        names = [f"controls/{name}" for name in round.group("controls").names()] if "controls" in round else []
        for name in (*names, *(["continued"] if "continued" in round else [])):
            covered[name] = f"{place}/{name}"
            yield covered[name], _read(round.group(name)), {"before": before}
        yield place, _read(round, ("controls", "continued")), covered
        before = place


def _read(group: Group, without: tuple[str, ...] = ()) -> Contents:
    return contents.read(group, {"history": HISTORY}, without)


def _of_document(place: str, arrays: Mapping, attributes: Mapping, covered: Mapping[str, str]) -> str:
    document = {"place": place, "arrays": arrays, "attributes": attributes, "digests": dict(covered)}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    found = {}
    for path, value in arrays.items():
        dtype = value.dtype.descr if value.dtype.names else value.dtype.str
        content: Any = np.ascontiguousarray(value) if value.size else b""
        found[path] = {"dtype": dtype, "shape": value.shape, "sha256": hashlib.sha256(content).hexdigest()}
    return found


def _attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return attributes as JSON values: text that is a JSON object as that object."""
    found = {path: {name: _plain(value) for name, value in held.items()} for path, held in attributes.items()}
    if "" in found:
        found[""] = {name: value for name, value in found[""].items() if name not in OUTSIDE}
        if "plan" in found[""]:
            found[""]["plan"] = _felt(found[""]["plan"])
    return {path: held for path, held in found.items() if held}


def _felt(plan: Any) -> Any:
    """Return a plan without what hardly any training feels, in it and in those before it."""
    if isinstance(plan, list):
        return [_felt(each) for each in plan]
    if not isinstance(plan, dict):
        return plan
    before = {"before": _felt(plan["before"])} if "before" in plan else {}
    return {**{name: value for name, value in plan.items() if name != UNFELT}, **before}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return json.loads(json.dumps(value))
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):  # else it is text that begins so
            return json.loads(value)
    return value
