"""Batches on a device: the right examples, shifted, mirrored and normalised as the data set says, zeros in spare lanes."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, device, value
from tinyticket.data.augmentation import Augmentation, augment
from tinyticket.data.pixels import Pixels
from tinyticket.kernels.cuda import gather
from tinyticket.kernels.cuda.geometry import Geometry, origin, unpack
from tinyticket.kernels.geometry import Image, make_window

MEAN, STD = np.array([0.4, 0.5, 0.1], np.float32), np.array([0.3, 0.2, 0.25], np.float32)


def gathered(data, image, samples, lanes, draws=None, mean=None, std=None):
    """Gather the second of three batches; return x as images in all lanes, their labels and which examples they are."""
    rng = np.random.default_rng(lanes)
    g = Geometry.of(make_window(1, image, image, (1, 1)), lanes, x_origin=origin(image))
    labels = rng.integers(0, 9, len(data)).astype(np.int32)
    indices = np.full((3, lanes), -1, np.int32)  # spare lanes name no example
    indices[1, :samples] = rng.integers(0, len(data), samples)
    spread = None
    if draws is not None:
        spread = np.full((3, lanes, 5), 99, np.int32)
        spread[1, :samples] = draws
    x = value(np.full((lanes, *image[:3]), np.nan, np.float32), image, lanes)
    lane_labels = device(np.full(lanes, -1, np.int32))
    arguments = device(data), device(labels), device(indices), None if spread is None else device(spread)
    state = device(np.array([1, samples], np.int32))
    moments = (None, None) if mean is None else (device(mean), device(std))
    gather.gather_images(*arguments, state, x, lane_labels, g, *moments).run()
    assert border_is_zero(x, image)
    chosen = indices[1, :samples]
    told = lane_labels.copy_to_host()
    np.testing.assert_array_equal(told[:samples], labels[chosen])
    assert not told[samples:].any()
    images = unpack(x.copy_to_host(), image, lanes)
    assert not images[samples:].any()
    return images[:samples], chosen


@pytest.mark.parametrize(("samples", "lanes"), [(5, 32), (40, 64)])
def test_features(samples, lanes):
    data = np.random.default_rng(0).standard_normal((9, 37)).astype(np.float32)
    images, chosen = gathered(data, Image(37, 1, 1), samples, lanes)
    np.testing.assert_array_equal(images[:, :, 0, 0], data[chosen])


@pytest.mark.parametrize("border", [0, 1])
def test_images(border):
    data = np.random.default_rng(0).standard_normal((4, 3, 3, 4)).astype(np.float32)
    images, chosen = gathered(data, Image(3, 3, 4, border), 6, 32)
    np.testing.assert_array_equal(images, data[chosen])


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("turn", [0, 45])
@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_augmented_images(bytewise, turn, fill):
    rng = np.random.default_rng(1)
    pixels = Pixels(rng.integers(0, 256, (4, 3, 4, 5), dtype=np.uint8), MEAN, STD)
    draws = Augmentation(2, turn=turn, fill=fill).draw(rng, 31)
    moments = (MEAN, STD) if bytewise else (None, None)
    data = pixels.pixels if bytewise else pixels[:]
    images, chosen = gathered(data, Image(3, 4, 5, 1), 31, 32, draws, *moments)
    # Bit for bit: every step of the normalisation is rounded to float32.
    np.testing.assert_array_equal(images, augment(pixels[chosen], draws))


def test_bytes_alone_are_normalised():
    data = np.arange(3 * 3 * 2 * 2, dtype=np.uint8).reshape(3, 3, 2, 2)
    images, chosen = gathered(data, Image(3, 2, 2), 3, 32, None, MEAN, STD)
    np.testing.assert_array_equal(images, Pixels(data, MEAN, STD)[chosen])
