"""What people read of the declarations: signatures, docstrings, and the table of docs/format.md."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from tinyticket.lottery.settings.declare import GROUPS, NEVER, BySize, Open, Setting
from tinyticket.lottery.settings.table import RUNNING, SETTINGS

DECLARED = {**SETTINGS, **RUNNING}
BY_GROUP = sorted(DECLARED.values(), key=lambda setting: GROUPS.index(setting.group))
JSON = {"str": "text", "int": "integer", "float": "number", "bool": "boolean", "Schedule": "object"}
BEGIN, END = "<!-- settings: made by `python docs/settings.py` -->\n", "<!-- end of settings -->\n"
T = TypeVar("T", bound=Callable[..., Any])


def takes_settings(function: T) -> T:
    """Give what takes **options the signature of all settings, and describe them where its docstring says {settings}."""
    signature = inspect.signature(function)
    *own, _ = signature.parameters.values()
    own = [p.replace(annotation=DECLARED[p.name].takes) if p.name in DECLARED else p for p in own]
    options = [_parameter(setting) for setting in BY_GROUP if setting.name not in signature.parameters]
    function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    ordered = [DECLARED["model"], DECLARED["data"], *(s for s in BY_GROUP if s.name not in ("model", "data"))]
    text = textwrap.indent("".join(map(_paragraph, ordered)), "    ").strip()
    function.__doc__ = (function.__doc__ or "").replace("{settings}", text)
    return function


def renewed(page: str) -> str:
    """Return docs/format.md with its table of settings made anew."""
    heading = "| name | type | without it | default of `find` | meaning |\n|---|---|---|---|---|\n"
    rows = "".join(map(_row, SETTINGS.values()))
    return f"{page.partition(BEGIN)[0]}{BEGIN}{heading}{rows}{END}{page.partition(END)[2]}"


def _parameter(setting: Setting) -> inspect.Parameter:
    default = None if isinstance(setting.default, BySize | Open) else setting.default
    annotation = (setting.takes or setting.type) + (" | None" if default is None else "")
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _paragraph(setting: Setting) -> str:
    kind = f"{{{', '.join(map(repr, setting.known))}}}" if setting.known else setting.takes or setting.type
    default = "optional" if setting.default is None else f"default {setting.default}"
    text = textwrap.indent(textwrap.fill(f"{setting.help} {setting.python}".strip(), 120), "    ")
    return f"{setting.name} : {kind}, {default}\n{text}\n"


def _row(setting: Setting) -> str:
    kind = JSON.get(setting.type, "object" if setting.type.startswith("dict") else "list")
    absent = "" if setting.absent is NEVER else f"`{json.dumps(setting.absent)}`"
    default = "" if setting.default is None else setting.default
    return f"| `{setting.name}` | {kind} | {absent} | {default} | {setting.help} |\n"
