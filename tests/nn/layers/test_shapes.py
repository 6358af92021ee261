"""Flatten and padding move numbers and change none."""

import numpy as np
import pytest

from tinyticket import nn


def test_flatten_keeps_the_batch_axis_and_the_order_of_elements():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(nn.Flatten()(images).data, images.reshape(2, 60))


def test_zero_padding_puts_rows_and_columns_around():
    images = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
    result = nn.ZeroPad2d((1, 0, 2, 0))(images).data  # left, right, top, bottom
    assert result.tolist() == [[[[0, 0, 0], [0, 0, 0], [0, 1, 2], [0, 3, 4]]]]
    assert result.dtype == np.float32
    np.testing.assert_array_equal(nn.ZeroPad2d(1)(images).data, np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))))


def test_channels_of_zeros_come_before_and_after():
    images = np.ones((2, 1, 2, 2), np.float32)
    result = nn.ZeroPadChannels((1, 2))(images).data
    assert result.any(axis=(0, 2, 3)).tolist() == [False, True, False, False]


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), 1.5, "same", None])
@pytest.mark.parametrize("kind", [nn.ZeroPad2d, nn.ZeroPadChannels])
def test_other_paddings_are_refused(kind, padding):
    with pytest.raises(
        ValueError, match=f"{kind.__name__}: padding is one whole number from 0 up, or [24] of them, not"
    ):
        kind(padding)
