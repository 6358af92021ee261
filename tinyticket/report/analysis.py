"""The table of an analysis."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyticket.report.table import numbers
from tinyticket.results.analyses import Analysis


def analysis_table(found: Analysis) -> Table:
    """Return an analysis as a table for a terminal."""
    shown = numbers(column.replace("_", "\n") for column in (found.rows[0] if found.rows else ["nothing"]))
    for row in found.rows:
        shown.add_row(*(_cell(column, value) for column, value in row.items()))
    return shown


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape(value)
    if column.endswith("density"):
        return f"{value:.2%}"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.4g}"
