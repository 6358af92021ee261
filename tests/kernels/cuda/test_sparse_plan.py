"""Plans: every survivor is in the piece of its line and chunk, and every line in one hand."""

import numpy as np

from tests.kernels.cuda.arrays import linear
from tinyticket.kernels.cuda.patches import forward_patch, forward_view
from tinyticket.kernels.cuda.sparse_plan import Hands, make_plan
from tinyticket.sparse import Pattern


def plan(mask, room, blocks=1, warps=2):
    g = linear(32, mask.shape[1], mask.shape[0]).g
    rows = Pattern.from_mask(mask, 16, row_blocks=1, column_blocks=1).rows
    return make_plan(rows, 16, g, g.inputs, [forward_view(g)], forward_patch(g, 1, 1), room, Hands(None, blocks, warps))


def test_pieces_hold_what_survives_of_a_line_in_a_chunk_of_channels():
    mask = np.random.default_rng(0).random((5, 11)) < 0.5
    made = plan(mask, room=4 * 128)
    assert (made.work.chunks, made.work.channels, made.bytes) == (3, 4, 4 * 128)
    places, bounds = made.places.copy_to_host(), made.bounds.copy_to_host()
    for line, chunk in np.ndindex(5, 3):
        piece = line * 3 + chunk
        expected = np.flatnonzero(mask[line])
        expected = expected[expected // 4 == chunk]
        assert places[bounds[piece] : bounds[piece + 1]].tolist() == expected.tolist()
    assert bounds[-1] == made.survivors == mask.sum()


def test_lines_are_dealt_out_so_that_hands_have_about_the_same():
    mask = np.arange(16) < np.array([[16], [1], [9], [8], [2], [15], [3]])
    made = plan(mask, room=1 << 20, blocks=2)
    order = made.order.copy_to_host().reshape(4, 2)
    assert (made.blocks, made.work.held) == (2, 2)
    assert sorted(order[order >= 0]) == list(range(7))
    held = np.where(order >= 0, mask.sum(axis=1)[order], 0).sum(axis=1)
    assert held.tolist() == [16, 16, 11, 11]
