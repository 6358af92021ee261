"""Tables of numbers that fit a width: what has no room beside the rest stands in a table below, and no number is ever cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column as Shown
from rich.table import Table

WIDTH = 80
"""Characters that a line has at most: of all terminals that are not narrower, in pipes and in files, so that tables look alike."""


@dataclass(frozen=True)
class Column:
    """A heading, as markup, and a cell for every row."""

    heading: str
    cells: list[str]


def blocks(lead: Sequence[Column], groups: Iterable[Sequence[Column]], width: int = WIDTH) -> list[Table]:
    """Return groups of columns as tables that fit a width.

    Each has the lead columns and as many groups as there is room for, one at least.
    """
    tables, taken, needed = [], [*lead], (least := sum(map(_needs, lead)))
    for group in groups:
        more = sum(map(_needs, group))
        if len(taken) > len(lead) and needed + more + 1 > width:
            tables.append(_table(taken))
            taken, needed = [*lead], least
        taken, needed = [*taken, *group], needed + more
    return [*tables, _table(taken)]


def _table(columns: Sequence[Column]) -> Table:
    headings = [Shown(column.heading, justify="right", no_wrap=True) for column in columns]
    table = Table(*headings, header_style="bold", box=SIMPLE_HEAD, padding=0)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _needs(column: Column) -> int:
    """Return the characters of a line that a column takes, with the space before it; one more stands behind the last."""
    return Console(width=10_000, height=1).measure(_table([column])).maximum - 1
