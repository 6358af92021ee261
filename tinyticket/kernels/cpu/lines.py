"""The places of a mask's survivors as sparse kernels read them."""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cpu.job import Offsets
from tinyticket.kernels.geometry import Window


class Lines(NamedTuple):
    """Survivors line by line, a line being a row or a column.

    Lines are cut into blocks so that what they read stays in a cache: the survivors of a line in a block are piece number
    line * step + block * stride. starts[piece] is where they begin, and the next element is where they end. A line's pieces
    follow each other, or all the pieces of a block do, where survivors come from memory, which reads on and on best. Offsets
    are positions in the other direction times the lanes.
    """

    starts: Offsets  # lines * blocks + 1
    offsets: Offsets  # survivors
    blocks: int
    step: int  # from a line to the next: the number of blocks, or 1 ...
    stride: int  # ... and from a block to the next: 1, or the number of lines


class Survivors:
    """What kernels read of a pattern, which is made in `tinyticket.sparse`; they trust that all it reaches is there."""

    shape: tuple[int, ...]  # of the weight, outputs and inputs first
    rows: Lines  # survivors row by row, which is C order of the mask unless it is block by block
    columns: Lines  # the same column by column; both with the offsets that kernels read
    to_column: np.ndarray  # uint32, where each survivor of the rows is in the columns: by_column[to_column] is by_row

    @property
    def count(self) -> int:
        """Number of survivors."""
        return self.to_column.size

    def row_bounds(self, chunks: int) -> np.ndarray:
        """Return the bounds of chunks of rows with nearly equal numbers of survivors."""
        raise NotImplementedError

    def column_bounds(self, chunks: int) -> np.ndarray:
        """Return the bounds of such chunks of columns."""
        raise NotImplementedError


class LinearPattern(Survivors):
    """The same of a matrix."""

    lanes: int  # of the activations that the offsets are scaled for


class ConvPattern(Survivors):
    """The same of a convolution."""

    window: Window  # the geometry of both images
    shared: bool  # whether neighbouring rows and images share the zeros between them


class BlockedPattern:
    """The places of a matrix's survivors as kernels for few samples read them; `tinyticket.sparse` makes and checks them.

    Survivors come block after block of columns, and in each block tile after tile of rows, both of at most 2^16.
    """

    shape: tuple[int, int]  # outputs and inputs

    @property
    def bounds(self) -> np.ndarray:
        """Where each block of columns begins (int64), and where the last one ends."""
        raise NotImplementedError

    @property
    def tiles(self) -> np.ndarray:
        """The same of tiles of rows."""
        raise NotImplementedError

    @property
    def starts(self) -> np.ndarray:
        """Where the survivors of each tile in each block begin (int64), block by block, and where all end."""
        raise NotImplementedError

    @property
    def columns(self) -> np.ndarray:
        """The column of each survivor (uint16), counted from its block's first."""
        raise NotImplementedError

    @property
    def rows(self) -> np.ndarray:
        """The row of each survivor (uint16), counted from its tile's first."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """Number of survivors."""
        raise NotImplementedError


class SlicedPattern:
    """The places of a matrix's survivors as the kernel for a single sample reads them; `tinyticket.sparse` makes and checks them.

    Sixteen rows are a slice, and lanes of it; a step has one survivor of each, and rows of fewer are padded. Columns are cut into
    blocks of 2^16, whose steps follow each other in a slice. Rows come in any order, and the survivors of a row in that of columns.
    """

    shape: tuple[int, int]  # outputs and inputs
    rows: np.ndarray  # uint32 (slices * 16): each lane's; 0 where there is none
    starts: np.ndarray  # int64 (slices * blocks + 1): the first step of each block in each slice, and the end
    counts: np.ndarray  # uint32 (slices * blocks * 16): survivors of each lane in the block
    columns: np.ndarray  # uint16 (steps * 16), counted from the block's first

    @property
    def size(self) -> int:
        """Number of survivors, padding included."""
        return self.columns.size

    def bounds(self, chunks: int) -> np.ndarray:
        """Return the bounds of chunks of slices with nearly as many steps."""
        raise NotImplementedError
