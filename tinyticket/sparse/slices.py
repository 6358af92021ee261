"""Where the survivors of a matrix are, sixteen rows at a time: what a prediction of a single sample reads.

This is sliced ELLPACK with rows sorted within windows (SELL-C-sigma: Kreutzer et al., A unified sparse matrix data format for
efficient general sparse matrix-vector multiplication on modern processors with wide SIMD units, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyticket.kernels.cpu.checked import check_fields
from tinyticket.kernels.cpu.lines import SlicedPattern
from tinyticket.kernels.cpu.sparse_single import BLOCK
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.csr import check_rows
from tinyticket.kernels.read_only import frozen
from tinyticket.sparse.orders import MadeAnew

WINDOW = 256
"""Rows among which those of as many survivors come together; threads of different windows write to different cache lines."""


@dataclass(frozen=True, eq=False)
class Slices(MadeAnew, SlicedPattern):
    """Positions of the survivors of a matrix, in the order of the kernel for a single sample.

    Parameters
    ----------
    shape : (int, int)
        Outputs and inputs.
    row_starts : integer array of shape (outputs + 1,)
        Of the survivors row by row, where each row begins.
    row_columns : integer array of shape (survivors,)
        Their columns, ascending in each row.
    """

    shape: tuple[int, int]
    row_starts: np.ndarray
    row_columns: np.ndarray
    _places: np.ndarray = field(init=False, repr=False)  # of the survivors, row by row, in the order of the slices

    def __post_init__(self):
        check_fields(self)
        check_rows(self.row_starts, self.row_columns, self.shape, "the matrix of slices")
        outputs, inputs = self.shape
        lengths: np.ndarray = np.diff(self.row_starts.astype(np.int64))
        blocks, padded = -(-inputs // BLOCK), -(-outputs // LANES) * LANES
        row = np.repeat(np.arange(outputs), lengths)
        block, column = np.divmod(self.row_columns.astype(np.int64), BLOCK)
        counts = np.bincount(row * blocks + block, minlength=outputs * blocks)

        order = np.lexsort((-lengths, np.arange(outputs) // WINDOW))  # of equal rows the first comes first
        rows, ordered = np.zeros(padded, np.uint32), np.zeros((padded, blocks), np.uint32)
        rows[:outputs], ordered[:outputs] = order, counts.reshape(outputs, blocks)[order]
        held = ordered.reshape(-1, LANES, blocks).transpose(0, 2, 1)  # (slices, blocks, lanes)
        starts = np.append(0, held.max(axis=2).astype(np.int64).cumsum())

        place = np.empty(outputs, np.int64)
        place[order] = np.arange(outputs)
        slice_, lane = np.divmod(place[row], LANES)
        before = np.arange(row.size) - (counts.cumsum() - counts)[row * blocks + block]  # in the row and the block
        places = (starts[slice_ * blocks + block] + before) * LANES + lane
        columns = np.zeros(starts[-1] * LANES, np.uint16)
        columns[places] = column
        made = {"rows": rows, "starts": starts, "counts": held.reshape(-1), "columns": columns, "_places": places}
        vars(self).update({name: frozen(array) for name, array in made.items()})

    def by_slice(self, by_row: np.ndarray) -> np.ndarray:
        """Bring numbers of the survivors, row by row, into the order of the slices, with zeros for padding."""
        ordered = np.zeros(self.size, by_row.dtype)
        ordered[self._places] = by_row
        return ordered

    def bounds(self, chunks: int) -> np.ndarray:
        starts = self.starts[:: -(-self.shape[1] // BLOCK)]  # of slices
        cost = starts + 4 * np.arange(starts.size)  # one costs about four steps besides its own
        inner = np.searchsorted(cost, cost[-1] * np.arange(1, chunks) / chunks)
        return np.concatenate(([0], inner, [starts.size - 1])).astype(np.int64)
