"""One network in a file of its own: weights and masks as NumPy, PyTorch and safetensors keep them.

`weights` says what a file's arrays are called and whether they fit a model; `pytorch` and `safetensors` are formats. Files may come
from anybody: nothing in them is run, and no more is read than they hold.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinyticket._version import __version__
from tinyticket.data.npz import read_npz
from tinyticket.errors import InputError, about
from tinyticket.nn import Module
from tinyticket.store.archive import replace
from tinyticket.store.weights.pytorch import read_pytorch, to_pytorch
from tinyticket.store.weights.safetensors import read_safetensors, to_safetensors
from tinyticket.store.weights.weights import Weights, fitted, from_arrays

__all__ = [
    "ENDINGS",
    "WRITERS",
    "Weights",
    "fitted",
    "load_weights",
    "read_weights",
    "save_weights",
    "to_pytorch",
    "write_weights",
]


def _read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    return read_npz(path, lambda keys: {key: key for key in keys})


def _to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    for name in ("file", "allow_pickle"):  # which NumPy takes for its own arguments
        if name in arrays:
            raise InputError(f"an .npz cannot hold an array of the name {name!r}; write another format")
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


WRITERS = {
    ".npz": _to_npz,
    ".safetensors": lambda arrays: to_safetensors(arrays, {"writer": f"tinyticket {__version__}"}),
}
READERS = {".npz": _read_npz, ".safetensors": read_safetensors, **dict.fromkeys((".pt", ".pth"), read_pytorch)}
ENDINGS = tuple(READERS)


def read_weights(path: str | os.PathLike) -> Weights:
    """Return the weights and masks in an .npz, .safetensors or .pt file, of any program.

    Raises
    ------
    InputError
        If it cannot be read, is damaged, or holds something else.
    """
    read = READERS.get(Path(path).suffix)
    if read is None:
        raise InputError(f"{path}: weights are read from {', '.join(ENDINGS)} files, by their ending")
    arrays = read(path)
    with about(path):
        return from_arrays(arrays)


def write_weights(path: str | os.PathLike, weights: Weights) -> None:
    """Write weights and masks to an .npz or .safetensors file.

    Raises
    ------
    InputError
        If the ending is another, or the file cannot be written.
    """
    write = WRITERS.get(Path(path).suffix)
    if write is None:
        raise InputError(f"{path}: the ending says what is written, {' or '.join(WRITERS)}; not {Path(path).suffix!r}")
    replace(Path(path), write(weights.arrays()))


def save_weights(model: Module, path: str | os.PathLike) -> None:
    """Write a network's parameters, buffers and masks to an .npz or .safetensors file, by its ending.

    Arrays have their names of `state_dict`; the mask of "fc1.weight" is "mask/fc1.weight", boolean.

    Parameters
    ----------
    model : Module
    path : path-like

    Raises
    ------
    InputError
        If the ending is another, or the file cannot be written.
    """
    masks = {name: weight.mask for name, weight in model.prunable().items() if weight.mask is not None}
    write_weights(path, Weights(model.state_dict(), masks))


def load_weights(model: Module, path: str | os.PathLike) -> Module:
    """Set a network's weights and masks from a file of any program, and return it.

    Parameters
    ----------
    model : Module
    path : path-like
        As `save_weights` writes it, or another .npz, .safetensors or .pt file of arrays by the model's names. Masks are called
        "mask/NAME", or NAME_mask beside NAME_orig as torch.nn.utils.prune does; in a file without masks, zeros among the weights of
        a layer are pruned ones. A file of masks alone leaves the weights that survive as they are.

    Raises
    ------
    InputError
        If the file cannot be read, or does not fit the model; nothing has been set then.
    """
    found = read_weights(path)
    with about(f"{path} does not fit the model"):
        weights = fitted(found, model)
    parameters = dict(model.named_parameters())
    for name, mask in weights.masks.items():
        parameters[name].mask = None if mask.all() else mask
    if weights.state:
        model.load_state_dict(weights.state)
    return model
