"""The one check of compressed sparse rows: where rows start among the columns, row after row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.errors import InputError


def check_rows(
    starts: np.ndarray, columns: np.ndarray, shape: tuple[int, int], called: str, ordered: bool = True
) -> None:
    """Raise InputError unless these are the starts and columns of a matrix (rows, columns) in compressed sparse rows.

    Parameters
    ----------
    starts : integer array of shape (rows + 1,)
        Where the columns of each row begin, and where those of the last row end.
    columns : integer array of shape (entries,)
    shape
        Rows and columns of the matrix.
    called
        How the sentence begins.
    ordered
        Whether columns rise within each row, so that none is there twice.
    """
    rows, width = shape
    for name, array in (("row starts", starts), ("columns", columns)):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(
                f"{called} has {name} of dtype {array.dtype} and shape {array.shape}; expected whole numbers in one row"
            )
    # A difference of two starts may overflow.
    rises = starts.size == rows + 1 > 1 and not starts[0] and starts[-1] == columns.size
    if not rises or (starts[1:] < starts[:-1]).any():
        raise InputError(
            f"{called} has row starts that do not rise from 0 to {columns.size}, the number of columns, in {rows + 1} steps"
        )
    if columns.size and not 0 <= columns.min() <= columns.max() < width:
        entry = int(((columns < 0) | (columns >= width)).argmax())
        raise InputError(
            f"{called} names the column {columns[entry]} in row {row_of(starts, entry)}; expected 0 to {width - 1}"
        )
    if ordered and (falling := falls(starts, columns)).any():
        entry = int(falling.argmax()) + 1
        raise InputError(
            f"{called} names the column {columns[entry]} in row {row_of(starts, entry)} twice or behind a later one"
        )


def falls(starts: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return for each entry but the last whether the next one of its row is not in a later column."""
    falling = columns[1:] <= columns[:-1]
    ends = starts[(starts > 0) & (starts < columns.size)]
    falling[ends.astype(np.int64) - 1] = False
    return falling


def row_of(starts: np.ndarray, entry: Any) -> int:
    """Return the row of an entry."""
    return int(np.searchsorted(starts, entry, side="right")) - 1
