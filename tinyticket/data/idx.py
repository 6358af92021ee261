"""IDX, the file format that MNIST was published in.

A file starts with two zero bytes, a byte for the type of its numbers and a byte for the number of dimensions; these
four are its magic number. The dimensions follow as 32-bit numbers, then the data in C order, all of it big-endian.
(Described by LeCun, Cortes and Burges on the MNIST page, http://yann.lecun.com/exdb/mnist/, "The IDX file format".)
"""

import math
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from tinyticket.data.files import BLOCK, fill, open_content
from tinyticket.errors import InputError

IMAGES = 0x00000803  # unsigned bytes in three dimensions: (N, rows, columns)
LABELS = 0x00000801  # unsigned bytes in one: (N,)

TYPES = {
    type_byte: np.dtype(code) for type_byte, code in
    {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}.items()
}  # fmt: skip
MOST_DIMENSIONS = 64  # of an array, for NumPy


def read_idx(path: str | PathLike[str], magic: int | None = None, most: int | None = None) -> NDArray:
    """Read an IDX file, gzipped or not.

    Parameters
    ----------
    path : path-like
        The file. Whether it is gzipped is told from its first bytes, as some programs unpack without renaming.
    magic : int, optional
        The magic number that it must have, such as `IMAGES` or `LABELS`; by default any valid one will do.
    most : int, optional
        How many bytes it may hold; by default 100 for each one of a gzipped file, and 128 MiB in any case.

    Returns
    -------
    ndarray
        In the shape and type that the file states, in the machine's byte order.

    Raises
    ------
    InputError
        If the file cannot be read, has another magic number, or holds fewer or more bytes than its header announces, or
        than it may.
    """
    with open_content(path, "an IDX file", most) as content:
        dtype, ndim = _parse_magic(path, content.read(4), magic)
        start = 4 + 4 * ndim
        sizes = content.read(4 * ndim)
        if len(sizes) < 4 * ndim:
            raise InputError(f"{path} is truncated: its header has {start} bytes, but only {4 + len(sizes)} were found")
        shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
        end = start + math.prod(shape) * dtype.itemsize
        if end > content.most and content.packed:
            raise InputError(f"{path} unpacks to {end} bytes of shape {shape}; expected at most {content.most}")
        if end > content.most:
            raise InputError(f"{path} is truncated: {end} bytes expected for shape {shape}, {content.most} found")
        array = _new(path, shape, dtype)
        found = start + fill(array, content)
        if found < end:
            raise InputError(f"{path} is truncated: {end} bytes expected for shape {shape}, {found} found")
        if more := content.read(BLOCK):  # which also compares gzip's checksum, as that comes at the very end
            raise InputError(
                f"{path} has trailing bytes: {end} bytes expected for shape {shape}, at least {end + len(more)} found"
            )
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _new(path: str | PathLike[str], shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    try:
        return np.empty(shape, dtype)
    except ValueError:  # no examples, of a size beyond all memory
        raise InputError(f"{path} announces an array of shape {shape}, which is too large") from None


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
    if ndim > MOST_DIMENSIONS:
        raise InputError(f"{path} announces an array of {ndim} dimensions; expected at most {MOST_DIMENSIONS}")
    return TYPES[type_byte], ndim
