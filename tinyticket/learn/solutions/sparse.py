"""A sparse layer, samples innermost: fill the holes, and `tinyticket learn check sparse`.

A tile holds some samples of a batch as an array (features, samples): all that one survivor meets lies side by side.
"""

import numpy as np


def compress(mask):
    """Return (starts, columns) of a boolean matrix, row by row: columns[starts[r]:starts[r + 1]] are those of row r's survivors."""
    # hole: where each row begins, and the columns of its survivors
    starts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    return starts, np.nonzero(mask)[1]
    # end


def forward(starts, columns, values, tile):
    """Return W X of shape (rows, samples), survivor by survivor."""
    y = np.zeros((len(starts) - 1, tile.shape[1]), tile.dtype)
    # hole: add to every row its survivors times the rows of the tile that they read
    for row in range(len(y)):
        for survivor in range(starts[row], starts[row + 1]):
            y[row] += values[survivor] * tile[columns[survivor]]
    # end
    return y


def gradients(starts, columns, values, tile, dy):
    """Return (dx, dvalues): the gradient of the tile, W^T dY, and that of the survivors alone.

    dy is the gradient of what `forward` returns. A pruned weight has no gradient: nothing is computed for it.
    """
    dx, dvalues = np.zeros_like(tile), np.zeros_like(values)
    # hole: in one pass over the survivors, what each gives back to its input and what it gets itself
    for row in range(len(starts) - 1):
        for survivor in range(starts[row], starts[row + 1]):
            column = columns[survivor]
            dx[column] += values[survivor] * dy[row]
            dvalues[survivor] = tile[column] @ dy[row]
    # end
    return dx, dvalues


def intensity(samples):
    """Return the operations per byte that `forward` reads of the tile, a product and a sum for each number of 4 bytes."""
    # hole: operations of one survivor over the bytes of the tile that it reads
    return 2 * samples / (4 * samples)
    # end


def attainable(peak, bandwidth, samples):
    """Return the operations a second that the roofline allows, for a peak in operations and a bandwidth in bytes a second."""
    # hole: what is smaller, the peak or what the bandwidth feeds
    return min(peak, bandwidth * intensity(samples))
    # end
