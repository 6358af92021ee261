"""What every analysis gives: a table, and what of it a picture shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Analysis:
    """The answer to one question about a result.

    Attributes
    ----------
    title : str
        What the numbers are, in a sentence.
    rows : list of dict
        The table: every row has the same columns, of JSON values.
    x : str
        The column that a picture has across.
    y : tuple of str
        The columns that it has upward; one panel each.
    by : str or None
        The column that tells its lines apart.
    log_x : bool
        Whether x is a density, shown as the papers do: logarithmic, from dense to sparse.
    picture : Analysis or None
        What a picture shows instead of this table.
    """

    title: str
    rows: list[dict[str, Any]]
    x: str
    y: tuple[str, ...]
    by: str | None = None
    log_x: bool = True
    picture: Analysis | None = None
