"""Examples most of whose numbers are zero: the rows of a sparse matrix, which take the memory of their non-zeros alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyticket.errors import InputError
from tinyticket.kernels import reference
from tinyticket.kernels.csr import check_rows, falls, row_of

MOST_FEATURES = 10_000_000
"""As many as examples may have in a result file; a batch of a hundred then takes gigabytes."""


class CsrMatrix(NamedTuple):
    """The arrays of a CSR matrix under SciPy's names, as a file holds them: not checked."""

    data: NDArray
    indices: NDArray
    indptr: NDArray
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """The type of the entries."""
        return self.data.dtype

    def tocsr(self) -> CsrMatrix:
        """Return the matrix itself."""
        return self


def is_sparse(examples: Any) -> bool:
    """Whether examples are a sparse matrix: one of scipy.sparse, `SparseInputs`, or a `CsrMatrix`."""
    return isinstance(examples, SparseInputs) or hasattr(examples, "tocsr")


class SparseInputs:
    """Examples of features that index like the float32 array of a sparse matrix's rows.

    `x[indices]` is a dense float32 array, so whatever takes batches from an array can take them from here; compiled steps gather
    them from the non-zeros. Nothing is centred or scaled: a feature that is mostly zero would not stay so.

    Parameters
    ----------
    matrix : sparse matrix or array of scipy.sparse, shape (N, features)
        Of any format; one in CSR whose entries are float32, not zero and in the order of their columns is used without a copy of
        its entries.
    called : str, optional
        How messages name it.

    Attributes
    ----------
    starts : ndarray of int64, shape (N + 1,)
        Where the non-zeros of each row begin, and where those of the last row end.
    columns : ndarray of int32, shape (non-zeros,)
        Their columns, rising within a row.
    values : ndarray of float32, shape (non-zeros,)
    shape : tuple of int
        (N, features)

    Raises
    ------
    InputError
        If the arrays are no CSR matrix, name an entry twice, or hold what is no finite float32.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    shape: tuple[int, int]

    def __init__(self, matrix: Any, called: str = "x"):
        csr = matrix.tocsr()
        self.shape = _checked_shape(csr.shape, called)
        starts, columns, values = _checked_arrays(csr, self.shape, called)
        starts, columns, values = _in_order(starts, columns, values, called)
        numbers = _numbers(starts, columns, values, called)
        if (zeros := numbers == 0).any():
            kept, before = ~zeros, np.append(0, zeros.cumsum())
            starts, columns, numbers = starts - before[starts], columns[kept], numbers[kept]
        self.starts, self.columns, self.values = starts, columns, numbers

    @property
    def nbytes(self) -> int:
        """Bytes that the non-zeros take in memory."""
        return self.starts.nbytes + self.columns.nbytes + self.values.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        """Return chosen examples as a dense float32 array; `which` is what indexes the first axis of an array."""
        rows = self._rows(which)
        dense = reference.gather_sparse(self.starts, self.columns, self.values, self.shape[1], np.atleast_1d(rows))
        return dense if np.ndim(rows) else dense[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        if copy is False:
            raise ValueError("sparse inputs become an array only by a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def select(self, which: Any) -> SparseInputs:
        """Return chosen examples as `SparseInputs`."""
        rows, chosen = self._rows(which), object.__new__(SparseInputs)
        counts = self.starts[rows + 1] - self.starts[rows]
        chosen.starts = np.append(0, counts.cumsum())
        entries = np.arange(chosen.starts[-1]) + np.repeat(self.starts[rows] - chosen.starts[:-1], counts)
        chosen.columns, chosen.values = self.columns[entries], self.values[entries]
        chosen.shape = (len(rows), self.shape[1])
        return chosen

    def _rows(self, which: Any) -> Any:
        """Return the numbers of chosen rows, or of one."""
        if isinstance(which, tuple):
            raise IndexError(
                "sparse inputs are indexed by example alone; write x[examples][...] for some of their features"
            )
        return np.arange(len(self))[which]

    def __repr__(self) -> str:
        share = self.values.size / (self.shape[0] * self.shape[1])
        return f"SparseInputs({self.shape}, {self.values.size} non-zeros, {share:.2g} of all)"


def _checked_shape(shape: Any, called: str) -> tuple[int, int]:
    sizes = tuple(map(int, shape))
    if len(sizes) != 2 or min(sizes) < 1 or sizes[1] > MOST_FEATURES:
        raise InputError(
            f"{called} is a sparse matrix of shape {sizes}; expected (N, features), one example at least and 1 to "
            f"{MOST_FEATURES:,} features"
        )
    return sizes[0], sizes[1]


def _checked_arrays(csr: Any, shape: tuple[int, int], called: str) -> tuple[NDArray, NDArray, NDArray]:
    """Return where rows start, columns and values, which are those of a CSR matrix of that shape in any order."""
    starts, columns, values = np.asarray(csr.indptr), np.asarray(csr.indices), np.asarray(csr.data)
    if values.ndim != 1 or values.dtype.kind not in "buif":
        given = f"dtype {values.dtype} and shape {values.shape}"
        raise InputError(f"{called} has data of {given}; expected integers, floats or bools in one row")
    known = starts.ndim == 1 and starts.size and starts.dtype.kind in "iu"
    count = max(int(starts[-1]), 0) if known else columns.size  # there may be room for more
    columns, values = columns[:count], values[:count]
    check_rows(starts, columns, shape, called, ordered=False)
    if values.size < count:
        raise InputError(f"{called} has {values.size} numbers; expected {count}, one for each column")
    return starts.astype(np.int64), np.ascontiguousarray(columns, np.int32), values


def _in_order(starts: NDArray, columns: NDArray, values: NDArray, called: str) -> tuple[NDArray, NDArray, NDArray]:
    """Return the arrays with the entries of each row in the order of their columns, of which none comes twice."""
    if not falls(starts, columns).any():
        return starts, columns, values
    order = np.lexsort((columns, np.repeat(np.arange(starts.size - 1), np.diff(starts))))
    columns, values = columns[order], values[order]
    if (twice := falls(starts, columns)).any():
        entry = int(twice.argmax())
        raise InputError(
            f"{called} names the column {columns[entry]} twice in row {row_of(starts, entry)}; expected each entry once "
            "(sum_duplicates of scipy.sparse adds them up)"
        )
    return starts, columns, values


def _numbers(starts: NDArray, columns: NDArray, values: NDArray, called: str) -> NDArray[np.float32]:
    """Return the values as float32, all of them finite."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported below, by its place
        numbers = np.ascontiguousarray(values, np.float32)
    if not (finite := np.isfinite(numbers)).all():
        entry = int((~finite).argmax())
        place = (row_of(starts, entry), int(columns[entry]))
        if np.isfinite(values[entry]):
            raise InputError(f"{called} holds {values[entry]} at index {place}, which is too large for float32")
        raise InputError(f"{called} holds {values[entry]} at index {place}; expected finite numbers")
    return numbers
