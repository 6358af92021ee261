"""The machine that pickles are programs of, without what could run code, or take more time or memory than the pickle has bytes.

The standard library's pickletools.py describes its operations. Those here make plain values; every other one is refused.
"""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_STEPS = 1_000_000  # operations; the largest published file has a fifth as many
MOST_TEXT = 1 << 27  # characters of all texts, the encoded ones twice: pixels, as Python 3 writes them for Python 2
ESCAPED_LIKE = 64  # characters of other texts count those of lines, which may be escaped: unescaping takes time
WIDEST = "\xff"  # character of a text; a wider one would make all others of the text two or four times as large

ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|.)")  # bytes of texts that are written as lines
ESCAPES = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"\\": b"\\", b"'": b"'", b'"': b'"'}


class RefusedError(Exception):
    """The pickle wants what is not allowed; the message says what."""


class StandIn:
    """Stands in for an object that a pickle makes and then gives its state."""

    def set_state(self, *state: Any) -> None:
        raise RefusedError("a changed object")


class Machine:
    """Runs a pickle: values are pushed on a stack and gathered from there, from a mark on, into containers.

    Parameters
    ----------
    data : bytes
        The pickle.
    names : dict of str to callable
        What stands in for each name that it may call; all others are refused.
    """

    def __init__(self, data: bytes, names: dict[str, Callable[..., Any]]):
        self.data, self.at, self.names = data, 0, names
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.text_left = MOST_TEXT

    def run(self) -> Any:
        for _ in range(MOST_STEPS):
            code = self.take(1)
            if code == pickle.STOP:
                return self.stack.pop()
            if code in VALUES:
                self.stack.append(VALUES[code](self))
            elif code in CHANGES:
                CHANGES[code](self)
            else:
                raise RefusedError(f"the operation {code!r}")
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
        self.spend(len(raw))
        if raw and np.frombuffer(raw, np.uint8).max() > max(WIDEST.encode()):
            raise ValueError("a text of other than Latin letters")
        return raw.decode()

    def line(self) -> bytes:
        return self.take(self.data.index(b"\n", self.at) + 1 - self.at)[:-1]

    def text_line(self) -> str:
        text = self.escaped_line().decode("raw-unicode-escape")
        text.encode("latin1")  # an error where there are wider characters
        return text

    def bytes_line(self) -> bytes:
        return ESCAPED.sub(_unescaped, self.escaped_line()[1:-1])

    def escaped_line(self) -> bytes:
        line = self.line()
        self.spend(ESCAPED_LIKE * len(line))
        return line

    def spend(self, count: int) -> None:
        self.text_left -= count
        if self.text_left < 0:
            raise ValueError(f"more than {MOST_TEXT} characters of text")

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

    def update(self, entries: dict[Any, Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise TypeError("entries are put into what is no dictionary")
        self.stack[-1].update(entries)

    def keep(self, place: int) -> None:
        if place > MOST_STEPS:
            raise IndexError(f"a value is kept at {place}")
        self.memo[place] = self.stack[-1]

    def named(self, module: Any, name: Any) -> Callable[..., Any]:
        full = f"{word(module)}.{word(name)}"
        if full not in self.names:
            raise RefusedError(full)
        return self.names[full]

    def persistent(self, what: Any) -> Any:
        """Return what a pickle names of the file around it; a machine for such files overrides this."""
        raise RefusedError("something outside itself")

    def call(self, function: Any, arguments: Any) -> Any:
        if function not in self.names.values() or type(arguments) is not tuple:
            raise RefusedError("a call of something else")
        self.spend(sum(len(text) for text in arguments if isinstance(text, str)))
        return function(*arguments)

    def build(self, state: Any) -> None:
        if not isinstance(self.stack[-1], StandIn):
            raise RefusedError("a changed object")
        self.stack[-1].set_state(*state)


def _entries(values: list[Any]) -> dict[Any, Any]:
    """Return keys and values that follow each other as a dictionary; the hash of other keys might take for ever."""
    if not all(isinstance(key, str | bytes) for key in values[::2]):
        raise TypeError("a key is no text")
    return dict(zip(values[::2], values[1::2], strict=True))


def _unescaped(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return bytes([int(escape[1:], 16)]) if len(escape) == 3 else ESCAPES.get(escape, match[0])


def word(value: Any) -> str:
    """Return a text of Python 2 or 3."""
    if not isinstance(value, str | bytes):
        raise TypeError("a name is no text")
    return value.decode("latin1") if isinstance(value, bytes) else value


VALUES: dict[bytes, Callable[[Machine], Any]] = {  # what is pushed
    # numbers, texts and bytes
    pickle.NONE: lambda machine: None,
    pickle.NEWTRUE: lambda machine: True,
    pickle.NEWFALSE: lambda machine: False,
    pickle.BININT: lambda machine: machine.number("<i"),
    pickle.BININT1: lambda machine: machine.number("<B"),
    pickle.BININT2: lambda machine: machine.number("<H"),
    pickle.LONG1: lambda machine: int.from_bytes(machine.sized("<B"), "little", signed=True),
    pickle.BINFLOAT: lambda machine: machine.number(">d"),
    pickle.BINSTRING: lambda machine: machine.sized("<i"),
    pickle.SHORT_BINSTRING: lambda machine: machine.sized("<B"),
    pickle.BINBYTES: lambda machine: machine.sized("<I"),
    pickle.SHORT_BINBYTES: lambda machine: machine.sized("<B"),
    pickle.BINBYTES8: lambda machine: machine.sized("<Q"),
    pickle.BINUNICODE: lambda machine: machine.text("<I"),
    pickle.SHORT_BINUNICODE: lambda machine: machine.text("<B"),
    pickle.BINUNICODE8: lambda machine: machine.text("<Q"),
    # the same as lines of text, in the first version of the format
    pickle.INT: lambda machine: int(machine.line()),
    pickle.LONG: lambda machine: int(machine.line().rstrip(b"L")),
    pickle.FLOAT: lambda machine: float(machine.line()),
    pickle.STRING: lambda machine: machine.bytes_line(),
    pickle.UNICODE: lambda machine: machine.text_line(),
    # containers
    pickle.EMPTY_TUPLE: lambda machine: (),
    pickle.TUPLE1: lambda machine: tuple(machine.last(1)),
    pickle.TUPLE2: lambda machine: tuple(machine.last(2)),
    pickle.TUPLE3: lambda machine: tuple(machine.last(3)),
    pickle.TUPLE: lambda machine: tuple(machine.marked()),
    pickle.EMPTY_LIST: lambda machine: [],
    pickle.LIST: lambda machine: machine.marked(),
    pickle.EMPTY_DICT: lambda machine: {},
    pickle.DICT: lambda machine: _entries(machine.marked()),
    # values that were kept
    pickle.GET: lambda machine: machine.memo[int(machine.line())],
    pickle.BINGET: lambda machine: machine.memo[machine.number("<B")],
    pickle.LONG_BINGET: lambda machine: machine.memo[machine.number("<I")],
    # names and calls
    pickle.GLOBAL: lambda machine: machine.named(machine.line(), machine.line()),
    pickle.STACK_GLOBAL: lambda machine: machine.named(*machine.last(2)),
    pickle.REDUCE: lambda machine: machine.call(*machine.last(2)),
    pickle.BINPERSID: lambda machine: machine.persistent(*machine.last(1)),
}

CHANGES: dict[bytes, Callable[[Machine], Any]] = {  # what is done with what was pushed
    pickle.MARK: lambda machine: machine.marks.append(len(machine.stack)),
    pickle.APPEND: lambda machine: machine.extend(machine.last(1)),
    pickle.APPENDS: lambda machine: machine.extend(machine.marked()),
    pickle.SETITEM: lambda machine: machine.update(_entries(machine.last(2))),
    pickle.SETITEMS: lambda machine: machine.update(_entries(machine.marked())),
    pickle.PUT: lambda machine: machine.keep(int(machine.line())),
    pickle.BINPUT: lambda machine: machine.keep(machine.number("<B")),
    pickle.LONG_BINPUT: lambda machine: machine.keep(machine.number("<I")),
    pickle.MEMOIZE: lambda machine: machine.keep(len(machine.memo)),
    pickle.BUILD: lambda machine: machine.build(machine.stack.pop()),
    pickle.PROTO: lambda machine: machine.number("<B"),
    pickle.FRAME: lambda machine: machine.number("<Q"),
}
