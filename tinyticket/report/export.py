"""A ticket for use elsewhere: whole arrays under the names of `state_dict`, and its masks, in a file that any program reads."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune import apply_masks
from tinyticket.results import Result
from tinyticket.store import replace

ENDINGS = (".npz", ".h5")


def export(result: Result, path: str | os.PathLike, trial: int = 0, round: int = 0, weights: str = "trained") -> None:
    """Write one network of a result to a file of its own.

    It holds every parameter and buffer under its name, such as "fc1.weight", in PyTorch's shapes, with zeros where weights were
    pruned; and for every weight that can be pruned the mask, boolean, as "mask/fc1.weight".

    Parameters
    ----------
    result
    path
        A NumPy archive (.npz) or HDF5 (.h5), by its ending.
    trial, round
        Which network.
    weights : {"trained", "start", "init"}
        After training; as the training began, where late rewinding went back to say; or theta_0 under the mask.

    Raises
    ------
    InputError
        If there is no such network, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: the ending says what is written, {' or '.join(ENDINGS)}; not {path.suffix!r}")
    if weights not in ("trained", "start", "init"):
        raise InputError(f"weights are 'trained', 'start' or 'init', not {weights!r}")
    chosen = result.round(trial, round)
    masks, state = chosen.masks, chosen.trained
    if weights == "start":
        masks, state = chosen.start_masks, result.start(trial, round)
    elif weights == "init":
        state = apply_masks(result.init(trial), masks)
    arrays = {**state, **{f"mask/{name}": mask for name, mask in masks.items()}}
    buffer = io.BytesIO()
    if path.suffix == ".npz":
        if "file" in arrays or "allow_pickle" in arrays:  # which NumPy takes for its own arguments
            raise InputError(
                f"{path}: an .npz cannot hold an array of the name 'file' or 'allow_pickle'; write an .h5 file"
            )
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    else:
        import h5py

        with h5py.File(buffer, "w") as file:
            for name, value in arrays.items():
                file.create_dataset(name, data=value)
    replace(path, buffer.getbuffer())
