import numpy as np
import pytest

from tinyticket.data import Dataset, Pixels
from tinyticket.data.pixels import select
from tinyticket.errors import InputError

MEAN, STD = (0.5, 0.25), (0.5, 2.0)
BYTES = np.arange(2 * 2 * 8 * 16, dtype=np.uint8).reshape(2, 2, 8, 16)


@pytest.fixture
def pixels():
    return Pixels(BYTES, MEAN, STD)


def exact(values):
    return (values / 255 - np.reshape(MEAN, (2, 1, 1))) / np.reshape(STD, (2, 1, 1))


@pytest.mark.parametrize(
    "which", [0, -1, slice(None), slice(1, 2), [1, 0, 1], np.array([], int), np.array([True, False])]
)
def test_indexing_is_that_of_a_float32_array(pixels, which):
    x = pixels[which]
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    np.testing.assert_allclose(x, exact(BYTES[which]), atol=1e-6)
    np.testing.assert_array_equal(x, np.asarray(pixels)[which])


def test_every_step_is_rounded_to_float32(pixels):
    values = BYTES.astype(np.float32) / np.float32(255)
    values = (values - np.float32(MEAN).reshape(2, 1, 1)) / np.float32(STD).reshape(2, 1, 1)
    np.testing.assert_array_equal(pixels[:], values)


def test_it_looks_like_an_array(pixels):
    assert (pixels.shape, pixels.ndim, len(pixels), pixels.dtype) == ((2, 2, 8, 16), 4, 2, np.float32)
    assert pixels.nbytes == BYTES.nbytes
    assert np.asarray(pixels).dtype == np.float32
    assert np.asarray(pixels, np.float64).dtype == np.float64
    assert [x.shape for x in pixels] == [(2, 8, 16)] * 2
    assert "Pixels((2, 2, 8, 16), mean [0.5, 0.25]" in repr(pixels)


def test_indexing_changes_nothing_that_is_kept(pixels):
    before = BYTES.copy()
    pixels[:][...] = 7
    np.testing.assert_array_equal(BYTES, before)


def test_a_part_of_an_image_is_asked_for_in_two_steps(pixels):
    with pytest.raises(IndexError, match="indexed by image alone"):
        pixels[0, 1]
    with pytest.raises(ValueError, match="copies"):
        np.asarray(pixels, copy=False)


def test_a_selection_stays_bytes(pixels):
    chosen = select(pixels, np.array([1]))
    assert isinstance(chosen, Pixels)
    np.testing.assert_array_equal(chosen.pixels, BYTES[1:])
    np.testing.assert_array_equal(select(np.arange(4), [2, 1]), [2, 1])


@pytest.mark.parametrize(
    ("array", "mean", "std", "words"),
    [
        (BYTES.astype(np.float32), MEAN, STD, "expected C-contiguous uint8"),
        (BYTES[0], MEAN, STD, "expected C-contiguous uint8"),
        (BYTES.swapaxes(2, 3), MEAN, STD, "expected C-contiguous uint8"),
        (BYTES, (0.5,), STD, "do not go with 2 channels"),
        (BYTES, MEAN, (1, 0), "std above 0"),
    ],
)
def test_what_is_refused(array, mean, std, words):
    with pytest.raises(InputError, match=words):
        Pixels(array, mean, std)


def test_a_data_set_of_pixels_and_its_fingerprints(pixels):
    y = np.zeros(2, np.int64)
    prints = {}
    for name, x in {
        "same": pixels,
        "again": Pixels(BYTES.copy(), MEAN, STD),
        "bytes": Pixels(BYTES ^ 1, MEAN, STD),
        "mean": Pixels(BYTES, (0.5, 0.5), STD),
        "floats": np.asarray(pixels),
    }.items():
        prints[name] = Dataset("toy", x, y, x, y, 2).fingerprints()["x_train"]
    assert prints["same"] == prints["again"]
    assert len(set(prints.values())) == 4


def test_the_fingerprint_follows_the_documented_recipe(pixels):
    import hashlib

    y = np.zeros(2, np.int64)
    line = b"|u1 (2, 2, 8, 16) mean [0.5, 0.25] std [0.5, 2.0]\n"
    expected = hashlib.sha256(line + BYTES.tobytes()).hexdigest()
    assert Dataset("toy", pixels, y, pixels, y, 2).fingerprints()["x_test"] == f"sha256:{expected}"
