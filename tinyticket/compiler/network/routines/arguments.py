"""How routines read their arguments from a row: the i-th integer, or several from the i-th on."""

from tinyticket.compiler.network.program import ARGUMENTS
from tinyticket.kernels.geometry import Image, Window
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.vector.simd import advance, at
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.update import State


@device
def number_at(row, i):
    """Read an integer."""
    return at(row, ARGUMENTS + i)


@device
def flag_at(row, i):
    """Read a truth value."""
    return at(row, ARGUMENTS + i) > 0


@device
def place_at(context, row, i):
    """Read where a block begins."""
    return advance(context.floats, at(row, ARGUMENTS + i))


@device
def window_at(row, i):
    """Read a window, fifteen integers."""
    r = advance(row, ARGUMENTS + i)
    return Window(
        at(r, 0), at(r, 1), at(r, 2), at(r, 3), at(r, 4), at(r, 5), at(r, 6), at(r, 7), at(r, 8), at(r, 9), at(r, 10),
        at(r, 11), at(r, 12), at(r, 13), at(r, 14),
    )  # fmt: skip


@device
def image_at(row, i):
    """Read a geometry, five integers."""
    r = advance(row, ARGUMENTS + i)
    return Image(at(r, 0), at(r, 1), at(r, 2), at(r, 3), at(r, 4))


@device
def shape_at(row, i):
    """Read the sizes of a linear layer, four integers."""
    r = advance(row, ARGUMENTS + i)
    return Shape(at(r, 0), at(r, 1), at(r, 2), at(r, 3))


@device
def lines_at(context, row, i):
    """Read survivors line by line: places of starts and offsets, number of blocks."""
    starts, offsets = advance(context.offsets, number_at(row, i)), advance(context.offsets, number_at(row, i + 1))
    return Lines(starts, offsets, number_at(row, i + 2))


@device
def state_at(context, row, i):
    """Read what an update works on: weights, two slots, place of the mask, whether there is one."""
    w, first, second = place_at(context, row, i), place_at(context, row, i + 1), place_at(context, row, i + 2)
    return State(w, first, second, advance(context.bytes, number_at(row, i + 3)), flag_at(row, i + 4))
