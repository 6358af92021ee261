"""Patches: every survivor of every spot is found where the table and the place say, at any stride and over any edge."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import layer, linear
from tinyticket.kernels.cuda.patches import (
    Patch,
    forward_patch,
    forward_view,
    gradient_patch,
    gradient_views,
    span_of,
    survey,
)

CASES = {
    "3x3": layer(3, 2, 3, (6, 5), (3, 3), padding=1, roomy=1),
    "stride 2": layer(3, 2, 3, (9, 7), (3, 3), stride=2, padding=1),
    "1x1 of stride 2": layer(3, 3, 2, (6, 6), (1, 1), stride=2),
    "5x2": layer(3, 1, 2, (8, 9), (5, 2)),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_at_a_step_neighbouring_spots_read_neighbouring_positions():
    patch = Patch(2, 3, step=2, down=3, across=3)
    row, column = np.indices((3, 3))
    first = patch.place(row, column)
    assert len(set(first.ravel())) == 9
    for i, j in np.ndindex(2, 3):
        np.testing.assert_array_equal(patch.place(row + 2 * i, column + 2 * j), first + i * patch.pitch + j)


@cases
def test_the_forward_pass_reads_each_spot_s_window(case):
    g, patch = case.g, forward_patch(case.g, 4, 4)
    table = survey(patch, [forward_view(g)], g)
    written = set()
    for row in table:
        inside, spots = row[1 : 1 + patch.size], row[1 + patch.size :]
        for (i, j), spot in zip(np.ndindex(4, 4), spots, strict=True):
            if spot < 0:
                continue
            written.add(spot)
            h, w = divmod(spot // g.lanes - g.y_origin, g.y_row)
            for down, across in np.ndindex(g.kernel_height, g.kernel_width):
                read = inside[patch.place(down, across) + i * patch.pitch + j]
                above, left = h * g.stride + down - g.padding, w * g.stride + across - g.padding
                assert read == (g.x_origin + above * g.x_row + left) * g.lanes
    assert written == {(g.y_origin + h * g.y_row + w) * g.lanes for h in range(g.height) for w in range(g.width)}


@cases
def test_phases_of_an_input_gradient_write_every_pixel_once_and_read_inside(case):
    g, patch = case.g, gradient_patch(case.g, 4, 4)
    table = survey(patch, gradient_views(g), g)
    assert set(table[:, 0]) == set(range(g.stride**2))
    assert table[:, 1 : 1 + patch.size].max() < g.y_plane * g.lanes
    written = table[:, 1 + patch.size :]
    expected = [(g.x_origin + h * g.x_row + w) * g.lanes for h in range(g.x_height) for w in range(g.x_width)]
    assert sorted(written[written >= 0]) == expected


def test_the_spots_of_a_linear_layer_are_its_samples():
    g = linear(100, 5, 3, lanes=128).g
    patch = forward_patch(g, 1, 4)
    assert (patch.size, span_of(g, 4)) == (4, 128)
    assert survey(patch, [forward_view(g)], g).tolist() == [[0, 0, 32, 64, 96, 0, 32, 64, 96]]
