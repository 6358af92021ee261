import itertools

import numpy as np
import pytest

from tests.kernels.images import gathered
from tinyticket.data import Augmentation, Pixels, augment
from tinyticket.data.augmentation import by_name
from tinyticket.errors import InputError
from tinyticket.kernels.geometry import SINE_OF_ONE


def slowly(x, draws):
    """Pad, mirror and cut out, number by number."""
    out = np.zeros_like(x)
    count, channels, height, width = x.shape
    for n, c, h, w in itertools.product(range(count), range(channels), range(height), range(width)):
        dy, dx, flip, _, _ = draws[n]
        row, column = h + dy, (width - 1 - w if flip else w) + dx
        if 0 <= row < height and 0 <= column < width:
            out[n, c, h, w] = x[n, c, row, column]
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_draw_does_what_it_says(dtype):
    draws = np.array(list(itertools.product(range(-2, 3), range(-2, 3), (0, 1), (0,), (0,))))
    x = np.random.default_rng(0).normal(size=(len(draws), 2, 3, 4)).astype(dtype)
    found = augment(x, draws)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, slowly(x, draws))
    np.testing.assert_array_equal(Augmentation(2).apply(x, draws), found)


def test_a_mirrored_crop_is_the_mirror_image_of_a_crop():
    x = np.random.default_rng(0).normal(size=(1, 1, 6, 6)).astype(np.float32)
    crop, mirrored = np.array([[1, 2, 0, 0, 0]]), np.array([[1, 2, 1, 0, 0]])
    np.testing.assert_array_equal(augment(x, mirrored), augment(x, crop)[..., ::-1])


def test_no_shift_and_no_mirror_changes_no_bit():
    x = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(augment(x, np.zeros((5, 5), np.int64)), x)


def test_a_shift_beyond_the_image_leaves_zeros():
    assert not augment(np.ones((1, 1, 2, 2), np.float32), np.array([[2, 0, 0, 0, 0]])).any()


def test_draws_are_uniform_and_within_bounds():
    draws = Augmentation(2).draw(np.random.default_rng(0), 20_000)
    assert (draws.shape, draws.dtype) == ((20_000, 5), np.int64)
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


def test_turns_are_drawn_last_and_leave_the_other_draws_alone():
    plain, turned = (Augmentation(turn=turn).draw(np.random.default_rng(0), 20_000) for turn in (0, 30))
    np.testing.assert_array_equal(plain[:, :3], turned[:, :3])
    assert not plain[:, 3].any()
    counts, _ = np.histogram(turned[:, 3], 5, (-SINE_OF_ONE / 2, SINE_OF_ONE / 2))  # the sine of 30 degrees is a half
    np.testing.assert_allclose(counts, 4000, rtol=0.07)


def test_a_turn_by_a_right_angle_moves_every_pixel_to_another():
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 5)).astype(np.float32)
    for sine, turns in (SINE_OF_ONE, 1), (-SINE_OF_ONE, -1):
        draws = np.array([[0, 0, 0, sine, 0]])
        np.testing.assert_array_equal(augment(x, draws), np.rot90(x, turns, axes=(2, 3)))


def test_a_mirrored_turn_is_the_mirror_image_of_a_turn():
    x = np.random.default_rng(0).normal(size=(1, 1, 9, 9)).astype(np.float32)
    turned, mirrored = np.array([[1, 2, 0, 9000, 1]]), np.array([[1, 2, 1, 9000, 1]])
    np.testing.assert_array_equal(augment(x, mirrored), augment(x, turned)[..., ::-1])


def test_an_edge_fills_what_comes_in_from_outside():
    x = np.arange(1, 7, dtype=np.float32).reshape(1, 1, 2, 3)
    np.testing.assert_array_equal(augment(x, np.array([[1, -1, 0, 0, 1]]))[0, 0], [[4, 4, 5], [4, 4, 5]])
    np.testing.assert_array_equal(augment(x, np.array([[-9, 9, 1, 0, 1]]))[0, 0], np.full((2, 3), 3))
    assert not Augmentation().draw(np.random.default_rng(0), 9)[:, 4].any()
    assert Augmentation(fill="edge").draw(np.random.default_rng(0), 9)[:, 4].all()
    with pytest.raises(InputError, match="zero or edge, not 'mirror'"):
        Augmentation(fill="mirror")


@pytest.mark.parametrize("turn", [-1, 91])
def test_a_turn_that_is_none(turn):
    with pytest.raises(InputError, match="turned by 0 to 90 degrees"):
        Augmentation(turn=turn)


def test_by_name():
    assert by_name("none") is None
    assert by_name("flip-crop") == Augmentation(pad=4, flip=True)
    assert by_name("flip-crop-turn") == Augmentation(pad=3, flip=True, turn=10, fill="edge")
    with pytest.raises(InputError, match=r"no augmentation is called 'flipcrop' \(did you mean 'flip-crop'\?"):
        by_name("flipcrop")


@pytest.mark.parametrize("pad", [-1, 1.5])
def test_a_padding_that_is_none(pad):
    with pytest.raises(InputError, match="whole number of pixels from 0"):
        Augmentation(pad)


@pytest.mark.parametrize(("shape", "draws"), [((2, 4), (2, 5)), ((2, 1, 4, 4), (3, 5)), ((2, 1, 4, 4), (2, 4))])
def test_shapes_that_do_not_fit(shape, draws):
    with pytest.raises(InputError, match=r"expected \(n, channels, height, width\) and \(n, 5\)"):
        augment(np.zeros(shape), np.zeros(draws, np.int64))


@pytest.mark.parametrize("count", [16, 5])
@pytest.mark.parametrize("turn", [0, 10, 90])
@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_the_gather_of_kernels_is_specified_alike(count, turn, fill):
    rng = np.random.default_rng(0)
    pixels = Pixels(rng.integers(0, 256, (9, 3, 8, 8), np.uint8), (0.5, 0.4, 0.3), (0.3, 0.2, 0.1))
    indices, draws = rng.integers(0, 9, count), Augmentation(turn=turn, fill=fill).draw(rng, count)
    found = gathered(pixels.pixels, indices, draws, pixels.mean, pixels.std)
    np.testing.assert_array_equal(found, augment(pixels[indices], draws))
