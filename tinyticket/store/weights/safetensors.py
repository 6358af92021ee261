"""Safetensors files: the length of a header in eight bytes, the header as JSON, and the arrays' bytes one behind the other."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyticket.data.files import fill, open_regular, printable
from tinyticket.errors import InputError

EXPECTED = "a safetensors file"
DTYPES = {
    **{f"F{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    **{f"I{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    "BOOL": np.dtype(bool),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MOST_HEADER = 1 << 22  # bytes; a header has about a hundred for an array
ALIGNMENT = 8  # of the first array, and of all as long as larger elements come first
METADATA = "__metadata__"


def to_safetensors(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Return arrays by name as the content of a safetensors file; shapes and names are PyTorch's, and it says so."""
    entries: dict[str, Any] = {METADATA: {"format": "pt", **metadata}}
    ordered, start = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize), 0
    for name, value in ordered:
        offsets = [start, start := start + value.nbytes]
        entries[name] = {"dtype": NAMES[value.dtype], "shape": list(value.shape), "data_offsets": offsets}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % ALIGNMENT)
    parts = [np.ascontiguousarray(value).tobytes() for _, value in ordered]
    return b"".join([len(header).to_bytes(8, "little"), header, *parts])


def read_safetensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file by name.

    Raises
    ------
    InputError
        If it cannot be read, is damaged, or holds other numbers than integers, floats of 16 bits or more, and bools.
    """
    with open_regular(path, EXPECTED) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        left = size - 8 - length
        if left < 0 or length > MOST_HEADER:
            raise InputError(f"{path} is not {EXPECTED}, or is truncated: its header would be {length} bytes long")
        try:
            return _arrays(file, json.loads(file.read(length).decode()), left)
        except InputError as error:
            raise InputError(f"{path} is damaged: {error}; expected {EXPECTED}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path} is damaged: its header is no JSON ({printable(error)}); expected {EXPECTED}"
            ) from None


def _arrays(file: Any, header: Any, left: int) -> dict[str, np.ndarray]:
    """Return what a header describes, the arrays one behind the other: none of them may be counted twice."""
    if not isinstance(header, dict):
        raise InputError("its header is no table of names")
    header.pop(METADATA, None)
    arrays, at = {}, 0
    for name, (first, end, dtype, shape) in sorted(_entries(header), key=lambda entry: entry[1][:2]):
        if first != at or end > left or end - first != math.prod(shape) * dtype.itemsize:
            raise InputError(f"{printable(name)} of shape {printable(shape)} does not lie where its bytes are")
        arrays[name] = np.empty(shape, dtype)
        fill(arrays[name], file)
        at = end
    return {name: arrays[name] for name in header}  # in the file's order


def _entries(header: dict[str, Any]) -> list[tuple[str, tuple[int, int, np.dtype, tuple[int, ...]]]]:
    found = []
    for name, entry in header.items():
        entry = entry if isinstance(entry, dict) else {}
        shape: Any = entry.get("shape")
        offsets: Any = entry.get("data_offsets")
        if not (_counts(shape) and len(shape) <= 8 and _counts(offsets) and len(offsets) == 2):
            raise InputError(f"it does not say which shape {printable(name)} has, and where it lies")
        if entry.get("dtype") not in NAMES.values():
            raise InputError(f"{printable(name)} holds {printable(entry.get('dtype'))}, not one of {', '.join(DTYPES)}")
        found.append((name, (*offsets, DTYPES[entry["dtype"]], tuple(shape))))
    return found


def _counts(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number < 1 << 48 for number in numbers)
