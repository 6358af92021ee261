import itertools

import numpy as np
import pytest

from tests.kernels.images import gathered
from tinyticket.data import Augmentation, Pixels, augment
from tinyticket.data.augmentation import by_name
from tinyticket.errors import InputError


def slowly(x, draws):
    """Pad, mirror and cut out, number by number."""
    out = np.zeros_like(x)
    count, channels, height, width = x.shape
    for n, c, h, w in itertools.product(range(count), range(channels), range(height), range(width)):
        dy, dx, flip = draws[n]
        row, column = h + dy, (width - 1 - w if flip else w) + dx
        if 0 <= row < height and 0 <= column < width:
            out[n, c, h, w] = x[n, c, row, column]
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_draw_does_what_it_says(dtype):
    draws = np.array(list(itertools.product(range(-2, 3), range(-2, 3), (0, 1))))
    x = np.random.default_rng(0).normal(size=(len(draws), 2, 3, 4)).astype(dtype)
    found = augment(x, draws)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, slowly(x, draws))
    np.testing.assert_array_equal(Augmentation(2).apply(x, draws), found)


def test_a_mirrored_crop_is_the_mirror_image_of_a_crop():
    x = np.random.default_rng(0).normal(size=(1, 1, 6, 6)).astype(np.float32)
    crop, mirrored = np.array([[1, 2, 0]]), np.array([[1, 2, 1]])
    np.testing.assert_array_equal(augment(x, mirrored), augment(x, crop)[..., ::-1])


def test_no_shift_and_no_mirror_changes_no_bit():
    x = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(augment(x, np.zeros((5, 3), np.int64)), x)


def test_a_shift_beyond_the_image_leaves_zeros():
    assert not augment(np.ones((1, 1, 2, 2), np.float32), np.array([[2, 0, 0]])).any()


def test_draws_are_uniform_and_within_bounds():
    draws = Augmentation(2).draw(np.random.default_rng(0), 20_000)
    assert (draws.shape, draws.dtype) == ((20_000, 3), np.int64)
    for column in 0, 1:
        np.testing.assert_allclose(np.bincount(draws[:, column] + 2), 4000, rtol=0.07)
    np.testing.assert_allclose(np.bincount(draws[:, 2]), 10_000, rtol=0.03)


def test_draws_follow_from_the_generator_batch_by_batch():
    augmentation = Augmentation()
    feed = augmentation.draws(np.random.default_rng(3), 7)
    rng = np.random.default_rng(3)
    for _ in range(3):
        np.testing.assert_array_equal(next(feed), augmentation.draw(rng, 7))


def test_without_padding_or_without_mirroring():
    assert not Augmentation(pad=0).draw(np.random.default_rng(0), 100)[:, :2].any()
    assert not Augmentation(flip=False).draw(np.random.default_rng(0), 100)[:, 2].any()


def test_by_name():
    assert by_name("none") is None
    assert by_name("flip-crop") == Augmentation(pad=4, flip=True)
    with pytest.raises(InputError, match=r"no augmentation is called 'flipcrop' \(did you mean 'flip-crop'\?"):
        by_name("flipcrop")


@pytest.mark.parametrize("pad", [-1, 1.5])
def test_a_padding_that_is_none(pad):
    with pytest.raises(InputError, match="whole number of pixels from 0"):
        Augmentation(pad)


@pytest.mark.parametrize(("shape", "draws"), [((2, 4), (2, 3)), ((2, 1, 4, 4), (3, 3)), ((2, 1, 4, 4), (2, 2))])
def test_shapes_that_do_not_fit(shape, draws):
    with pytest.raises(InputError, match=r"expected \(n, channels, height, width\) and \(n, 3\)"):
        augment(np.zeros(shape), np.zeros(draws, np.int64))


@pytest.mark.parametrize("count", [16, 5])
def test_the_gather_of_kernels_is_specified_alike(count):
    rng = np.random.default_rng(0)
    pixels = Pixels(rng.integers(0, 256, (9, 3, 8, 8), np.uint8), (0.5, 0.4, 0.3), (0.3, 0.2, 0.1))
    indices, draws = rng.integers(0, 9, count), Augmentation().draw(rng, count)
    found = gathered(pixels.pixels, indices, draws, pixels.mean, pixels.std)
    np.testing.assert_array_equal(found, augment(pixels[indices], draws))
