"""A comparison as rows: of numbers for CSV, of words for a paper's table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyticket.errors import printable
from tinyticket.results.comparison import Comparison, Side
from tinyticket.results.sentence import bounds, points


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return a row for each density of each result: accuracy, early stop, and the difference from the first."""
    found = []
    for number, row in enumerate(comparison.rows):
        for name, paired, side in zip(comparison.names, comparison.paired, row, strict=True):
            if side is not None:
                difference = side.difference
                numbers = {key: value for key, value in side.plain().items() if key != "difference"}
                bounds = dict(zip(("difference", "low", "high"), _interval(difference), strict=True))
                found.append({"row": number, "result": name, **numbers, **bounds, "paired": paired})
    return found


def comparison_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of words: a row for each density, in percent and points as `compare` shows them."""
    metric, headings = comparison.metric, ["density"]
    for i, name in enumerate(short_names(comparison)):
        headings += [f"{name}: {metric.title} %", "early stop", *([f"difference, {metric.unit}"] if i else [])]
    rows = []
    for row in comparison.rows:
        cells = [f"{max(side.density for side in row if side):.1%}"]
        for i, side in enumerate(row):
            cells += [f"{100 * side.accuracy:.2f}", f"{side.early_stop:.0f}"] if side else ["", ""]
            cells += [_points(side)] if i else []
        rows.append(cells)
    return headings, rows


def short_names(comparison: Comparison) -> list[str]:
    """Return what results are called in tables: their files without folders, where these tell them apart."""
    files = [Path(name).name for name in comparison.names]
    return list(map(printable, files if len(set(files)) == len(files) else comparison.names))


def _interval(held: Any) -> tuple:
    if held is None:
        return None, None, None
    return (held.mean, held.low, held.high) if held.trials > 1 else (held.mean, None, None)


def _points(side: Side | None) -> str:
    if side is None or side.difference is None:
        return ""
    return points(side.difference.mean) + bounds(side.difference, points)
