"""A result as a table of another library: a row for every training."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinyticket.errors import InputError

if TYPE_CHECKING:
    from tinyticket.results.result import Result

LIBRARIES = ("pandas", "polars")
"""Those that have tables, the first one that is installed is taken."""


def rows(result: Result) -> Iterator[dict[str, Any]]:
    """Yield one flat row per training: trial, round, network ("ticket" or a control's name) and its numbers."""
    for trial in result.trials:
        for round in trial.rounds:
            for name, run in {"ticket": round, **round.controls}.items():
                yield {"trial": trial.number, "round": round.number, "network": name, **run.scalars()}


def frame(rows: Iterator[dict[str, Any]]) -> Any:
    """Return rows as a DataFrame of pandas, or where that is not installed of polars; raise InputError if neither is."""
    for name in LIBRARIES:
        try:
            library = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        else:
            return library.DataFrame(list(rows))
    raise InputError("a result becomes a DataFrame of pandas or polars, and neither is installed: pip install pandas")
