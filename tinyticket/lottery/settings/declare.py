"""How a setting is declared: as a field of a dataclass, with all that signature, command line, file and documents need to know."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from typing import Any

from tinyticket.errors import InputError
from tinyticket.lottery.settings.readers import LONGEST, READERS, refuse

GROUPS = ("Experiment", "Training", "Pruning", "Rewinding", "Controls", "Methods", "Running")
NEVER = object()  # is a setting absent from a file


@dataclass(frozen=True)
class BySize:
    """A default that is one for small data and another for large ones."""

    small: Any
    large: Any

    def __str__(self) -> str:
        return f"{self.small}, for large data {self.large}"


class Open(str):
    """A default in words, as it depends on other settings; `resolve` finds it."""


@dataclass(frozen=True)
class Setting:
    """What is declared of a setting, which has the name and the type of a field; `help` names other settings in backticks."""

    group: str
    default: Any  # what `find` takes if none is given: a value, a BySize, an Open, or None for nothing
    help: str
    python: str = ""  # what else is to be said in Python
    absent: Any = NEVER  # what a file without it means
    least: float = -math.inf
    below: float = math.inf
    known: tuple[str, ...] = ()  # its names; the reader refuses others if `kind` says of what
    kind: str = ""
    expected: str = ""  # a sentence about good values, instead of one made of type and bounds
    parse: Callable[[Any], Any] | None = None  # reads values, instead of the reader of its type
    takes: str = ""  # what it reads, in words
    option: str | None = None  # its name on the command line, if it is another; empty if it is none there
    form: str | None = None  # what stands for its value there
    common: bool = False  # whether the short help shows it
    name: str = ""
    type: str = ""

    def read(self, value: Any) -> Any:
        """Return the value as an experiment works with it; raise InputError if it is none."""
        name = self.name.replace("_", " ")
        if not self.parse:
            return READERS[self.type](self, name, value)
        expected = self.expected or f"{name} is {self.takes}"
        if isinstance(value, str) and len(value) > LONGEST:
            raise refuse(expected, value)
        try:
            return self.parse(value)
        except InputError:
            raise
        except (TypeError, ValueError, OverflowError):
            raise refuse(expected, value) from None


def setting(group: str, default: Any, help: str, *, later: bool = False, **more: Any) -> Any:
    """Return the field that declares a setting; `later` if the first files did not have it and meant its default."""
    declared = Setting(group, default, help, **({"absent": default} if later else {}), **more)
    return dataclasses.field(
        default=MISSING if declared.absent is NEVER else declared.absent, metadata={"setting": declared}
    )


def settings_of(cls: Any) -> dict[str, Setting]:
    """Return what a class, or an object of it, declares, by name."""
    found = {}
    for field in dataclasses.fields(cls):
        kind = str(field.type).removesuffix(" | None")
        found[field.name] = dataclasses.replace(field.metadata["setting"], name=field.name, type=kind)
    return found


class Declared:
    """A dataclass of settings, whose values are read as it is made."""

    def __post_init__(self):
        for name, setting in settings_of(self).items():
            if (value := getattr(self, name)) is not None or setting.absent is NEVER:
                object.__setattr__(self, name, setting.read(value))
