"""Files of a state_dict as torch.save writes them, written and read without PyTorch: a zip of a pickle and the arrays' bytes.

The pickle calls a few functions of PyTorch to put each tensor together from a storage, which lies in the zip file. When a
pickle is read, functions of this file stand in for them, and all else that it can ask for is refused.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from zipfile import ZipInfo

import numpy as np

from tinyticket.data.files import fill, printable
from tinyticket.data.pickle_machine import Machine, RefusedError, StandIn
from tinyticket.data.restricted_pickle import BROKEN
from tinyticket.data.zipped import Zip, open_zip
from tinyticket.errors import InputError

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
FOLDER = "archive"  # that the members of the zip file lie in
EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip file: equal tensors are equal files
EXPECTED = "a file of a state_dict, as torch.save writes it"
SHARED = 2  # numbers of all tensors for each stored byte: some share theirs, and a few bytes must not become terabytes
MOST_PICKLE = 1 << 24  # bytes; a tensor takes two hundred


# -- writing


def to_pytorch(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays by name as a file that ``torch.load(path, weights_only=True)`` reads as a dict of tensors."""
    content = io.BytesIO()
    members = {"data.pkl": _pickled(arrays), "byteorder": b"little"}
    for number, value in enumerate(arrays.values()):
        members[f"data/{number}"] = np.ascontiguousarray(value, _storage(value)[1]).tobytes()
    with zipfile.ZipFile(content, "w") as archive:
        for name, raw in {**members, "version": b"3\n"}.items():
            archive.writestr(ZipInfo(f"{FOLDER}/{name}", EARLIEST), raw)
    return content.getvalue()


def _pickled(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the program that puts a dict of tensors together."""
    entries = [_value(name) + _tensor(str(number), value) for number, (name, value) in enumerate(arrays.items())]
    return b"".join([pickle.PROTO, b"\2", pickle.EMPTY_DICT, pickle.MARK, *entries, pickle.SETITEMS, pickle.STOP])


def _tensor(key: str, value: np.ndarray) -> bytes:
    kind, _ = _storage(value)
    strides = [step // value.itemsize for step in np.empty(value.shape, value.dtype).strides]
    storage = _tuple(_value("storage"), _name("torch", kind), _value(key), _value("cpu"), _value(value.size))
    hooks = _name("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    size, steps = _tuple(*map(_value, value.shape)), _tuple(*map(_value, strides))
    arguments = _tuple(storage + pickle.BINPERSID, _value(0), size, steps, pickle.NEWFALSE, hooks)
    return _name("torch._utils", "_rebuild_tensor_v2") + arguments + pickle.REDUCE


def _storage(value: np.ndarray) -> tuple[str, np.dtype]:
    for kind, code in STORAGES.items():
        if value.dtype == np.dtype(code):
            return kind, np.dtype(code)
    raise InputError(f"a PyTorch file cannot hold an array of {value.dtype}")


def _tuple(*parts: bytes) -> bytes:
    return b"".join([pickle.MARK, *parts, pickle.TUPLE])


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _value(value: str | int) -> bytes:
    """Return what pushes a text or a number: a pickle of it without the beginning and the end, and without being kept."""
    if isinstance(value, str):
        raw = value.encode()
        return pickle.BINUNICODE + len(raw).to_bytes(4, "little") + raw
    return pickle.dumps(value, 2)[2:-1]


# -- reading


def read_pytorch(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return the tensors of a state_dict by name, as arrays of their own.

    Raises
    ------
    InputError
        If it is no such file, is damaged, or its pickle asks for anything else, which is then not done.
    """
    with open_zip(path, EXPECTED, "torch.save") as archive:
        members = {member.filename.partition("/")[2]: member for member in archive.members}
        archive.check_unpacked(archive.members)
        if "data.pkl" not in members or members["data.pkl"].file_size > MOST_PICKLE:
            raise InputError(
                f"holds no pickle of tensors, or one of more than {MOST_PICKLE} bytes; expected {EXPECTED}"
            )
        if "byteorder" in members and _bytes(archive, members, "byteorder", 16) != b"little":
            raise InputError(f"holds big-endian numbers; expected {EXPECTED} on a little-endian machine")
        try:
            found = _TensorMachine(_bytes(archive, members, "data.pkl", MOST_PICKLE)).run()
        except RefusedError as refused:
            raise InputError(
                f"asks for {printable(refused)}, which is not run; expected {EXPECTED}: a dict of tensors by name"
            ) from None
        except BROKEN as error:
            raise InputError(f"is damaged ({printable(error) or type(error).__name__}); expected {EXPECTED}") from None
        named = isinstance(found, dict) and all(isinstance(name, str) for name in found)
        if not named or not all(isinstance(value, _Tensor) for value in found.values()):
            raise InputError(f"holds something else than tensors by name; expected {EXPECTED}")
        if sum(math.prod(tensor.size) for tensor in found.values()) > SHARED * sum(
            m.file_size for m in archive.members
        ):
            raise InputError(f"holds tensors of more numbers than are stored; expected {EXPECTED}")
        storages = _storages(archive, members, {tensor.storage for tensor in found.values()})
        return {name: tensor.array(name, storages[tensor.storage.key]) for name, tensor in found.items()}


class _Storage(NamedTuple):
    """Names a member of the zip file that holds the numbers of tensors."""

    key: str
    code: str
    size: int


class _Tensor(StandIn):
    """Stands in for a tensor until its numbers are read."""

    def __init__(self, storage: Any, offset: Any, size: Any, steps: Any, *_: Any):
        numbers = [offset, *size, *steps] if isinstance(size, tuple) and isinstance(steps, tuple) else [None]
        if not isinstance(storage, _Storage) or len(size) != len(steps) or len(size) > 8:
            raise RefusedError("a tensor that is none")
        if not all(type(number) is int and 0 <= number < 1 << 48 for number in numbers):
            raise RefusedError("a tensor of no such shape")
        self.storage, self.offset, self.size, self.steps = storage, offset, size, steps

    def array(self, name: str, storage: np.ndarray) -> np.ndarray:
        """Return its numbers out of those of its storage, never more than there are."""
        count = math.prod(self.size)
        last = self.offset + sum((length - 1) * step for length, step in zip(self.size, self.steps, strict=True))
        if count > len(storage) or (count and last >= len(storage)):
            raise InputError(f"is damaged: {printable(name)} has more numbers than are stored; expected {EXPECTED}")
        steps = [step * storage.itemsize for step in self.steps]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.size, steps).copy()


class _TensorMachine(Machine):
    """Runs the pickle of a state_dict: tensors, and what PyTorch keeps beside them, which is dropped."""

    def __init__(self, data: bytes):
        super().__init__(data, {**NAMES, **dict(_KINDS)})

    def persistent(self, what: Any) -> _Storage:
        match what:
            case ("storage", _Kind() as kind, str() as key, str(), int() as size):
                return _Storage(key, kind.code, size)
        raise RefusedError("something else than a storage of numbers")

    def build(self, state: Any) -> None:
        if type(self.stack[-1]) is not dict:  # else the versions of layers' formats, which a state_dict carries
            super().build(state)


class _Kind:
    """Stands in for a type of storage, which a pickle only hands on."""

    def __init__(self, code: str):
        self.code = code

    def __call__(self, *_: Any) -> Any:
        raise RefusedError("a storage made in another way")


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _dict() -> dict:
    return {}


NAMES: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "collections.OrderedDict": _dict,
}
_KINDS = [(f"torch.{name}", _Kind(code)) for name, code in STORAGES.items()]


def _bytes(archive: Zip, members: Mapping[str, ZipInfo], name: str, most: int) -> bytes:
    with archive.open(members[name], name) as stream:
        return stream.read(most)


def _storages(archive: Zip, members: Mapping[str, ZipInfo], wanted: set[_Storage]) -> dict[str, np.ndarray]:
    """Return the numbers of storages by key, each of which is read once."""
    found: dict[str, np.ndarray] = {}
    for key, code, size in wanted:
        dtype, name = np.dtype(code), f"data/{key}"
        if key in found or name not in members or members[name].file_size != size * dtype.itemsize:
            raise InputError(f"is damaged: the numbers {printable(key)} are not there; expected {EXPECTED}")
        found[key] = np.empty(size, dtype)
        with archive.open(members[name], name) as stream:
            fill(found[key], stream)
    return found
