"""Reading a pickle of plain values and arrays of bytes without running what else a pickle can ask for.

A pickle names functions and has them called. The published Python version of CIFAR needs two of NumPy's, which are stood in
for here by functions that only put bytes together; every other name ends the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.data.files import printable
from tinyticket.data.pickle_machine import Machine, RefusedError, StandIn, word
from tinyticket.errors import InputError

TYPES = ("u1", "i4", "i8")  # pixels, and labels should somebody have made arrays of them

BROKEN = (struct.error, EOFError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def read_pickle(data: bytes, where: str) -> Any:
    """Return the value that a pickle holds.

    Parameters
    ----------
    data : bytes
        dict (its keys are texts or bytes), list, tuple, bytes, str (of Latin letters), numbers, and NumPy arrays of bytes
        or integers, which lie in the outermost dict or are all there is. Texts of Python 2 become bytes.
    where : str
        What to call it in messages.

    Raises
    ------
    InputError
        If it asks for anything else, which is then not done, or is damaged or truncated.
    """
    try:
        value = Machine(data, NAMES).run()
    except RefusedError as refused:
        raise InputError(
            f"{where} is a pickle that asks for {printable(refused)}, which is not run; expected plain values and arrays "
            "of bytes (the binary version of the data set holds no pickles)"
        ) from None
    except BROKEN as error:
        raise InputError(f"{where} is truncated or damaged ({printable(error) or type(error).__name__})") from None
    if isinstance(value, dict):
        return {key: _finished(item) for key, item in value.items()}
    return _finished(value)


def _finished(value: Any) -> Any:
    return value.value if isinstance(value, _Array) else value


class _Type(StandIn):
    """Stands in for a dtype."""

    def __init__(self, code: Any, *flags: Any):
        self.code = word(code)
        if self.code not in TYPES:
            raise RefusedError(f"an array of {self.code!r}")

    def set_state(self, version: Any, order: Any, *rest: Any) -> None:
        if word(order) not in ("|", "<"):
            raise RefusedError("an array in another byte order")


class _Array(StandIn):
    """Stands in for an array until its bytes are there."""

    def __init__(self, *arguments: Any):
        self.value: np.ndarray | None = None

    def set_state(self, version: Any, shape: Any, kind: Any, fortran: Any, content: Any) -> None:
        if not (isinstance(kind, _Type) and isinstance(content, bytes)):
            raise RefusedError("an array of objects")
        self.value = np.frombuffer(content, f"<{kind.code}").reshape(shape, order="F" if fortran else "C")


def _encode(text: str, encoding: Any) -> bytes:
    return str.encode(text, "latin1")


def _ndarray(*arguments: Any) -> Any:
    raise RefusedError("an array made in another way")


NAMES: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,  # since NumPy 2
    "numpy.ndarray": _ndarray,  # only handed to the one above
    "numpy.dtype": _Type,
    "_codecs.encode": _encode,  # how Python 3 writes bytes for Python 2
}
