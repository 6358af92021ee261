"""The table of an analysis."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyticket.report.blocks import WIDTH, Column, blocks
from tinyticket.results.analyses import Analysis

LEAD = ("trial", "round", "density", "mask", "layer", "network")
"""Columns that say what a row is about."""


def analysis_table(found: Analysis, width: int = WIDTH) -> list[Table]:
    """Return an analysis as tables for a terminal."""
    columns = {
        name: Column(name.replace("_", "\n"), [_cell(name, row[name]) for row in found.rows])
        for name in (found.rows[0] if found.rows else ["nothing"])
    }
    lead = [columns.pop(name) for name in [*columns] if name in LEAD]
    return blocks(lead, [[column] for column in columns.values()], width)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape(value)
    if column.endswith("density"):
        return f"{value:.2%}"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.4g}"
