"""Tables of numbers with a column to predict: CSV files, and data frames of pandas or polars, neither of which is imported.

Labels are words or whole numbers; classes are numbered in the order of their labels, by size or by alphabet.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from array import array
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyticket.data.arrays import assemble
from tinyticket.data.dataset import Dataset
from tinyticket.data.files import Content, open_content, printable
from tinyticket.errors import InputError, about, near

LONGEST_LINE = 1 << 20  # characters
DELIMITERS = (",", ";", "\t")
SHOWN = 20  # names of columns in a message


def load_csv(path: str | PathLike[str], target: str = "", numbers: bool = False) -> Dataset:
    """Read a data set from a CSV file, gzipped or not, whose first line names its columns.

    Parameters
    ----------
    path : path-like
        The file, in UTF-8, with the delimiter "," ";" or tab that is most frequent in its first line.
    target : str
        The column to predict; the last one if not given. All others are numbers.
    numbers : bool
        Whether the target is a number, instead of a label.

    Returns
    -------
    Dataset
        Named after the file; a fifth of its rows is the test part, as `from_arrays` chooses it.

    Raises
    ------
    InputError
        If the file cannot be read, or a cell is not what it should be: the sentence names its line and column.
    """
    path = Path(path)
    with open_content(path, "a CSV file") as content:
        try:
            columns, targets = _read(content, str(path), target, numbers)
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is no text in UTF-8 ({error.reason}); expected a CSV file") from None
        except csv.Error as error:
            raise InputError(f"{path} is no CSV file: {printable(error)}") from None
    with about(path):
        return assemble({"x_train": columns, "y_train": targets}, path.name, numbers=numbers)


def is_frame(data: Any) -> bool:
    """Whether data are a frame: columns by name that can become arrays, as those of pandas and polars."""
    return hasattr(data, "columns") and hasattr(data, "to_numpy") and not isinstance(data, type)


def from_frame(frame: Any, target: str = "", numbers: bool = False, name: str = "frame") -> Dataset:
    """Return a data frame as a data set; arguments and what is held out as a test part are as of `load_csv`."""
    names = [str(column) for column in frame.columns]
    place = _place(names, target, "the frame")
    arrays = {called: np.asarray(frame[column].to_numpy()) for called, column in zip(names, frame.columns, strict=True)}
    given = arrays.pop(names[place])
    for called, values in arrays.items():
        if values.dtype.kind not in "buif":
            _raise_first([not _is_number(value) for value in values], values, called, "a number")
        values = arrays[called] = values.astype(np.float64)
        _raise_first(~np.isfinite(values), values, called, "a finite number")
    targets = _frame_targets(given, names[place], numbers)
    return assemble({"x_train": np.stack([*arrays.values()], axis=1), "y_train": targets}, name, numbers=numbers)


def _frame_targets(given: NDArray, called: str, numbers: bool) -> NDArray:
    if numbers:
        if given.dtype.kind not in "buif":
            _raise_first([not _is_number(value) for value in given], given, called, "a number")
        return given.astype(np.float64)
    _raise_first([_is_missing(value) for value in given], given, called, "a label")
    kept = [str(value) for value in given.tolist()]
    codes = {label: code for code, label in enumerate(dict.fromkeys(kept))}
    return _ordered(np.array([codes[label] for label in kept]), list(codes), f"the frame's column {called!r}")


def _raise_first(wrong: Any, values: NDArray, called: str, expected: str) -> None:
    """Raise InputError about the first wrong value of a column of a frame."""
    if (wrong := np.asarray(wrong, bool)).any():
        row = int(wrong.argmax())
        shown = printable(repr(values[row]), 60)
        raise InputError(f"the frame holds {shown} in row {row}, column {called!r}; expected {expected}")


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA of pandas, which is neither equal nor unequal
        return True


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, str)


def _read(content: Content, path: str, target: str, numbers: bool) -> tuple[NDArray, NDArray]:
    """Return the table without its target, and the target."""
    lines = lines_of(io.TextIOWrapper(content, "utf-8-sig", newline=""), path)
    first = next(lines, "")
    rows = csv.reader(itertools.chain([first], lines), delimiter=max(DELIMITERS, key=first.count), strict=True)
    names = [name.strip() for name in next(rows, [])]
    place = _place(names, target, path)
    if all(_number(name) is not None for name in names):
        raise InputError(f"{path} begins with numbers; expected the names of its columns in the first line")
    called = _shown(names[place])
    table, targets, labels = array("d"), array("d"), dict[str, int]()
    for cells in rows:
        if not cells:
            continue
        where = f"{path}, line {rows.line_num}"
        if len(cells) != len(names):
            raise InputError(f"{where} has {len(cells)} cells; expected {len(names)}, one for each column")
        answer = cells.pop(place).strip()
        table.extend(_cell(cell, where, name) for cell, name in zip(cells, _without(names, place), strict=True))
        if numbers:
            targets.append(_cell(answer, where, names[place]))
        elif not answer:
            raise InputError(f"{where}: column {called!r} is empty; expected a label")
        else:
            targets.append(labels.setdefault(answer, len(labels)))
    columns = np.frombuffer(table).reshape(-1, len(names) - 1) if len(table) else np.zeros((0, len(names) - 1))
    answers = np.array(targets)
    return columns, answers if numbers else _ordered(answers.astype(np.int64), [*labels], f"{path}: column {called!r}")


def lines_of(text: io.TextIOWrapper, path: str) -> Iterator[str]:
    """Yield a text's lines, none of which is so long that it would fill the memory."""
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise InputError(f"{path} has a line of more than {LONGEST_LINE:,} characters; expected a CSV file")
        yield line


def _place(names: list[str], target: str, where: str) -> int:
    """Return which column is the target; InputError unless names are distinct and it is one of at least two."""
    if len(names) < 2:
        raise InputError(f"{where} has {len(names)} columns; expected numbers and a column to predict")
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise InputError(f"{where} has two columns called {_shown(twice[0])!r}; expected a name for each")
    if target and target not in names:
        raise InputError(
            f"{where} has no column called {target!r}{near(target, [_shown(name) for name in names[:SHOWN]])}"
        )
    return names.index(target) if target else len(names) - 1


def _shown(name: str) -> str:
    """Return a column's name as messages have it."""
    return printable(name, 60)


def _without(names: list[str], place: int) -> Iterable[str]:
    return itertools.chain(names[:place], names[place + 1 :])


def _cell(text: str, where: str, name: str) -> float:
    number = _number(text)
    if number is None or not math.isfinite(number):
        shown = f"holds {printable(repr(text.strip()), 60)}" if text.strip() else "is empty"
        raise InputError(f"{where}: column {_shown(name)!r} {shown}; expected a finite number")
    return number


def _number(text: str) -> float | None:
    """Return a number as files have it, or None: not with the underscores that Python reads too."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _ordered(codes: NDArray[np.int64], labels: list[str], where: str) -> NDArray[np.int64]:
    """Return the classes of labels that have codes in the order of their first appearance; equal numbers are one class."""
    sizes = [_number(label) for label in labels]
    numeric = all(size is not None for size in sizes)
    if numeric and any(not size.is_integer() for size in sizes if size is not None):
        wrong = next(
            label for label, size in zip(labels, sizes, strict=True) if size is not None and not size.is_integer()
        )
        raise InputError(
            f"{where} holds {printable(wrong, 60)!r}; expected labels that are words or whole numbers (numbers to predict want "
            "the loss mse)"
        )
    _, classes = np.unique(np.array(sizes if numeric else labels), return_inverse=True)
    return classes[codes]
