"""The places of a mask's survivors as sparse kernels read them."""

from typing import NamedTuple, Protocol

import numpy as np

from tinyticket.kernels.cpu.job import Offsets
from tinyticket.kernels.geometry import Window


class Lines(NamedTuple):
    """Survivors line by line, a line being a row or a column.

    Lines are cut into blocks so that what they read stays in the first-level cache: starts[line * blocks + block] is
    where a line's survivors in a block begin, and the next element is where they end. Offsets are positions in the
    other direction times the lanes.
    """

    starts: Offsets  # lines * blocks + 1
    offsets: Offsets  # survivors
    blocks: int


class Survivors(Protocol):
    """What kernels read of a pattern of `tinyticket.sparse`, which is built on kernels and validated when it is made."""

    @property
    def count(self) -> int: ...
    @property
    def rows(self) -> Lines: ...
    @property
    def columns(self) -> Lines: ...
    def row_bounds(self, chunks: int) -> np.ndarray: ...
    def column_bounds(self, chunks: int) -> np.ndarray: ...


class LinearPattern(Survivors, Protocol):
    """The same of a matrix: its outputs and inputs, and the lanes of the activations that the offsets are scaled for."""

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def lanes(self) -> int: ...


class ConvPattern(Survivors, Protocol):
    """The same of a convolution: the geometry of both images, and whether neighbours share the zeros between them."""

    @property
    def window(self) -> Window: ...
    @property
    def shared(self) -> bool: ...
