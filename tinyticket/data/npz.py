"""An .npz file of your own: what `numpy.savez` writes, under the names that Keras made usual."""

import zipfile
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from tinyticket.data.arrays import from_arrays
from tinyticket.data.dataset import Dataset
from tinyticket.errors import InputError

EXPECTED = "x_train and y_train (and x_test and y_test), or x and y"


def load_npz(path: str | PathLike[str]) -> Dataset:
    """Read a data set from an .npz file.

    Parameters
    ----------
    path : path-like
        The file, with the keys x_train and y_train, and x_test and y_test if it has a test part; or with x and y. Other
        keys are left unread. `from_arrays` says what the arrays may hold and what happens without a test part.

    Returns
    -------
    Dataset
        Named after the file.

    Raises
    ------
    InputError
        If the file cannot be read, is no .npz file, is truncated or damaged, lacks keys, holds pickled objects, or if
        `from_arrays` refuses its arrays.
    """
    path = Path(path)
    arrays = _read(path)
    try:
        return from_arrays(
            arrays["x_train"], arrays["y_train"], arrays.get("x_test"), arrays.get("y_test"), name=path.name
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, NDArray]:
    """Return the file's arrays under the names of `from_arrays`' parameters."""
    try:
        _check_zip(path)
        with np.load(path, allow_pickle=False) as file:
            return {parameter: _member(file, key) for parameter, key in _choose(file.files).items()}
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected an .npz file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); expected an .npz file as numpy.savez writes it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _check_zip(path: Path) -> None:
    """Tell apart what NumPy would answer with one and the same message."""
    with path.open("rb") as file:
        start = file.read(2)
    if zipfile.is_zipfile(path):
        return
    if start == b"PK":  # a zip file has its table of contents at its end
        raise InputError("is truncated: the end of the .npz file is missing")
    raise InputError("is not an .npz file; expected a zip file of arrays, as numpy.savez writes it")


def _choose(keys: list[str]) -> dict[str, str]:
    """Return the key to read for each parameter of `from_arrays`."""
    if "x_train" in keys and "y_train" in keys:
        return {key: key for key in ("x_train", "y_train", "x_test", "y_test") if key in keys}
    if "x" in keys and "y" in keys:
        return {"x_train": "x", "y_train": "y"}
    raise InputError(f"holds the keys {', '.join(sorted(keys)) or '(none)'}; expected {EXPECTED}")


def _member(file: NpzFile, key: str) -> NDArray:
    try:
        return file[key]
    except ValueError as error:
        if "pickle" in str(error):
            raise InputError(
                f"holds pickled Python objects under {key}, which are not read for safety; expected a numeric array"
            ) from None
        raise InputError(f"is damaged: {key} is no array ({error})") from None
