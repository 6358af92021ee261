"""An .npz file of your own: what `numpy.savez` writes, under the names that Keras made usual.

Where an array of inputs may be, there may be a sparse matrix: the arrays that `scipy.sparse.save_npz` writes of one in CSR.
"""

import io
import math
import tokenize
import warnings
from collections.abc import Callable, Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any, BinaryIO
from zipfile import ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tinyticket.data.arrays import assemble
from tinyticket.data.dataset import Dataset
from tinyticket.data.files import BLOCK, fill, printable
from tinyticket.data.sparse_inputs import CsrMatrix
from tinyticket.data.zipped import Zip, open_zip
from tinyticket.errors import InputError, about

MOST_HEADER = 1 << 14  # bytes before an array's values, more than NumPy takes

MALFORMED = (
    ValueError, TypeError, SyntaxError, KeyError, IndexError, AttributeError, OverflowError, MemoryError, RecursionError,
    tokenize.TokenError,
)  # fmt: skip
EXPECTED = (
    "x_train and y_train (and x_test and y_test), or x and y (or data, indices, indptr and shape of a CSR matrix for x)"
)
CSR = tuple(f".{part}" for part in CsrMatrix._fields)
FORMATS = ("x_train.format", "x_test.format")


def load_npz(path: str | PathLike[str], numbers: bool = False) -> Dataset:
    """Read a data set from an .npz file.

    Parameters
    ----------
    path : path-like
        The file, with the keys x_train and y_train, and x_test and y_test if it has a test part; or with x and y. Other
        keys are left unread. `from_arrays` says what the arrays may hold and what happens without a test part. In the place
        of x, x_train or x_test there may be x.data, x.indices, x.indptr and x.shape, of a sparse matrix in CSR; x alone may
        also be data, indices, indptr and shape, as `scipy.sparse.save_npz` calls them.
    numbers : bool, optional
        Whether targets are numbers to predict.

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
    arrays: dict[str, Any] = read_npz(path, _choose, FORMATS)
    with about(path):
        _assemble_matrices(arrays)
        return assemble(arrays, path.name, numbers=numbers)


def read_npz(
    path: str | PathLike[str], choose: Callable[[list[str]], Mapping[str, str]], words: Collection[str] = ()
) -> dict[str, NDArray]:
    """Return arrays of an .npz file, whichever `choose` names: from all its keys to a mapping from names to keys.

    All are of numbers but those named in `words`, which are of text.

    Raises
    ------
    InputError
        If the file cannot be read, is no .npz file, is damaged or unpacks to too much, or one of these arrays is not of numbers.
    """
    with open_zip(path, "an .npz file", "numpy.savez") as archive:
        known = {member.filename.removesuffix(".npy"): member for member in archive.members}
        chosen = {name: (key, known[key]) for name, key in choose(list(known)).items()}
        archive.check_unpacked([member for _, member in chosen.values()])
        kinds = {name: "SU" if name in words else "buif" for name in chosen}
        return {name: _member(archive, printable(key), member, kinds[name]) for name, (key, member) in chosen.items()}


def _choose(keys: list[str]) -> dict[str, str]:
    """Return the key to read for each parameter of `from_arrays`, or for each part of one that is a sparse matrix."""
    if "y_train" in keys and (chosen := _inputs(keys, "x_train", "x_train")):
        chosen |= _inputs(keys, "x_test", "x_test")
        return chosen | {key: key for key in ("y_train", "y_test") if key in keys}
    if "y" in keys and (chosen := _inputs(keys, "x", "x_train") or _inputs(keys, "", "x_train")):
        return chosen | {"y_train": "y"}
    raise InputError(f"holds the keys {printable(', '.join(sorted(keys))) or '(none)'}; expected {EXPECTED}")


def _inputs(keys: list[str], name: str, parameter: str) -> dict[str, str]:
    """Return the key of an array, or the keys of a sparse matrix, for a parameter; nothing where there is neither."""
    if name in keys:
        return {parameter: name}
    parts = {parameter + part: f"{name}{part}".lstrip(".") for part in CSR}
    if not set(parts.values()) <= set(keys):
        return {}
    form = f"{name}.format".lstrip(".")
    return parts | ({f"{parameter}.format": form} if form in keys else {})


def _assemble_matrices(arrays: dict[str, Any]) -> None:
    """Put a sparse matrix in the place of its parts."""
    for name in ("x_train", "x_test"):
        if (form := arrays.pop(f"{name}.format", None)) is not None and form.tobytes().replace(b"\0", b"") != b"csr":
            raise InputError(f"{name} is a sparse matrix in another format than csr; expected one that tocsr() returns")
        if f"{name}.data" in arrays:
            data, indices, indptr, shape = (arrays.pop(name + part) for part in CSR)
            if shape.ndim != 1 or shape.dtype.kind not in "iu":
                raise InputError(
                    f"{name} has a shape of dtype {shape.dtype} and shape {shape.shape}; expected two integers"
                )
            arrays[name] = CsrMatrix(data, indices, indptr, tuple(shape[:3].tolist()))


def _member(archive: Zip, key: str, member: ZipInfo, kinds: str) -> NDArray:
    with archive.open(member, key) as stream:
        start = io.BytesIO(stream.read(MOST_HEADER))
        try:
            shape, fortran, dtype = _header(start)
        except MALFORMED as error:
            raise InputError(f"is damaged: {key} is no array ({printable(error)})") from None
        if dtype.hasobject:
            raise InputError(
                f"holds pickled Python objects under {key}, which are not read for safety; expected a numeric array"
            )
        if dtype.kind not in kinds:
            wanted = "integers, floats or bools" if "f" in kinds else "text"
            raise InputError(f"holds {key} with dtype {printable(dtype)}; expected {wanted}")
        announced = start.tell() + math.prod(shape) * dtype.itemsize
        if not all(type(size) is int and size >= 0 for size in shape) or announced != member.file_size:
            raise InputError(
                f"is damaged: {key} is no array (shape {printable(shape)} makes {announced} bytes, not {member.file_size})"
            )
    with archive.open(member, key) as stream:
        stream.read(start.tell())
        return _values(stream, shape, fortran, dtype)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return shape, whether the first axis changes fastest, and dtype."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in readers:  # later ones are for structures whose fields have names beyond Latin letters
        raise ValueError(f"version {version} of the format")
    with warnings.catch_warnings():  # of Python, which parses the header
        warnings.simplefilter("ignore")
        return readers[version](file)


def _values(stream: IO[bytes], shape: tuple[int, ...], fortran: bool, dtype: np.dtype) -> NDArray:
    """Read an array into C order, whichever order it was written in, without holding it twice."""
    array = np.empty(shape, dtype)
    if not fortran:
        _fill(array, stream)
        return array
    written = array.T
    count = max(1, BLOCK * len(written) // max(1, array.nbytes))
    for first in range(0, len(written), count):
        rows = written[first : first + count]
        block = np.empty(rows.shape, dtype)
        _fill(block, stream)
        rows[...] = block
    return array


def _fill(array: NDArray, stream: IO[bytes]) -> None:
    if fill(array, stream) < array.nbytes:
        raise EOFError("an array is cut short")
