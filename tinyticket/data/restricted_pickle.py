"""Reading a pickle of plain values and arrays of bytes without running what else a pickle can ask for.

A pickle is a program for a machine with a stack (the standard library's pickletools.py describes its operations), which
can name functions and have them called. The machine here knows the operations of plain values, and the four names that
NumPy's arrays are pickled with, for which it only puts bytes together. Every other operation or name ends the reading.
"""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.data.files import printable
from tinyticket.errors import InputError

MOST_STEPS = 1_000_000  # operations; the largest published file has a fifth as many
MOST_LINE = 1 << 20  # bytes of a text as a line
WIDEST = "\xff"  # character of a text; a wider one would make all others of the text two or four times as large

TYPES = ("u1", "i4", "i8")  # pixels, and labels should somebody have made arrays of them

ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|.)")  # bytes of texts that are written as lines
ESCAPES = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}

BROKEN = (struct.error, EOFError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def read_pickle(data: bytes, where: str) -> Any:
    """Return the value that a pickle holds.

    Parameters
    ----------
    data : bytes
        dict (its keys are texts or bytes), list, tuple, bytes, str, numbers, and NumPy arrays of bytes or integers, which
        lie in the outermost dict or are all there is. Texts of Python 2 become bytes.
    where : str
        What to call it in messages.

    Raises
    ------
    InputError
        If it asks for anything else, which is then not done, or is damaged or truncated.
    """
    try:
        value = _Machine(data).run()
    except _RefusedError as refused:
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


class _RefusedError(Exception):
    """The pickle wants what is not allowed; the message says what."""


class _Machine:
    """Runs a pickle: values are pushed on a stack and gathered from there, from a mark on, into containers."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.push, self.pop = self.stack.append, self.stack.pop

    def run(self) -> Any:
        for _ in range(MOST_STEPS):
            code = self.take(1)
            if code == pickle.STOP:
                return self.pop()
            if code not in OPERATIONS:
                raise _RefusedError(f"the operation {code!r}")
            OPERATIONS[code](self)
        raise ValueError(f"more than {MOST_STEPS} operations")

    # -- from the pickle

    def take(self, count: int) -> bytes:
        start, self.at = self.at, self.at + count
        if not start <= self.at <= len(self.data):
            raise EOFError(f"{count} bytes expected at {start}")
        return self.data[start : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def sized(self, form: str) -> bytes:
        return self.take(self.number(form))

    def text(self, form: str) -> str:
        raw = self.sized(form)
        if raw and np.frombuffer(raw, np.uint8).max() > max(WIDEST.encode()):
            raise ValueError("a text of other than Latin letters")
        return raw.decode()

    def line(self) -> bytes:
        return self.take(self.data.index(b"\n", self.at) + 1 - self.at)[:-1]

    def text_line(self) -> str:
        raw = self.line()
        text = raw[:MOST_LINE].decode("raw-unicode-escape")
        if len(raw) > MOST_LINE or max(text, default="") > WIDEST:
            raise ValueError("a long text, or one of other than Latin letters")
        return text

    # -- from and to the stack

    def last(self, count: int) -> list[Any]:
        start = len(self.stack) - count
        if start < 0:
            raise IndexError(f"{count} values expected on the stack")
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def marked(self) -> list[Any]:
        return self.last(len(self.stack) - self.marks.pop())

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("values are appended to what is no list")
        self.stack[-1].extend(values)

    def update(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not dict or not all(isinstance(key, str | bytes) for key in values[::2]):
            raise TypeError("entries are no texts, or are put into what is no dictionary")
        self.stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def dictionary(self, values: list[Any]) -> None:
        self.push({})
        self.update(values)

    def keep(self, place: int) -> None:
        if place > MOST_STEPS:
            raise IndexError(f"a value is kept at {place}")
        self.memo[place] = self.stack[-1]

    def build(self, state: Any) -> None:
        if not isinstance(self.stack[-1], _Array | _Type):
            raise _RefusedError("a changed object")
        self.stack[-1].set_state(*state)


def _unescaped(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return bytes([int(escape[1:], 16)]) if len(escape) == 3 else ESCAPES.get(escape, escape)


def _name(module: Any, name: Any) -> Callable[..., Any]:
    """Return what stands in for a name."""
    full = f"{_word(module)}.{_word(name)}"
    known = full.replace("numpy.core.", "numpy._core.")  # before and since NumPy 2
    if known not in NAMES:
        raise _RefusedError(full)
    return NAMES[known]


def _call(function: Any, arguments: Any) -> Any:
    if function not in NAMES.values() or type(arguments) is not tuple:
        raise _RefusedError("a call of something else")
    return function(*arguments)


def _encode(text: str, encoding: Any) -> bytes:
    return str.encode(text, "latin1")


def _word(value: Any) -> str:
    """Return a text of Python 2 or 3."""
    if not isinstance(value, str | bytes):
        raise TypeError("a name is no text")
    return value.decode("latin1") if isinstance(value, bytes) else value


class _Type:
    """Stands in for a dtype."""

    def __init__(self, code: Any, *flags: Any):
        self.code = _word(code)
        if self.code not in TYPES:
            raise _RefusedError(f"an array of {self.code!r}")

    def set_state(self, version: Any, order: Any, *rest: Any) -> None:
        if _word(order) not in ("|", "<"):
            raise _RefusedError("an array in another byte order")


class _Array:
    """Stands in for an array until its bytes are there."""

    def __init__(self, *arguments: Any):
        self.value: np.ndarray | None = None

    def set_state(self, version: Any, shape: Any, kind: Any, fortran: Any, content: Any) -> None:
        if not (isinstance(kind, _Type) and isinstance(content, bytes)):
            raise _RefusedError("an array of objects")
        self.value = np.frombuffer(content, f"<{kind.code}").reshape(shape, order="F" if fortran else "C")


def _ndarray(*arguments: Any) -> Any:
    raise _RefusedError("an array made in another way")


NAMES: dict[str, Callable[..., Any]] = {
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.ndarray": _ndarray,  # only handed to the one above
    "numpy.dtype": _Type,
    "_codecs.encode": _encode,  # how Python 3 writes bytes for Python 2
}

OPERATIONS: dict[bytes, Callable[[_Machine], Any]] = {
    # values
    pickle.NONE: lambda machine: machine.push(None),
    pickle.NEWTRUE: lambda machine: machine.push(True),
    pickle.NEWFALSE: lambda machine: machine.push(False),
    pickle.BININT: lambda machine: machine.push(machine.number("<i")),
    pickle.BININT1: lambda machine: machine.push(machine.number("<B")),
    pickle.BININT2: lambda machine: machine.push(machine.number("<H")),
    pickle.LONG1: lambda machine: machine.push(int.from_bytes(machine.sized("<B"), "little", signed=True)),
    pickle.BINFLOAT: lambda machine: machine.push(machine.number(">d")),
    pickle.BINSTRING: lambda machine: machine.push(machine.sized("<i")),
    pickle.SHORT_BINSTRING: lambda machine: machine.push(machine.sized("<B")),
    pickle.BINBYTES: lambda machine: machine.push(machine.sized("<I")),
    pickle.SHORT_BINBYTES: lambda machine: machine.push(machine.sized("<B")),
    pickle.BINBYTES8: lambda machine: machine.push(machine.sized("<Q")),
    pickle.BINUNICODE: lambda machine: machine.push(machine.text("<I")),
    pickle.SHORT_BINUNICODE: lambda machine: machine.push(machine.text("<B")),
    pickle.BINUNICODE8: lambda machine: machine.push(machine.text("<Q")),
    # values as lines of text, in the first version of the format
    pickle.INT: lambda machine: machine.push(int(machine.line())),
    pickle.LONG: lambda machine: machine.push(int(machine.line().rstrip(b"L"))),
    pickle.FLOAT: lambda machine: machine.push(float(machine.line())),
    pickle.STRING: lambda machine: machine.push(ESCAPED.sub(_unescaped, machine.line()[1:-1])),
    pickle.UNICODE: lambda machine: machine.push(machine.text_line()),
    # containers
    pickle.MARK: lambda machine: machine.marks.append(len(machine.stack)),
    pickle.EMPTY_TUPLE: lambda machine: machine.push(()),
    pickle.TUPLE1: lambda machine: machine.push(tuple(machine.last(1))),
    pickle.TUPLE2: lambda machine: machine.push(tuple(machine.last(2))),
    pickle.TUPLE3: lambda machine: machine.push(tuple(machine.last(3))),
    pickle.TUPLE: lambda machine: machine.push(tuple(machine.marked())),
    pickle.EMPTY_LIST: lambda machine: machine.push([]),
    pickle.LIST: lambda machine: machine.push(machine.marked()),
    pickle.APPEND: lambda machine: machine.extend(machine.last(1)),
    pickle.APPENDS: lambda machine: machine.extend(machine.marked()),
    pickle.EMPTY_DICT: lambda machine: machine.push({}),
    pickle.DICT: lambda machine: machine.dictionary(machine.marked()),
    pickle.SETITEM: lambda machine: machine.update(machine.last(2)),
    pickle.SETITEMS: lambda machine: machine.update(machine.marked()),
    # values that are used again
    pickle.PUT: lambda machine: machine.keep(int(machine.line())),
    pickle.BINPUT: lambda machine: machine.keep(machine.number("<B")),
    pickle.LONG_BINPUT: lambda machine: machine.keep(machine.number("<I")),
    pickle.MEMOIZE: lambda machine: machine.keep(len(machine.memo)),
    pickle.GET: lambda machine: machine.push(machine.memo[int(machine.line())]),
    pickle.BINGET: lambda machine: machine.push(machine.memo[machine.number("<B")]),
    pickle.LONG_BINGET: lambda machine: machine.push(machine.memo[machine.number("<I")]),
    # names and calls
    pickle.GLOBAL: lambda machine: machine.push(_name(machine.line(), machine.line())),
    pickle.STACK_GLOBAL: lambda machine: machine.push(_name(*machine.last(2))),
    pickle.REDUCE: lambda machine: machine.push(_call(*machine.last(2))),
    pickle.BUILD: lambda machine: machine.build(machine.pop()),
    # hints for other readers
    pickle.PROTO: lambda machine: machine.number("<B"),
    pickle.FRAME: lambda machine: machine.number("<Q"),
}
