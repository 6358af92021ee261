"""An .npz file of your own: what `numpy.savez` writes, under the names that Keras made usual."""

import io
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from os import PathLike
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tinyticket.data.arrays import assemble
from tinyticket.data.dataset import Dataset
from tinyticket.data.files import BLOCK, fill, most_unpacked, open_regular, printable
from tinyticket.errors import InputError

ENCRYPTED = 1  # a bit of a member's flags
MOST_PIECE = 1 << 20  # bytes that are read at once, the most of them a zip file's table of contents
MOST_HEADER = 1 << 14  # bytes before an array's values, more than NumPy takes

BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, IndexError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip
MALFORMED = (
    ValueError, TypeError, SyntaxError, KeyError, IndexError, AttributeError, OverflowError, MemoryError, RecursionError,
    tokenize.TokenError,
)  # fmt: skip
EXPECTED = "x_train and y_train (and x_test and y_test), or x and y"


def load_npz(path: str | PathLike[str], numbers: bool = False) -> Dataset:
    """Read a data set from an .npz file.

    Parameters
    ----------
    path : path-like
        The file, with the keys x_train and y_train, and x_test and y_test if it has a test part; or with x and y. Other
        keys are left unread. `from_arrays` says what the arrays may hold and what happens without a test part.
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
    arrays = _read(path)
    try:
        return assemble(arrays, path.name, numbers=numbers)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, NDArray]:
    """Return the file's arrays under the names of `from_arrays`' parameters."""
    with open_regular(path, "an .npz file") as file:
        try:
            _check_zip(file)
            size = os.fstat(file.fileno()).st_size
            with _Pieces(file) as pieces, zipfile.ZipFile(pieces) as archive:
                return _members(archive, size)
        except InputError as error:
            raise InputError(f"{path} {error}") from None
        except BROKEN as error:
            raise InputError(
                f"{path} is damaged ({printable(error)}); expected an .npz file as numpy.savez writes it"
            ) from None


def _check_zip(file: BinaryIO) -> None:
    """Tell apart what NumPy would answer with one and the same message."""
    start = file.read(2)
    if zipfile.is_zipfile(file):
        return
    if start == b"PK":  # a zip file has its table of contents at its end
        raise InputError("is truncated: the end of the .npz file is missing")
    raise InputError("is not an .npz file; expected a zip file of arrays, as numpy.savez writes it")


class _Pieces(io.BufferedReader):
    """A zip file that is read in pieces; the largest honest one is its table of contents."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = MOST_PIECE
        if size > MOST_PIECE:
            raise zipfile.BadZipFile("its table of contents is too large")
        return super().read(size)


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, NDArray]:
    """Return the arrays that `from_arrays` wants, after a look at how large they are all together."""
    known = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    chosen = {parameter: (key, known[key]) for parameter, key in _choose(list(known)).items()}
    unpacked = sum(member.file_size for _, member in chosen.values())
    if unpacked > most_unpacked(size):
        raise InputError(
            f"unpacks to {unpacked} bytes, from {size}; expected at most {most_unpacked(size)} (numpy.savez writes "
            "arrays of zeros and the like as large as they are)"
        )
    return {parameter: _member(archive, key, member) for parameter, (key, member) in chosen.items()}


def _choose(keys: list[str]) -> dict[str, str]:
    """Return the key to read for each parameter of `from_arrays`."""
    if "x_train" in keys and "y_train" in keys:
        return {key: key for key in ("x_train", "y_train", "x_test", "y_test") if key in keys}
    if "x" in keys and "y" in keys:
        return {"x_train": "x", "y_train": "y"}
    raise InputError(f"holds the keys {printable(', '.join(sorted(keys))) or '(none)'}; expected {EXPECTED}")


def _member(archive: zipfile.ZipFile, key: str, member: zipfile.ZipInfo) -> NDArray:
    if member.flag_bits & ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"holds {key} encrypted or packed in an unusual way; expected what numpy.savez writes")
    with archive.open(member) as stream:
        start = io.BytesIO(stream.read(MOST_HEADER))
        try:
            shape, fortran, dtype = _header(start)
        except MALFORMED as error:
            raise InputError(f"is damaged: {key} is no array ({printable(error)})") from None
        if dtype.hasobject:
            raise InputError(
                f"holds pickled Python objects under {key}, which are not read for safety; expected a numeric array"
            )
        if dtype.kind not in "buif":
            raise InputError(f"holds {key} with dtype {printable(dtype)}; expected integers, floats or bools")
        announced = start.tell() + math.prod(shape) * dtype.itemsize
        if not all(type(size) is int and size >= 0 for size in shape) or announced != member.file_size:
            raise InputError(
                f"is damaged: {key} is no array (shape {printable(shape)} makes {announced} bytes, not {member.file_size})"
            )
    with archive.open(member) as stream:
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
