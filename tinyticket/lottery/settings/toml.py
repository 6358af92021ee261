"""Settings as a TOML file: what `tinyticket show --config` writes and `tinyticket find --config` reads."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyticket.errors import InputError, about, near
from tinyticket.lottery.settings.declare import NEVER
from tinyticket.lottery.settings.defaults import Options, read
from tinyticket.lottery.settings.table import MASKING, SETTINGS, Settings


def to_toml(config: Mapping[str, Any]) -> str:
    """Return the settings of a result (`Result.config`) as TOML, from which `find` repeats the experiment."""
    settings, head = Settings.from_plain(config), ""
    untold = {"rounds", "prune"} if settings.one_shot else {"one_shot"} if settings.prune else {"one_shot", "prune"}
    if settings.masks_from != "none":
        head = f"# its masks are those of {_value(settings.masks_from)}: give their file with --masks-from\n"
        untold |= {"masks_from", *MASKING}
    # Files leave out what was once the only way, which may be another than what `find` does by default.
    open = {s.name: s.absent for s in SETTINGS.values() if s.default not in (None, s.absent) and s.absent is not NEVER}
    told = {name: value for name, value in {**open, **settings.to_plain()}.items() if name not in untold}
    return head + "".join(f"{name} = {_value(value)}\n" for name, value in told.items())


def from_toml(path: str | os.PathLike) -> Options:
    """Return options of `find` from a TOML file.

    Raises
    ------
    InputError
        If it cannot be read, or holds what is no setting or no value of one.
    """
    given = named(read_toml(path))
    with about(path):
        for name in given.keys() - SETTINGS.keys():
            raise InputError(f"no setting is called {name!r}{near(name, SETTINGS)}")
        return read(given)


def read_toml(path: str | os.PathLike) -> dict[str, Any]:
    """Return what a TOML file holds; raise InputError if it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is no TOML file: {error}") from None


def named(table: Mapping[str, Any]) -> Options:
    """Return a table with the names of settings as Python writes them."""
    return {name.replace("-", "_"): value for name, value in table.items()}


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_value(part)}' for name, part in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
