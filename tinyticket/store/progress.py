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
from tinyticket.store import layout
from tinyticket.store.archive import Archive, replace
from tinyticket.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY


@dataclass
class Course:
    """What a training has come to, besides its network.

    Attributes
    ----------
    masks : dict of boolean arrays
        As they are now.
    iteration : int
        How many iterations have been trained.
    rows : list of tuples
        The history so far, in the columns of HISTORY.
    since : int
        How many rows are of networks before the masks changed last.
    losses : list of arrays
        Of the iterations since the last row, in pieces.
    plans : list of dict
        How the iterations before each change of masks were executed, "until" then.
    seconds : float
        Wall time so far.
    checkpoint : Checkpoint or None
        What is kept to rewind to, if the training has come there.
    """

    masks: dict[str, np.ndarray]
    iteration: int
    rows: list[tuple] = field(default_factory=list)
    since: int = 0
    losses: list[np.ndarray] = field(default_factory=list)
    plans: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Progress:
    """A training under way: everything that the rest of it depends on.

    Attributes
    ----------
    course : Course
    network : Checkpoint
        Parameters, buffers and what the optimizer remembers.
    newest : bool
        Whether the step had newer values than the parameters (`Step.is_newest`), of which gradients are computed in another way.
    plan : dict
        How steps under the present masks are executed.
    dropout : dict
        The state of dropout's generator; what else is drawn depends on the iteration alone.
    revision : dict
        What the changes of masks to come depend on, in JSON values ...
    arrays : dict of arrays
        ... and in arrays.
    """

    course: Course
    network: Checkpoint
    newest: bool
    plan: dict[str, Any]
    dropout: dict[str, Any]
    revision: dict[str, Any]
    arrays: dict[str, np.ndarray]


def digest(value: Any) -> str:
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


def write_progress(path: Path, key: str, progress: Progress) -> None:
    """Write a training under way, in the place of what the file held; `key` says which training it is.

    Raises
    ------
    InputError
        If it cannot be written; what the file held is untouched.
    """
    _check_own(path)
    image, course = io.BytesIO(), progress.course
    with h5py.File(image, "w") as file:
        texts = {"format": "tinyticket", "key": key, "digest": digest(_contents(progress))}
        file.attrs.update({name: np.bytes_(text) for name, text in texts.items()})
        file.attrs.update(format_version=layout.FORMAT_VERSION, since=course.since, seconds=course.seconds)
        file.attrs["newest"] = int(progress.newest)
        layout.write_json(file, "plan", {**progress.plan, "before": course.plans})
        layout.write_json(file, "dropout", progress.dropout)
        layout.write_json(file, "revision", progress.revision)
        layout.write_masks(layout.ordered_group(file, "mask"), course.masks)
        file.create_dataset("history", data=np.array(course.rows, HISTORY))
        file.create_dataset("losses", data=_losses(course))
        write_checkpoint(layout.ordered_group(file, "network"), progress.network)
        if course.checkpoint:
            write_checkpoint(layout.ordered_group(file, "rewind"), course.checkpoint)
        layout.write_state(layout.ordered_group(file, "arrays"), progress.arrays)
    replace(path, image.getbuffer(), over_result=True)


def read_progress(path: Path, key: str, outline: layout.Outline, last: int) -> Progress:
    """Read a training under way back, of a network with an outline and of at most so many iterations.

    Raises
    ------
    InputError
        If it is damaged, or of another training than `key` says.
    """
    _check_own(path)
    with Archive(path).read() as root:
        if root.text("key") != key:
            raise InputError(f"{path} is of another training")
        plan, network = layout.read_plan(root), read_checkpoint(root.group("network"), outline.shapes)
        arrays, history = root.group("arrays"), layout.read_history(root)
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
            checkpoint=read_checkpoint(root.group("rewind"), outline.shapes) if "rewind" in root else None,
        )
        progress = Progress(
            course,
            network,
            bool(root.number("newest", int)),
            plan,
            root.json("dropout"),
            root.json("revision"),
            {name: _array(arrays, name, outline) for name in arrays.names()},
        )
        _check_whole(root, progress)
    return progress


def _array(group: Group, name: str, outline: layout.Outline) -> np.ndarray:
    """Return an array of the shape of a parameter, by whose name, or a number, a colon and this name, it is called."""
    of = name.rpartition(":")[2]
    if of not in outline.shapes:
        raise group.damage("the network has no such array", name)
    return group.array(name, outline.shapes[of])


def _contents(progress: Progress) -> Any:
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
    if root.text("digest") != digest(_contents(progress)):
        raise root.damage("it is not what its digest is of")


def _check_own(path: Path) -> None:
    """Raise InputError if a name stands for a link, which this program never made there."""
    if path.is_symlink():
        raise InputError(f"{path} is a link, and no file of this program")
