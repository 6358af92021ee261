"""A graph of your own: which inputs of a layer are connected with which outputs, from a table of edges or a sparse matrix."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyticket.data.files import open_content, printable
from tinyticket.data.npz import read_npz
from tinyticket.data.tables import DELIMITERS, lines_of
from tinyticket.errors import InputError, about
from tinyticket.kernels.csr import check_rows
from tinyticket.nn import Connections

MATRIX = "format, shape, and indices and indptr or row and col, as scipy.sparse.save_npz writes them"
MOST_ALONE = 10**7
"""How many more inputs or outputs than connections there may be: a few bytes of a file could number billions."""


def read_connections(
    path: str | PathLike[str], input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None
) -> Connections:
    """Read a graph from a CSV file of its edges, or from a sparse matrix in an .npz file.

    Parameters
    ----------
    path : path-like
        A CSV file, gzipped or not, with a heading and two columns: the name of an input and that of an output, or their numbers
        from 0 on, which are taken for names if a name that is given is a number. Or what `scipy.sparse.save_npz` wrote of a matrix
        (outputs, inputs) of the format csr, csc or coo, whose numbers do not matter.
    input_names, output_names : sequence of str, optional
        What there is and in which order, such as the columns of your data; without it names come in the order of their first edges.

    Returns
    -------
    Connections
        With the names, for `nn.SparseLinear`; an edge that comes twice counts once.

    Raises
    ------
    InputError
        If the file cannot be read or is damaged, holds no edges, or a name that is not among those given; a line is named.
    """
    path = Path(path)
    with about(path):
        if path.suffix.lower() == ".npz":
            edges, shape = _of_matrix(read_npz(path, _choose, words=("format",)))
            return Connections.from_edges(edges, shape, input_names, output_names)
        names = [*(input_names or ()), *(output_names or ())]
        return Connections.from_edges(_of_table(path, names), None, input_names, output_names)


def _of_table(path: Path, names: Iterable[str]) -> Any:
    """Return pairs of numbers as an array, or of names as a list; `names` are those that are known beforehand."""
    with open_content(path, "a CSV file of edges") as content:
        try:
            edges = list(_rows(io.TextIOWrapper(content, "utf-8-sig", newline=""), str(path)))
        except UnicodeDecodeError as error:
            raise InputError(f"it is no text in UTF-8 ({error.reason}); expected a CSV file of edges") from None
        except csv.Error as error:
            raise InputError(f"it is no CSV file: {printable(error)}") from None
    if any(_is_number(str(name)) for name in names) or not all(_is_number(name) for edge in edges for name in edge):
        return edges
    return _not_alone(np.array(edges, np.int64).reshape(-1, 2))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 10


def _rows(text: io.TextIOWrapper, path: str) -> Iterator[tuple[str, str]]:
    """Yield the cells of all lines after the heading."""
    lines = lines_of(text, path)
    first = next(lines, "")
    rows = csv.reader(itertools.chain([first], lines), delimiter=max(DELIMITERS, key=first.count), strict=True)
    heading = next(rows, [])
    if len(heading) != 2:
        raise InputError(f"it has {len(heading)} columns; expected two, the inputs and the outputs of edges")
    if all(name.strip().isdecimal() for name in heading):
        raise InputError("it begins with numbers; expected a heading of two names in the first line")
    seen: dict[str, str] = {}
    for cells in rows:
        if not cells:
            continue
        if len(cells) != 2:
            raise InputError(f"line {rows.line_num} has {len(cells)} cells; expected an input and an output")
        one, other = (seen.setdefault(name, name) for name in map(str.strip, cells))  # a name is kept once
        if not (one and other):
            raise InputError(f"line {rows.line_num} lacks a name; expected an input and an output")
        yield one, other


def _choose(keys: list[str]) -> Mapping[str, str]:
    """Return which arrays of a matrix to read."""
    for places in (("indices", "indptr"), ("row", "col")):
        if {"format", "shape", *places} <= {*keys}:
            return {name: name for name in ("format", "shape", *places)}
    raise InputError(f"holds the keys {printable(', '.join(sorted(keys))) or '(none)'}; expected {MATRIX}")


def _of_matrix(arrays: Mapping[str, NDArray]) -> tuple[NDArray, tuple[int, int]]:
    """Return edges as pairs (input, output) of numbers, and the shape (outputs, inputs)."""
    format, places = arrays["format"].reshape(-1)[:1].tobytes().replace(b"\0", b""), [*arrays.values()][2:]
    if format not in ((b"coo",) if "row" in arrays else (b"csr", b"csc")):
        raise InputError(
            f"it is a matrix of the format {printable(format.decode('latin-1'))}; expected csr, csc or coo"
        )
    if arrays["shape"].shape != (2,) or any(
        a.dtype.kind not in "iu" or a.ndim != 1 for a in (arrays["shape"], *places)
    ):
        raise InputError(f"it is no matrix (outputs, inputs): expected whole numbers in {MATRIX}")
    shape = tuple(map(int, arrays["shape"]))
    first, second = places
    if format != b"coo":  # numbers in rows or columns, and where these begin
        starts, (lines, width) = second, shape if format == b"csr" else shape[::-1]
        check_rows(starts, first, (lines, width), f"the {format.decode()} matrix", ordered=False)
        within = np.repeat(np.arange(lines), np.diff(starts).astype(np.int64))
        first, second = (within, first) if format == b"csr" else (first, within)
    if first.size != second.size or min(shape) < 1:
        raise InputError(
            f"it is no matrix of shape {shape}: it has {first.size} rows and {second.size} columns of places"
        )
    if max(shape) > MOST_ALONE + first.size:
        raise InputError(
            f"its shape is {shape} for {first.size} places; expected at most {MOST_ALONE:,} more rows and columns"
        )
    return np.stack([second.astype(np.int64), first.astype(np.int64)], axis=1), (shape[0], shape[1])


def _not_alone(edges: NDArray) -> NDArray:
    if edges.size and (most := int(edges.max())) > MOST_ALONE + len(edges):
        raise InputError(
            f"it numbers an end {most:,} in {len(edges)} edges; expected at most {MOST_ALONE:,} more than edges"
        )
    return edges
