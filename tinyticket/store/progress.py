"""A training under way in a file of its own, from which it goes on to the same bits (docs/format.md)."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tinyticket.errors import InputError
from tinyticket.store import contents, facts, layout
from tinyticket.store.archive import Archive, replace
from tinyticket.store.checkpoint import Checkpoint, contents_of, read_checkpoint
from tinyticket.store.contents import Contents
from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY


@dataclass
class Course:
    """The masks, iteration, losses and history of a training under way; its network is kept beside them."""

    masks: dict[str, np.ndarray]  # as they are now
    iteration: int  # how many have been trained
    rows: list[tuple] = field(default_factory=list)  # the history so far, in the columns of HISTORY
    since: int = 0  # how many rows are of networks before the masks changed last
    losses: list[np.ndarray] = field(default_factory=list)  # of the iterations since the last row, in pieces
    plans: list[dict[str, Any]] = field(default_factory=list)  # of the iterations "until" each change of masks
    seconds: float = 0.0  # wall time so far
    checkpoint: Checkpoint | None = None  # what is kept to rewind to, if the training has come there


@dataclass(frozen=True)
class Progress:
    """A training under way: everything that the rest of it depends on."""

    course: Course
    network: Checkpoint  # parameters, buffers and what the optimizer remembers
    newest: bool  # whether the step had newer values than the parameters: their gradients are computed in another way
    plan: dict[str, Any]  # how steps under the present masks are executed
    dropout: dict[str, Any]  # the state of dropout's generator; what else is drawn depends on the iteration alone
    revision: dict[str, Any]  # what the changes of masks to come depend on, in JSON values ...
    arrays: dict[str, np.ndarray]  # ... and in arrays


def fingerprint(value: Any) -> str:
    """Return what identifies numbers, text and arrays, and lists, dicts and dataclasses of them, in hexadecimal digits."""
    sha = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            sha.update(f"{value.dtype.str}{value.shape}".encode())
            sha.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        elif dataclasses.is_dataclass(value):
            add(vars(value))
        elif isinstance(value, Mapping | list | tuple):
            sha.update(f"{len(value)}{'{' if isinstance(value, Mapping) else '['}".encode())
            for part in value.items() if isinstance(value, Mapping) else value:
                add(part)
        else:
            sha.update(f"{value!r};".encode())

    add(value)
    return sha.hexdigest()


def write_progress(path: Path, key: str, progress: Progress, structure: Mapping[str, np.ndarray]) -> None:
    """Write a training under way, in the place of what the file held; `key` says which training it is.

    The structure with which it began is not written again while it is the same. If it cannot be written, which InputError says,
    what the file held is untouched.
    """
    _check_own(path)
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        contents.write(file, _contents(key, progress, structure))
    replace(path, image.getbuffer(), over_result=True)


def _contents(key: str, progress: Progress, structure: Mapping[str, np.ndarray]) -> Contents:
    """Return what stands in the file."""
    course = progress.course
    texts = {"format": "tinyticket", "key": key, "digest": fingerprint(_values(progress))}
    numbers = {"format_version": layout.FORMAT_VERSION, "since": course.since, "newest": int(progress.newest)}
    plan = {**progress.plan, "before": course.plans}
    objects = {"plan": plan, "dropout": progress.dropout, "revision": progress.revision}
    found = Contents({}, {"": {**texts, **numbers, **objects, "seconds": course.seconds}})
    found.add("mask", layout.contents_of_masks(course.masks))
    found.arrays["history"], found.arrays["losses"] = np.array(course.rows, HISTORY), _losses(course)
    found.add("network", contents_of(progress.network, structure))
    if course.checkpoint:
        found.add("rewind", contents_of(course.checkpoint, structure))
    found.add("arrays", Contents(progress.arrays, {}))
    return found


def read_progress(
    path: Path, key: str, outline: layout.Outline, last: int, structure: Mapping[str, np.ndarray]
) -> Progress:
    """Read a training under way back, of a network with an outline and of at most so many iterations.

    It began with a structure. InputError says that it is damaged, or of another training than `key` says.
    """
    _check_own(path)
    with Archive(path).read() as root:
        if root.text("key") != key:
            raise InputError(f"{path} is of another training")
        plan, network = facts.read_plan(root), read_checkpoint(root.group("network"), outline.shapes, structure)
        history = facts.read_history(root)
        if network.iteration > last:
            raise root.damage(f"it is beyond iteration {last}", "network")
        course = Course(
            masks=layout.read_masks(root, outline),
            iteration=network.iteration,
            rows=history.tolist(),
            since=root.number("since", int),
            losses=[root.array("losses", (network.iteration - int(history["iteration"][-1]),))],
            plans=plan.pop("before", []),
            seconds=root.number("seconds", float),
            checkpoint=read_checkpoint(root.group("rewind"), outline.shapes, structure) if "rewind" in root else None,
        )
        progress = Progress(
            course,
            network,
            bool(root.number("newest", int)),
            plan,
            root.json("dropout"),
            root.json("revision"),
            _arrays(root.group("arrays"), outline) if "arrays" in root else {},
        )
        _check_whole(root, progress)
    return progress


def _arrays(group: Group, outline: layout.Outline) -> dict[str, np.ndarray]:
    """Return arrays of the shapes of parameters, by whose names, or a number, a colon and such a name, they are called."""
    found = {}
    for name in group.names():
        of = name.rpartition(":")[2]
        if of not in outline.shapes:
            raise group.damage("the network has no such array", name)
        found[name] = group.array(name, outline.shapes[of])
    return found


def _values(progress: Progress) -> Any:
    """Return a training under way in values that are the same before it is written and after it was read."""
    course, losses = progress.course, _losses(progress.course)
    carried = {
        **vars(course),
        "rows": np.array(course.rows, HISTORY),
        "losses": losses,
        "seconds": float(course.seconds),
    }
    return {**vars(progress), "course": carried}


def _losses(course: Course) -> np.ndarray:
    """Return the losses since the last row."""
    losses = np.concatenate([np.zeros(0), *course.losses])
    return losses[len(losses) - (course.iteration - course.rows[-1][0]) :]


def _check_whole(root: Group, progress: Progress) -> None:
    """Raise InputError unless every bit is as it was written."""
    if root.text("digest") != fingerprint(_values(progress)):
        raise root.damage("it is not what its digest is of")


def _check_own(path: Path) -> None:
    """Raise InputError if a name stands for a link, which this program never made there."""
    if path.is_symlink():
        raise InputError(f"{path} is a link, and no file of this program")
