"""Flatten and padding move numbers and change none."""

import numpy as np
import pytest

from tinyticket import nn


def test_flatten_keeps_the_batch_axis_and_the_order_of_elements():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(nn.Flatten()(images).data, images.reshape(2, 60))
