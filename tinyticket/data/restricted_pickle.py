"""Reading a pickle of plain values and arrays of bytes without running what else a pickle can ask for.

A pickle names functions and has them called. The published Python version of CIFAR needs two of NumPy's, which are stood in
for here by functions that only put bytes together; every other name ends the reading.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

import numpy as np

from tinyticket.errors import InputError

TYPES = ("u1", "i4", "i8")  # pixels, and labels should somebody have made arrays of them

MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2
BROKEN = (
    pickle.UnpicklingError, struct.error, EOFError, AttributeError, ImportError, IndexError, KeyError, MemoryError,
    OverflowError, RecursionError, TypeError, ValueError,
)  # fmt: skip


def read_pickle(data: bytes, where: str) -> Any:
    """Return the value that a pickle holds.

    Parameters
    ----------
    data : bytes
        dict, list, tuple, bytes, str, numbers, and NumPy arrays of bytes or integers. Texts of Python 2 become bytes.
    where : str
        What to call it in messages.

    Raises
    ------
    InputError
        If it asks for anything else, which is then not done, or is damaged or truncated.
    """
    try:
        value = _Unpickler(io.BytesIO(data)).load()
    except _RefusedError as refused:
        raise InputError(
            f"{where} is a pickle that asks for {refused}, which is not run; expected plain values and arrays of bytes "
            "(the binary version of the data set holds no pickles)"
        ) from None
    except BROKEN as error:
        raise InputError(f"{where} is truncated or damaged ({str(error) or type(error).__name__})") from None
    return _finished(value)


class _RefusedError(Exception):
    """The pickle wants what is not allowed; the message says what."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for what NumPy's arrays need; made anew each time, so that no pickle can change it for the next."""
        if module in MODULES and name == "_reconstruct":
            return lambda kind, shape, code: _Array()
        if (module, name) == ("numpy", "ndarray"):
            return "ndarray"  # only handed to the function above
        if (module, name) == ("numpy", "dtype"):
            return lambda code, *flags: _Type(code)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return lambda text, encoding: text.encode("latin1")
        raise _RefusedError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError(f"the object {pid!r:.40} outside of it")


class _Type:
    """Stands in for a dtype."""

    def __init__(self, code: Any):
        self.code = code.decode("latin1") if isinstance(code, bytes) else code
        if self.code not in TYPES:
            raise _RefusedError(f"an array of {self.code!r:.40}")

    def __setstate__(self, state: tuple) -> None:
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in ("|", "<"):
            raise _RefusedError(f"an array in the byte order {order!r:.40}")


class _Array:
    """Stands in for an array until its bytes are there."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        if not (isinstance(kind, _Type) and isinstance(content, bytes)):
            raise _RefusedError("an array of objects")
        numbers = np.frombuffer(content, f"<{kind.code}")
        self.value = numbers.reshape(shape, order="F" if fortran else "C")


def _finished(value: Any) -> Any:
    """Put the arrays in the place of what stood in for them; they lie in a dict, or are all there is."""
    if isinstance(value, dict):
        return {key: _finished(item) for key, item in value.items()}
    return value.value if isinstance(value, _Array) else value
