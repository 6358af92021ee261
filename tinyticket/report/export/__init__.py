"""A ticket for use elsewhere: its arrays for other programs, or a program of its own.

`network` is what is written; `arrays` (NumPy, HDF5, safetensors, PyTorch, SciPy), `onnx` and `c` are the formats. The last two
go through the layers of a network (`walk`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tinyticket.errors import InputError, about, near
from tinyticket.report.export import arrays
from tinyticket.report.export.c import to_c
from tinyticket.report.export.network import Network, chosen_network
from tinyticket.report.export.onnx import to_onnx
from tinyticket.results import Result
from tinyticket.store import replace


class Format(NamedTuple):
    """A format: what its files end with, how a network becomes one, and in words what that is."""

    ending: str
    write: Callable[[Network], bytes]
    words: str


FORMATS = {
    "npz": Format(".npz", arrays.to_npz, "NumPy: arrays and masks by name"),
    "h5": Format(".h5", arrays.to_h5, "HDF5: the same"),
    "safetensors": Format(".safetensors", arrays.to_safetensors, "the same, for any framework"),
    "torch": Format(".pt", arrays.to_torch, "a state_dict that torch.load(..., weights_only=True) reads"),
    "scipy": Format(".npz", arrays.to_scipy, "every layer a sparse matrix (CSR), as the arrays that it is made of"),
    "onnx": Format(".onnx", to_onnx, "a model that runs in onnxruntime and others"),
    "c": Format(".c", to_c, "a C99 function of survivors alone, without dependencies"),
}
_BY_ENDING = {format.ending: name for name, format in FORMATS.items() if name != "scipy"}


def export(
    result: Result,
    path: str | os.PathLike,
    trial: int = 0,
    round: int = 0,
    weights: str = "trained",
    *,
    control: str | None = None,
    to: str | None = None,
) -> None:
    """Write one network of a result to a file of its own, for use elsewhere (docs/exchange.md).

    Parameters
    ----------
    result
    path
        The file; unless `to` is given its ending says what is written.
    trial, round
        Which network.
    weights : {"trained", "start", "init"}
        After training; as the training began, where late rewinding went back to say; or theta_0 under the mask.
    control
        The control beside the ticket instead, by its name.
    to : {"npz", "h5", "safetensors", "torch", "scipy", "onnx", "c"}, optional
        The format.

    Raises
    ------
    InputError
        If there is no such network, the format cannot express it, or the file cannot be written.
    """
    path = Path(path)
    name = _BY_ENDING.get(path.suffix.lower()) if to is None else to
    if name is None:
        raise InputError(f"{path}: the ending says what is written, {' or '.join(_BY_ENDING)}; not {path.suffix!r}")
    if name not in FORMATS:
        raise InputError(f"no format is called {name!r}{near(name, FORMATS)}")
    with result.archive.read():
        network = chosen_network(result, trial, round, control, weights)
    with about(path):
        content = FORMATS[name].write(network)
    replace(path, content)
