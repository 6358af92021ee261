"""The layout of a device: there and back, and the same geometry as the CPU's."""

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.kernels.cuda.geometry import Geometry, lanes_for, origin, pack, plane, row, unpack
from tinyticket.kernels.geometry import Image, make_window


@pytest.mark.parametrize("samples", [1, 31, 32, 33])
@pytest.mark.parametrize("border", [0, 1, 2])
def test_images_come_back(samples, border):
    x = np.random.default_rng(samples).standard_normal((samples, 3, 4, 5)).astype(np.float32)
    packed = pack(x, border)
    image = Image(3, 4, 5, border)
    np.testing.assert_array_equal(unpack(packed, image, samples), x)
    lanes = lanes_for(samples)
    assert packed.size == 3 * plane(image) * lanes
    assert packed[(origin(image) + 2 * plane(image) + row(image) + 3) * lanes + samples - 1] == x[-1, 2, 1, 3]
    assert np.count_nonzero(packed) == x.size


def test_features_are_images_of_one_pixel():
    x = np.arange(10, dtype=np.float32).reshape(2, 5) + 1
    np.testing.assert_array_equal(unpack(pack(x, lanes=64), Image(5, 1, 1), 2)[:, :, 0, 0], x)


def test_a_geometry_is_a_window_in_pixels():
    x, y = Image(3, 8, 9, 2), Image(7, 4, 5, 1)
    g = Geometry.of(make_window(4, x, y, (3, 3), stride=2, padding=1), 64, origin(x), origin(y))
    assert g == (64, 3, 7, 4, 5, 8, 9, 3, 3, 2, 1, row(x), plane(x), row(y), plane(y), origin(x), origin(y))
    assert all(type(number) is int for number in g)
    assert g.taps == 27


def test_features_are_a_window_of_one_pixel():
    window = make_window(1, Image(7, 1, 1), Image(4, 1, 1), (1, 1))
    assert Geometry.of_features(7, 4, 64) == Geometry.of(window, 64)


def test_lanes_are_whole_warps():
    assert [lanes_for(batch) for batch in (1, 32, 33, 60, 128)] == [32, 32, 64, 64, 128]


def test_bad_shapes_are_named():
    with pytest.raises(InputError, match="must have the shape"):
        pack(np.zeros((2, 3, 4)))
    with pytest.raises(InputError, match="multiple of 32 that holds 40"):
        pack(np.zeros((40, 3)), lanes=32)
    with pytest.raises(InputError, match="does not hold lanes"):
        unpack(np.zeros(100, np.float32), Image(3, 1, 1), 1)
