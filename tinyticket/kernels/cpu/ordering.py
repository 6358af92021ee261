"""The survivors of a matrix in the orders that kernels read, counted and placed one by one.

NumPy would make a dozen arrays of their size on the way, and a layer may have a hundred million survivors. A line (a row or a
column) is cut into pieces by `blocks` of equal length of what it reads; starts[piece + 1] becomes the end of a piece.
"""

from tinyticket.kernels.cpu.vector.jit import compile_serial, device


@device
def _cumulate(starts):
    for piece in range(1, starts.size):
        starts[piece] += starts[piece - 1]


@compile_serial
def order_rows(positions, inputs, blocks, lanes, starts, offsets):
    """Write the pieces of rows, and column * lanes of each survivor; positions are flat and ascend, starts are zeros."""
    row, first = 0, 0
    for survivor in range(positions.size):
        while positions[survivor] - first >= inputs:
            row += 1
            first += inputs
        column = positions[survivor] - first
        starts[row * blocks + (column * blocks // inputs if blocks > 1 else 0) + 1] += 1
        offsets[survivor] = column * lanes
    _cumulate(starts)


@compile_serial
def order_columns(positions, outputs, inputs, blocks, lanes, starts, heads, offsets, to_row):
    """Write the pieces of columns, row * lanes of each survivor, and its place row by row; heads are room for a number a column."""
    row, first = 0, 0
    for survivor in range(positions.size):
        while positions[survivor] - first >= inputs:
            row += 1
            first += inputs
        column = positions[survivor] - first
        starts[column * blocks + (row * blocks // outputs if blocks > 1 else 0) + 1] += 1
    _cumulate(starts)
    for column in range(inputs):
        heads[column] = starts[column * blocks]
    row, first = 0, 0
    for survivor in range(positions.size):
        while positions[survivor] - first >= inputs:
            row += 1
            first += inputs
        column = positions[survivor] - first
        place = heads[column]
        heads[column] = place + 1
        offsets[place], to_row[place] = row * lanes, survivor
