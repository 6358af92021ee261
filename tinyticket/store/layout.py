"""Where everything stands in the file: the one place that knows its groups and attributes (specified in docs/format.md)."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import h5py
import numpy as np

from tinyticket._version import __version__
from tinyticket.errors import InputError
from tinyticket.store.run import HISTORY, Run

FORMAT_VERSION = 1
MASK_STAYS = ("ticket", "init", "inverted")
"""Origins of masks with which a training begins and ends; other names are of methods that begin with a dense network."""

SCALARS = (
    "density",
    "weights_left",
    "early_stop_iteration",
    "validation_loss",
    "test_accuracy",
    "final_test_accuracy",
    "seconds",
)


def write_header(
    file: h5py.File, *, config: Mapping, model: Mapping, data: Mapping, networks: Mapping, seed: int
) -> None:
    """Write (or renew) what the whole experiment shares, as attributes of the root."""
    file.attrs["format"] = "tinyticket"
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
        file.attrs[name] = json.dumps(value)


def machine() -> dict[str, Any]:
    """Return what this machine is."""
    return {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()}


def versions() -> dict[str, str]:
    """Return the versions of this program and of what it is built on, as far as that is installed."""
    installed = {}
    for name in ("numpy", "numba", "scipy", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):  # eager training does without Numba
            installed[name] = metadata.version(name)
    return {"tinyticket": __version__, "python": platform.python_version(), **installed}


def check_format(file: h5py.File, where: str) -> None:
    """Raise InputError unless this is a tinyticket file of a version that can be read."""
    if file.attrs.get("format") != "tinyticket":
        raise InputError(f"{where} is an HDF5 file, but not one of tinyticket's")
    version = int(file.attrs.get("format_version", 0))
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


def write_state(group: h5py.Group, state: Mapping[str, np.ndarray]) -> None:
    """Write one dataset per parameter or buffer, in the model's order, which `ordered_group` makes the file keep."""
    for name, value in state.items():
        group.create_dataset(name, data=value)


def ordered_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that lists its members in the order in which they were written."""
    return parent.create_group(name, track_order=True)


def read_state(group: h5py.Group) -> dict[str, np.ndarray]:
    """Read back what `write_state` wrote."""
    return {name: dataset[()] for name, dataset in group.items()}


def write_run(group: h5py.Group, run: Run) -> None:
    """Write a training: masks as packed bits, survivors of the trained weights, the history and its scalars."""
    _write_masks(ordered_group(group, "mask"), run.masks)
    if run.start_masks is not None:
        _write_masks(ordered_group(group, "start_mask"), run.start_masks)
    survivors = {name: value[run.masks[name]] if name in run.masks else value for name, value in run.trained.items()}
    write_state(ordered_group(group, "trained"), survivors)
    for name, beside in (("frozen", run.frozen), ("scores", run.scores)):
        if beside:
            write_state(ordered_group(group, name), beside)
    group.create_dataset("history", data=run.history)
    group.attrs.update(run.scalars())
    group.attrs["start"] = json.dumps(run.origin)
    group.attrs["plan"] = json.dumps(run.plan)


def _write_masks(group: h5py.Group, masks: Mapping[str, np.ndarray]) -> None:
    for name, mask in masks.items():
        group.create_dataset(name, data=np.packbits(mask)).attrs["shape"] = mask.shape


def read_start_masks(group: h5py.Group) -> dict[str, np.ndarray]:
    """Return the masks that a training began with."""
    if "start_mask" in group:
        return read_masks(group, "start_mask")
    masks, origin = read_masks(group), json.loads(group.attrs["start"]).get("mask")
    dense = isinstance(origin, str) and origin not in MASK_STAYS
    return {name: np.ones(mask.shape, bool) if dense else mask for name, mask in masks.items()}


def read_masks(group: h5py.Group, which: str = "mask") -> dict[str, np.ndarray]:
    """Return the masks of a training, those at its end, as boolean arrays."""
    masks = {}
    for name, packed in group[which].items():
        shape = tuple(packed.attrs["shape"])
        masks[name] = np.unpackbits(packed[()], count=int(np.prod(shape))).astype(bool).reshape(shape)
    return masks


def read_trained(group: h5py.Group) -> dict[str, np.ndarray]:
    """Return all trained parameters and buffers in their full shapes, with zeros where weights were pruned."""
    masks, state = read_masks(group), read_state(group["trained"])
    for name, mask in masks.items():
        whole = np.zeros(mask.shape, state[name].dtype)
        whole[mask] = state[name]
        state[name] = whole
    return state


def read_beside(group: h5py.Group, name: str) -> dict[str, np.ndarray]:
    """Return the "frozen" values of pruned weights or the "scores" of a learned mask, empty where there are none."""
    return read_state(group[name]) if name in group else {}


def read_history(group: h5py.Group) -> np.ndarray:
    """Return the table of evaluations, of dtype HISTORY."""
    return group["history"][()].astype(HISTORY)


def read_scalars(group: h5py.Group) -> dict[str, Any]:
    """Return the numbers of a training as Python values."""
    return {name: group.attrs[name].item() for name in SCALARS}
