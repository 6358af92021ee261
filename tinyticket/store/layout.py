"""Where everything stands in the file: the one place that knows its groups and attributes (specified in docs/format.md)."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import h5py
import numpy as np

from tinyticket._version import __version__
from tinyticket.commit import commit
from tinyticket.errors import InputError
from tinyticket.store.contents import Contents, with_structure, without_structure, write_json
from tinyticket.store.reading import Group, Shapes
from tinyticket.store.run import Run

State = Mapping[str, np.ndarray]

FORMAT_VERSION = 1
MASK_STAYS = ("ticket", "init", "inverted")
"""Origins of masks with which a training begins and ends; other names are of methods that begin with a dense network."""

DIVERGED = "diverged"

UNFINISHED = "unfinished"
"""The attribute that lists trials under way of which the file has no round, while it has some of a later trial."""

EARLIER = "earlier"
"""The attribute that says which versions and machines trained the first rounds, where they are not those of the last run."""


def write_header(
    file: h5py.File, *, config: Mapping, model: Mapping, data: Mapping, networks: Mapping, seed: int
) -> None:
    """Write (or renew) what the whole experiment shares, as attributes of the root."""
    if "format" not in file.attrs:
        file.attrs["format"] = "tinyticket"
    _keep_earlier(file)
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["seed"] = seed
    texts = {
        "config": config,
        "model": model,
        "data": data,
        "networks": networks,
        "versions": versions(),
        "machine": machine(),
    }
    for name, value in texts.items():
        write_json(file, name, value)


def _keep_earlier(file: h5py.File) -> None:
    """Keep which versions and machine trained the rounds that are there, if others go on with the file."""
    if "trials" not in file:
        return
    before = {name: json.loads(file.attrs[name]) for name in ("versions", "machine")}
    if before == {"versions": versions(), "machine": machine()}:
        return
    kept = json.loads(file.attrs[EARLIER])["runs"] if EARLIER in file.attrs else []
    rounds = {trial: len(group["rounds"]) for trial, group in file["trials"].items()}
    write_json(file, EARLIER, {"runs": [*kept, {**before, "rounds": rounds}]})


def write_incomplete(file: h5py.File, diverged: Mapping[str, int], unfinished: Sequence[int] = ()) -> None:
    """Write in which rounds trials diverged, and which trials before others are under way without a round; nothing if none."""
    trials = {"trials": list(unfinished)} if unfinished else {}
    for name, held in ((DIVERGED, diverged), (UNFINISHED, trials)):
        file.attrs.pop(name, None)
        if held:
            write_json(file, name, held)


def machine() -> dict[str, Any]:
    """Return what this machine is."""
    return {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()}


@functools.cache  # reading what packages say of themselves takes longer than writing a round
def versions() -> dict[str, str]:
    """Return the versions of this program and of what it is built on, as far as that is installed."""
    installed = {}
    for name in ("numpy", "numba", "scipy", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):  # eager training does without Numba
            installed[name] = metadata.version(name)
    known = {"commit": commit()} if commit() else {}
    return {"tinyticket": __version__, **known, "python": platform.python_version(), **installed}


def check_format(root: Group, where: str) -> None:
    """Raise InputError unless this is a tinyticket file of a version that can be read."""
    if not root.has("format") or root.text("format") != "tinyticket":
        raise InputError(f"{where} is an HDF5 file, but not one of tinyticket's")
    version = root.number("format_version", int) if root.has("format_version") else 0
    if version > FORMAT_VERSION:
        raise InputError(
            f"{where} has format version {version}; this tinyticket ({__version__}) reads up to {FORMAT_VERSION}"
        )


def trial_path(trial: int) -> str:
    """Return the group of a trial."""
    return f"trials/{trial}"


def rewind_path(trial: int) -> str:
    """Return the group of what the tickets of a trial rewind to."""
    return f"{trial_path(trial)}/rewind"


def round_path(trial: int, round: int) -> str:
    """Return the group of a round."""
    return f"trials/{trial}/rounds/{round:02d}"


def instability_path(trial: int, round: int) -> str:
    """Return the group of what an instability analysis found about a round."""
    return f"analyses/instability/{trial}/{round:02d}"


class Outline(NamedTuple):
    """The arrays of a file's networks: the shapes of all parameters and buffers, and which of them have masks."""

    shapes: Shapes
    masked: list[str]
    structure: Collection[str] = ()  # arrays of whole numbers, such as connections, which networks share with theta_0


def read_outline(root: Group) -> Outline:
    """Return the outline of the first trial; everything else in the file is checked against it."""
    return root.once(_read_outline)


def _read_outline(root: Group) -> Outline:
    trials = root.group("trials")
    first = min(read_numbers(trials), default=None)
    if first is None:
        raise trials.damage("there is no trial")
    init, masks = root.group(f"{trial_path(first)}/init"), root.group(f"{round_path(first, 0)}/mask")
    found = {name: init.outline(name) for name in init.names()}
    masked = masks.names()
    if not masked:
        raise masks.damage("there is no mask")
    structure = [name for name, (_, kind) in found.items() if kind in "iu" and name not in masked]
    outline = Outline({name: shape for name, (shape, _) in found.items()}, masked, structure)
    for name in outline.masked:
        if name not in outline.shapes:
            raise masks.damage("theta_0 has no such array", name)
    return outline


def read_numbers(group: Group, digits: int = 1) -> list[int]:
    """Return the numbers, in order, that are the names of all that is in a group."""
    names = group.names()
    for name in names:
        if not (name.isascii() and name.isdecimal() and name == f"{int(name[:18]):0{digits}d}"):
            raise group.damage("it is no number", name)
    return sorted(map(int, names))


def read_theta_0(group: Group, outline: Outline, structure: State) -> dict[str, np.ndarray]:
    """Return parameters and buffers in the order of the file, which is the model's; the structure is given."""
    names = _names(group, outline.shapes)
    return {name: structure[name] if name in structure else group.array(name, outline.shapes[name]) for name in names}


def read_theta_0_structure(group: Group, outline: Outline) -> dict[str, np.ndarray]:
    """Return the structure of theta_0, read-only."""
    found = {name: group.array(name, outline.shapes[name]) for name in outline.structure}
    for name, value in found.items():
        if value.dtype.kind not in "iu":
            raise group.damage("it holds no whole numbers, as that of the first trial does", name)
        value.flags.writeable = False
    return found


def contents_of(run: Run, initial: State) -> Contents:
    """Return what stands in the file of a training that follows from theta_0.

    Masks are packed bits, of trained weights there are the survivors, and of the structure what is not theta_0's.
    """
    trained = without_structure(run.trained, initial)
    survivors = {name: value[run.masks[name]] if name in run.masks else value for name, value in trained.items()}
    found = Contents({}, {"": {**run.scalars(), "start": run.origin, "plan": run.plan}})
    found.add("mask", contents_of_masks(run.masks))
    found.add("start_mask", contents_of_masks(run.start_masks or {}))
    for which, state in (("trained", survivors), ("frozen", run.frozen), ("scores", run.scores)):
        found.add(which, Contents(dict(state), {}))
    found.arrays["history"] = run.history
    if run.metric != "accuracy":
        found.attributes[""]["metric"] = run.metric
    if run.cpu:
        found.attributes[""]["cpu"] = run.cpu
    return found


def contents_of_masks(masks: Mapping[str, np.ndarray]) -> Contents:
    """Return masks as the file holds them: packed bits."""
    packed = {name: np.packbits(mask) for name, mask in masks.items()}
    return Contents(packed, {name: {"shape": mask.shape} for name, mask in masks.items()})


def read_start_masks(group: Group, outline: Outline) -> dict[str, np.ndarray]:
    """Return the masks that a training began with."""
    if "start_mask" in group:
        return read_masks(group, outline, "start_mask")
    masks = read_masks(group, outline)
    dense = begins_dense(group.json("start").get("mask"))
    return {name: np.ones(mask.shape, bool) if dense else mask for name, mask in masks.items()}


def begins_dense(origin: Any) -> bool:
    """Whether a training whose mask comes from there is taken to begin with a dense network, unless the file has its mask then."""
    return isinstance(origin, str) and origin not in MASK_STAYS


def read_masks(group: Group, outline: Outline, which: str = "mask") -> dict[str, np.ndarray]:
    """Return the masks of a training, those at its end, as boolean arrays."""
    masks, packed = {}, group.group(which)
    for name in _names(packed, outline.masked):
        shape = outline.shapes[name]
        if packed.sizes("shape", name) != shape:
            raise packed.damage(f"the mask of a weight of shape {shape} has another one", name)
        count = math.prod(shape)
        bits = packed.array(name, (-(-count // 8),))
        if bits.dtype != np.uint8:
            raise packed.damage(f"a mask is packed bits, not {bits.dtype}", name)
        if count % 8 and bits[-1] & 0xFF >> count % 8:
            raise packed.damage("bits beyond its size are set", name)
        masks[name] = np.unpackbits(bits, count=count).view(bool).reshape(shape)
    return masks


def read_trained(group: Group, outline: Outline, structure: State) -> dict[str, np.ndarray]:
    """Return all trained parameters and buffers in their full shapes, with zeros where weights were pruned.

    `structure` is theta_0's, in the place of arrays that are not there.
    """
    masks, trained, state = read_masks(group, outline), group.group("trained"), {}
    for name in _names(trained, outline.shapes, outline.structure):
        if name not in masks:
            state[name] = trained.array(name, outline.shapes[name])
            continue
        survivors = trained.array(name, (int(np.count_nonzero(masks[name])),))
        state[name] = np.zeros(outline.shapes[name], survivors.dtype)
        state[name][masks[name]] = survivors
    return with_structure(state, outline.shapes, structure)


def read_structure(group: Group, outline: Outline, structure: State) -> dict[str, np.ndarray]:
    """Return the structure of a trained network, given theta_0's."""
    trained = group.group("trained")
    own = {name: trained.array(name, outline.shapes[name]) for name in outline.structure if name in trained}
    return with_structure(own, outline.structure, structure)


def read_beside(group: Group, outline: Outline, which: str) -> dict[str, np.ndarray]:
    """Return the "frozen" values of pruned weights or the "scores" of a learned mask, empty where there are none."""
    if which not in group:
        return {}
    beside = group.group(which)
    return {name: beside.array(name, outline.shapes[name]) for name in _names(beside, outline.masked)}


def _names(group: Group, expected: Collection[str], optional: Collection[str] = ()) -> list[str]:
    """Return the names in a group, all that are expected, except for some that are optional, and no others."""
    names = group.names()
    if others := {*names, *optional} ^ {*expected}:
        name = min(others)
        raise group.damage("it is missing" if name in expected else "theta_0 has no such array", name)
    return names
