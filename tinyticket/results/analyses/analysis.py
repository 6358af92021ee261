"""What every analysis gives: a table, and what of it a picture shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.results.naming import ACCURACY, Metric


@dataclass(frozen=True)
class Analysis:
    """The answer to one question about a result."""

    title: str  # what the numbers are, in a sentence
    rows: list[dict[str, Any]]  # the table: every row has the same columns, of JSON values
    x: str  # the column that a picture has across
    y: tuple[str, ...]  # the columns that it has upward; one panel each
    by: str | None = None  # the column that tells its lines apart
    log_x: bool = True  # whether x is a density, shown as the papers do: logarithmic, from dense to sparse
    picture: Analysis | None = None  # what a picture shows instead of this table
    metric: Metric = ACCURACY  # what its columns of accuracies and errors, which are 1 - accuracy, are


Found = dict[str, float | None]
"""What was found of one network, by column."""


def means(found: Iterable[tuple[int, str, Found]]) -> Iterator[tuple[int, str, Found]]:
    """Yield round, name and means over trials of what was found by round and name in each trial, in the order of the rounds."""
    held: dict[tuple[int, str], list[Found]] = {}
    for number, name, values in found:
        held.setdefault((number, name), []).append(values)
    for (number, name), several in sorted(held.items(), key=lambda item: item[0][0]):
        yield number, name, {key: mean(each[key] for each in several) for key in several[0]}


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of those values that are known, None if none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
