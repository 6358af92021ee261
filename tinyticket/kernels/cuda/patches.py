"""Tiles of results and the patches of activations that they are computed from: what a block of threads keeps in shared memory.

A block computes, for some lines of survivors, a tile of `rows` by `columns` spots: neighbouring pixels of 32 samples, or 32
neighbouring samples each of a linear layer, whose only pixel has no neighbours. Whatever survivors read for them lies in a patch
of the source: channel by channel, and for each channel all pixels that any tap of any spot of the tile meets. In shared memory a
patch is [channel][position][32 lanes], so that a survivor is a place in it, the same for every tile: `Patch.place`.

Where a patch's positions lie in the source, and its tile's spots in the result, is said by a table with a row for each tile, made
once when a launch is built. So strides, phases, borders and tiles over an edge cost the kernels nothing.
"""

from typing import NamedTuple

import numpy as np

from tinyticket.kernels.cuda.geometry import WARP, Geometry


class Patch(NamedTuple):
    """The positions of a patch, and how spots and taps meet in it.

    At a step of two, the even columns come before the odd ones, and rows likewise: then what a tap reads for neighbouring spots are
    neighbours at any step.
    """

    rows: int  # of spots
    columns: int
    step: int  # pixels of the source between what neighbouring spots read
    down: int  # rows of taps
    across: int  # columns of taps

    @property
    def height(self) -> int:
        """Rows of positions."""
        return self.step * -(-((self.rows - 1) * self.step + self.down) // self.step)

    @property
    def pitch(self) -> int:
        """Columns of positions."""
        return self.step * -(-((self.columns - 1) * self.step + self.across) // self.step)

    @property
    def size(self) -> int:
        """Positions of a channel."""
        return self.height * self.pitch

    @property
    def bytes(self) -> int:
        """Shared memory that a channel takes."""
        return self.size * WARP * 4

    def place(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the position of pixels, counted from the patch's first."""
        down = row % self.step * (self.height // self.step) + row // self.step
        return down * self.pitch + column % self.step * (self.pitch // self.step) + column // self.step


class View(NamedTuple):
    """Where a pass reads and writes, for one phase; distances in pixels."""

    height: int  # of the results
    width: int
    start: int  # in the source, of what the first result's first tap reads
    source_row: int
    source_plane: int
    origin: int  # of the first result
    result_row: int
    result_column: int


def forward_view(g: Geometry) -> View:
    """Return where the forward pass reads x and writes y; the weight gradient reads both there."""
    start = g.x_origin - g.padding * (g.x_row + 1)
    return View(g.height, g.width, start, g.x_row, g.x_plane, g.y_origin, g.y_row, 1)


def forward_patch(g: Geometry, rows: int, columns: int) -> Patch:
    """Return the patch of x for a tile of y."""
    return Patch(rows, columns, g.stride, g.kernel_height, g.kernel_width)


def gradient_views(g: Geometry) -> list[View]:
    """Return where the input gradient reads dy and writes dx, phase by phase.

    Offsets of a pattern's columns count from the first row and column that any survivor reads for the first pixels of a phase.
    """
    (up, left), views = _before(g), []
    for down, across in np.ndindex(g.stride, g.stride):
        height, width = -(-(g.x_height - down) // g.stride), -(-(g.x_width - across) // g.stride)
        origin, steps = g.x_origin + down * g.x_row + across, (g.stride * g.x_row, g.stride)
        views.append(View(height, width, g.y_origin - up * g.y_row - left, g.y_row, g.y_plane, origin, *steps))
    return views


def gradient_patch(g: Geometry, rows: int, columns: int) -> Patch:
    """Return the patch of dy for a tile of a phase of dx."""
    up, left = _before(g)
    behind = (g.stride - 1 + g.padding) // g.stride
    return Patch(rows, columns, 1, up + behind + 1, left + behind + 1)


def _before(g: Geometry) -> tuple[int, int]:
    """Return how many rows and columns of dy, from a pixel's own on, lie before it."""
    return (g.kernel_height - 1 - g.padding) // g.stride, (g.kernel_width - 1 - g.padding) // g.stride


def span_of(g: Geometry, columns: int) -> int:
    """Return the samples that a tile takes: a linear layer's are its spots."""
    return columns * WARP if is_linear(g) else WARP


def is_linear(g: Geometry) -> bool:
    """Say whether results and what they read are of one pixel."""
    return g.x_plane == 1 and g.y_plane == 1


def survey(patch: Patch, views: list[View], g: Geometry) -> np.ndarray:
    """Return the table of a pass's tiles, int32 of (tiles, 1 + positions + spots), from one view for each phase.

    A row has the phase, where each position lies in a channel of the source, and where each spot in one of the result, in numbers,
    without the samples before the tile's own. -1 where there is none, as over an edge.
    """
    if is_linear(g):
        groups = np.arange(patch.columns, dtype=np.int32) * WARP
        return np.concatenate(([0], groups, groups)).astype(np.int32)[None]
    return np.concatenate([_survey(patch, view, phase, g.lanes) for phase, view in enumerate(views)])


def _survey(patch: Patch, view: View, phase: int, lanes: int) -> np.ndarray:
    """Make the rows of one phase."""
    starts = np.arange(0, view.height, patch.rows), np.arange(0, view.width, patch.columns)
    tops, lefts = (part.reshape(-1, 1) for part in np.meshgrid(*starts, indexing="ij"))
    table = np.full((len(tops), 1 + patch.size + patch.rows * patch.columns), -1, np.int64)
    table[:, 0] = phase

    rows, columns = (patch.rows - 1) * patch.step + patch.down, (patch.columns - 1) * patch.step + patch.across
    row, column = (index.reshape(-1) for index in np.indices((rows, columns)))
    first_row, first_column = divmod(view.start, view.source_row)
    source_row, source_column = first_row + tops * patch.step + row, first_column + lefts * patch.step + column
    there = (source_row < view.source_plane // view.source_row) & (source_column < view.source_row)
    pixels = np.where(there, (source_row * view.source_row + source_column) * lanes, -1)
    table[:, 1 + patch.place(row, column)] = pixels

    row, column = (index.reshape(-1) for index in np.indices((patch.rows, patch.columns)))
    row, column = tops + row, lefts + column
    pixels = (view.origin + row * view.result_row + column * view.result_column) * lanes
    table[:, 1 + patch.size :] = np.where((row < view.height) & (column < view.width), pixels, -1)
    return table.astype(np.int32)
