"""Pooling layers apply their function."""

import numpy as np
import pytest

from tinyticket import nn
from tinyticket.nn import functional as F

X = np.random.default_rng(0).standard_normal((2, 3, 6, 7)).astype(np.float32)


@pytest.mark.parametrize(("kind", "f"), [(nn.MaxPool2d, F.max_pool2d), (nn.AvgPool2d, F.avg_pool2d)])
@pytest.mark.parametrize("arguments", [(2,), (3, 1, 1), ((2, 3), (1, 2), (0, 1))])
def test_a_pooling_layer_applies_its_function(kind, f, arguments):
    result = kind(*arguments)(X)
    np.testing.assert_array_equal(result.data, f(X, *arguments).data)
    assert result.dtype == np.float32


def test_maxima_of_dilated_windows_that_reach_beyond_the_image():
    layer = nn.MaxPool2d(2, 3, 0, (2, 3), ceil_mode=True)
    np.testing.assert_array_equal(layer(X).data, F.max_pool2d(X, 2, 3, 0, (2, 3), ceil_mode=True).data)
    assert layer.settings() == {
        "kernel_size": 2, "stride": 3, "padding": 0, "dilation": [2, 3], "ceil_mode": True
    }  # fmt: skip
    assert nn.MaxPool2d(2).settings() == {"kernel_size": 2, "stride": 2, "padding": 0}


def test_global_average_pooling_leaves_one_number_a_channel():
    result = nn.GlobalAvgPool2d()(X)
    np.testing.assert_allclose(result.data, X.mean(axis=(2, 3)), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0,), "MaxPool2d: kernel_size is at least 1"), ((2, 0), "MaxPool2d: stride"), ((2, 2, -1), "MaxPool2d: padding")],
)
def test_windows_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        nn.MaxPool2d(*arguments)
