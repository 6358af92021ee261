"""How values of settings are read, in Python, from the command line, from TOML and from files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.optim import schedules
from tinyticket.optim.schedules import Schedule
from tinyticket.results.result import Result, load

if TYPE_CHECKING:
    from tinyticket.lottery.settings.declare import Setting

LONGEST = 500  # characters of a name or other text, which messages repeat


def refuse(expected: str, value: Any) -> InputError:
    """Return the error for a value that is not what is expected, shown in at most 60 characters."""
    try:
        shown = " ".join(repr(value).split())[:60]
    except Exception:  # as of an integer of thousands of digits
        shown = f"such a value of the type {type(value).__name__}"
    return InputError(f"{expected}, not {shown}")


def _whole(setting: Setting, name: str, value: Any) -> int:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    below = 2**31 if setting.below == math.inf else setting.below
    if whole and value >= below:
        raise refuse(f"{name} is a whole number below {below}", value)
    if not whole or value < setting.least:
        bound = f" of at least {setting.least}" if setting.least > -math.inf else ""
        raise refuse(setting.expected or f"{name} is a whole number{bound}", value)
    return int(value)


def _number(setting: Setting, name: str, value: Any) -> float:
    number, bounded = _as_float(value), (setting.least, setting.below) != (-math.inf, math.inf)
    if number is None or (bounded and not setting.least <= number < setting.below):
        raise refuse(setting.expected or f"{name} is a number", value)
    return number


def _plain(setting: Setting, name: str, value: Any, kind: str = "") -> Any:
    types, words = PLAIN[kind or setting.type]
    if not isinstance(value, types) or "\0" in str(value) or (types is str and len(value) > LONGEST):
        such = f" such as {setting.known[0]!r}" if setting.known else ""
        raise refuse(f"{name} is {words}{such}", value)
    if setting.kind and value not in setting.known:
        raise InputError(f"no {setting.kind} is called {value!r}{near(value, setting.known)}")
    return value.item() if isinstance(value, np.generic) else value


def open_result(setting: Setting, name: str, value: Any) -> Result:
    """Return a result, or the one that a path names."""
    return value if isinstance(value, Result) else load(_plain(setting, name, value, "Result"))


FILE = (str, os.PathLike)
OTHERS = {".npz", ".npy", ".csv", ".json", ".toml", ".txt", ".md", ".html", ".png", ".svg", ".pdf", ".py"}
"""Endings of files that are something else than a result."""

PLAIN: dict[str, Any] = {
    "bool": ((bool, np.bool_), "True or False"),
    "str": (str, "a name"),
    "Path": (FILE, "a path"),
    "Result": (FILE, "a result or the path of its file"),
}
READERS: dict[str, Any] = {**dict.fromkeys(PLAIN, _plain), "int": _whole, "float": _number, "Result": open_result}
"""By type: (setting, its name in sentences, what was given) -> the value, or InputError."""


def read_schedule(value: Any) -> Schedule:
    """Return a schedule, from text such as "step:20000,25000" or what a file holds too."""
    value = schedules.parse(value) if isinstance(value, str) else value
    value = schedules.from_plain(dict(value)) if isinstance(value, Mapping) else value
    if not isinstance(value, Schedule):
        raise TypeError
    return value


def read_fractions(value: Any) -> Any:
    """Return what `prune.parse_fractions` takes; what it means depends on the scope."""
    several = {str(name): _as_float(part) for name, part in value.items()} if isinstance(value, Mapping) else {}
    read = value if isinstance(value, str) else several if isinstance(value, Mapping) else _as_float(value)
    if read is None or None in several.values():
        raise TypeError
    return read


def read_densities(value: float | str | Iterable[float]) -> tuple[float, ...]:
    """Return densities, from one number, several, or text such as "0.5,0.2,0.1"."""
    parts: Any = value.split(",") if isinstance(value, str) else [value] if isinstance(value, Real) else value
    densities = tuple(float(part) for part in parts)
    if not all(map(math.isfinite, densities)):
        raise ValueError
    return densities


def read_out(value: Any) -> Path:
    """Return the path of a result file."""
    if not isinstance(value, FILE) or "\0" in str(value):
        raise TypeError
    path = Path(value)
    if str(value) == "-" or path.suffix.lower() in OTHERS:
        raise InputError(f"a result is an HDF5 file with a name such as ticket.h5, not {str(value)!r}")
    return path


def read_executor(value: Any) -> Any:
    """Return an executor, or the address of a scheduler."""
    if not isinstance(value, str) and not hasattr(value, "submit"):
        raise TypeError
    return value


def _as_float(value: Any) -> float | None:
    """Return a real number, NumPy's too, as a float; None if the value is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
