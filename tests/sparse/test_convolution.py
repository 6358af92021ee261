"""Patterns of convolutions: both orders against loops over the mask, and what they refuse."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.kernels.geometry import Image, make_window
from tinyticket.sparse import ConvPattern


def window_of(channels=(3, 4), size=(8, 6), kernel=(3, 3), stride=1, padding=1, borders=(2, 2)):
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel, strict=True))
    x, y = Image(channels[0], *size, borders[0]), Image(channels[1], rows, columns, borders[1])
    return make_window(2, x, y, kernel, stride, padding)


@settings(deadline=None)
@given(st.sampled_from([1, 2]), st.integers(0, 1), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([None, 1, 2]))
def test_every_survivor_reads_the_pixel_it_should(stride, padding, density, blocks):
    window = window_of(stride=stride, padding=padding)
    mask = np.random.default_rng(0).random((4, 3, 3, 3)) < density
    pattern = ConvPattern.from_mask(mask, window, row_blocks=blocks, column_blocks=blocks)
    survivors = np.argwhere(mask)
    offsets = survivors[:, 1] * window.x_plane + survivors[:, 2] * window.x_row + survivors[:, 3] * 16
    assert pattern.rows.offsets.tolist() == offsets.tolist()
    in_rows = [tuple(survivor) for survivor in survivors]
    lines = np.repeat(np.arange(3 * stride**2), np.diff(pattern.columns.starts[:: pattern.columns.blocks].astype(int)))
    to_row = pattern.by_column(np.arange(pattern.count))
    for line, offset, row in zip(lines, pattern.columns.offsets.tolist(), to_row, strict=True):
        o, c, kh, kw = in_rows[row]
        channel, phase = divmod(line, stride**2)
        assert channel == c
        # The first pixel (i, j) of a phase meets the tap in the output pixel (i + padding - kh) / stride, and alike in columns.
        i, j = divmod(phase, stride)
        down, across = (i + padding - kh) / stride, (j + padding - kw) / stride
        least = (2 - padding) // stride
        assert offset == o * window.y_plane + (down + least) * window.y_row + (across + least) * 16
    np.testing.assert_array_equal(pattern.mask(), mask)
    assert pattern.count == mask.sum()
    assert pattern.density == mask.mean()


def test_values_there_and_back():
    rng = np.random.default_rng(0)
    mask = rng.random((4, 3, 3, 3)) < 0.4
    weight = np.where(mask, rng.standard_normal(mask.shape), 0).astype(np.float32)
    pattern = ConvPattern.from_mask(mask, window_of(stride=2))
    values = pattern.values(weight)
    np.testing.assert_array_equal(values, weight[mask])
    np.testing.assert_array_equal(pattern.by_row(pattern.by_column(values)), values)
    np.testing.assert_array_equal(pattern.dense(values), weight)


@pytest.mark.parametrize("stride", [1, 2])
def test_chunks_are_whole_channels_of_equal_work(stride):
    window = window_of(channels=(40, 50), stride=stride)
    mask = np.random.default_rng(0).random((50, 40, 3, 3)) < 0.2
    pattern = ConvPattern.from_mask(mask, window, row_blocks=3, column_blocks=2)
    for bounds, weights in (
        (pattern.row_bounds(4), mask.sum(axis=(1, 2, 3))),
        (pattern.column_bounds(4), mask.sum(axis=(0, 2, 3))),
    ):
        assert bounds[0] == 0
        assert bounds[-1] == weights.size
        shares = [weights[a:b].sum() for a, b in itertools.pairwise(bounds)]
        assert max(shares) <= weights.sum() / 4 + 2 * weights.max()


def test_what_a_pattern_refuses():
    mask = np.ones((4, 3, 3, 3), bool)
    with pytest.raises(InputError, match=r"needs a bool mask, not float64"):
        ConvPattern.from_mask(mask.astype(float), window_of())
    with pytest.raises(InputError, match="needs a border of 1 around its input and 1 around its output, not 1 and 0"):
        ConvPattern.from_mask(mask, window_of(borders=(1, 0)))
    with pytest.raises(InputError, match="beyond 32 bits"):
        ConvPattern.from_mask(mask, window_of(size=(9000, 9000), borders=(1, 1)))


@pytest.mark.parametrize(
    "change",
    [
        {"x_plane": 16},
        {"y_plane": 2**20},
        {"x_row": 0},
        {"height": 9},
        {"stride": 0},
        {"stride": 10**6},
        {"padding": -1},
        {"x_width": 6.0},
        {"tiles": 0},
    ],
)
def test_a_window_of_no_images_makes_no_pattern(change):
    with pytest.raises(InputError):
        ConvPattern.from_mask(np.ones((4, 3, 3, 3), bool), window_of()._replace(**change))


def test_positions_belong_to_the_window():
    pattern = ConvPattern.from_mask(np.ones((4, 3, 3, 3), bool), window_of(stride=2))
    for change in {"shape": (4, 3, 3, 2)}, {"positions": pattern.positions + 1}, {"window": window_of(channels=(2, 4))}:
        with pytest.raises(InputError):
            dataclasses.replace(pattern, **change)
    assert not pattern.columns.offsets.flags.writeable
