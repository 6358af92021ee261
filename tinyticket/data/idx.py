"""IDX, the file format that MNIST was published in.

A file starts with two zero bytes, a byte for the type of its numbers and a byte for the number of dimensions; these
four are its magic number. The dimensions follow as 32-bit numbers, then the data in C order, all of it big-endian.
(Described by LeCun, Cortes and Burges on the MNIST page, http://yann.lecun.com/exdb/mnist/, "The IDX file format".)
"""

import gzip
import math
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError

IMAGES = 0x00000803  # unsigned bytes in three dimensions: (N, rows, columns)
LABELS = 0x00000801  # unsigned bytes in one: (N,)

TYPES = {
    type_byte: np.dtype(code) for type_byte, code in
    {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}.items()
}  # fmt: skip
GZIP_START = b"\x1f\x8b"


def read_idx(path: str | PathLike[str], magic: int | None = None) -> NDArray:
    """Read an IDX file, gzipped or not.

    Parameters
    ----------
    path : path-like
        The file. Whether it is gzipped is told from its first bytes, as some programs unpack without renaming.
    magic : int, optional
        The magic number that it must have, such as `IMAGES` or `LABELS`; by default any valid one will do.

    Returns
    -------
    ndarray
        In the shape and type that the file states, in the machine's byte order.

    Raises
    ------
    InputError
        If the file cannot be read, has another magic number, or holds fewer or more bytes than its header announces.
    """
    data = _content(Path(path))
    dtype, ndim = _parse_magic(path, data[:4], magic)
    start = 4 + 4 * ndim
    if len(data) < start:
        raise InputError(f"{path} is truncated: its header has {start} bytes, but only {len(data)} were found")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", ndim, offset=4))
    end = start + math.prod(shape) * dtype.itemsize
    if len(data) < end:
        raise InputError(f"{path} is truncated: {end} bytes expected for shape {shape}, {len(data)} found")
    if len(data) > end:
        raise InputError(f"{path} has trailing bytes: {end} bytes expected for shape {shape}, {len(data)} found")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    """Return the file's bytes, unpacked."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected an IDX file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if not data.startswith(GZIP_START):
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is a broken gzip file ({error}); expected a gzipped IDX file") from None


def _parse_magic(path: str | PathLike[str], found: bytes, magic: int | None) -> tuple[np.dtype, int]:
    """Return the type and the number of dimensions that a magic number stands for."""
    if len(found) < 4:
        raise InputError(f"{path} is truncated: {len(found)} bytes found, fewer than the 4 of a magic number")
    number = int.from_bytes(found, "big")
    if magic is not None and number != magic:
        raise InputError(f"{path} has magic number {number:#010x} ({number}); expected {magic:#010x} ({magic})")
    zeros, type_byte, ndim = number >> 16, found[2], found[3]
    if zeros or type_byte not in TYPES or not ndim:
        raise InputError(
            f"{path} has magic number {number:#010x}; expected 0x0000TTDD with a type TT of "
            f"{', '.join(f'{known:02x}' for known in TYPES)} and at least one dimension"
        )
    return TYPES[type_byte], ndim
