"""Images of sixteen colours, read by another program."""

import io

import matplotlib.image
import numpy as np
import pytest

from tinyticket.report.page.png import png
from tinyticket.report.styles import INK, NEGATIVE, POSITIVE


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 16)])
def test_opacity_is_the_value(shape):
    values = np.random.default_rng(0).random(shape)
    read = matplotlib.image.imread(io.BytesIO(png(values)))
    assert read.shape == (*shape, 4)
    assert np.abs(read[..., 3] - values).max() <= 0.5 / 15 + 1 / 255
    seen = read[..., 3] > 0
    assert np.allclose(read[seen][:, :3], np.array(INK) / 255)


def test_signs_have_two_colours():
    read = matplotlib.image.imread(io.BytesIO(png(np.array([[-1.0, 0.0, 1.0, 0.5]]))))[0]
    assert np.allclose(read[[0, 2], :3] * 255, [NEGATIVE, POSITIVE])
    assert np.allclose(read[:, 3], [1, 0, 1, 0.5], atol=0.08)
