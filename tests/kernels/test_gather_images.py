"""Gathering image batches against its specification, bit for bit: bytes, normalisation, crops beyond every edge, mirrors, tails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.images import borders, channels, chunked, gathered, generators, quick, samples
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu import pack_images
from tinyticket.kernels.geometry import SINE_OF_ONE

pytestmark = pytest.mark.usefixtures("_chunks")
sizes = st.tuples(st.sampled_from([1, 2, 5, 8]), st.sampled_from([1, 3, 8, 15, 16, 17, 28, 32, 40]))


@quick
@given(generators, samples, channels, sizes, borders, *[st.booleans()] * 3)
def test_gather_images(rng, count, depth, size, border, bytes_, normalised, augmented):
    pixels = rng.integers(0, 256, (9, depth, *size), dtype=np.uint8)
    data, options = pixels if bytes_ else rng.standard_normal(pixels.shape).astype(np.float32), {}
    if bytes_ and normalised:
        options |= {"mean": rng.random(depth).astype(np.float32), "std": rng.random(depth).astype(np.float32)}
    if augmented:
        pad = rng.integers(0, 45)  # sometimes all of the image is left behind
        shifts = rng.integers(-pad, pad + 1, (2, count))
        sines = rng.integers(-SINE_OF_ONE, SINE_OF_ONE + 1, count) * rng.integers(0, 2)
        edges = rng.integers(0, 2, count) * rng.integers(0, 2)
        options |= {"draws": np.stack([*shifts, rng.integers(0, 2, count), sines, edges], axis=1)}
    indices = rng.integers(0, len(data), count)
    x = chunked(cpu.gather_images, data, indices, border=border, **options)
    assert x.border == border
    np.testing.assert_array_equal(x.array, pack_images(gathered(data, indices, **options), border).array)


def test_every_pixel_is_what_numpy_computes():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(3, axis=1)
    mean, std = np.float32([0.4914, 0.4822, 0.4465]), np.float32([0.2470, 0.2435, 0.2616])
    for options in ({}, {"mean": mean, "std": std}):
        x = cpu.gather_images(pixels, np.zeros(1, np.int64), **options)
        expected = pixels[0].astype(np.float32) / np.float32(255)
        if options:
            expected = (expected - mean[:, None, None]) / std[:, None, None]
        np.testing.assert_array_equal(x.array[0, ..., 0].view(np.uint32), expected.view(np.uint32))


def test_a_crop_is_taken_before_the_mirror():
    data = np.arange(1, 7, dtype=np.float32).reshape(1, 1, 2, 3)
    x = cpu.gather_images(data, [0, 0, 0], draws=[(0, 1, 0, 0, 0), (0, 1, 1, 0, 0), (1, -1, 0, 0, 0)]).array
    np.testing.assert_array_equal(x[0, 0, ..., 0], [[2, 3, 0], [5, 6, 0]])
    np.testing.assert_array_equal(x[0, 0, ..., 1], [[0, 3, 2], [0, 6, 5]])
    np.testing.assert_array_equal(x[0, 0, ..., 2], [[0, 4, 5], [0, 0, 0]])


def test_the_last_image_of_a_file_is_read_to_its_end_and_no_further(tmp_path):
    """A memory map that ends on the last byte of its last page: reading beyond would end the process."""
    page = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=(4096,))
    page[:] = 255
    page.flush()
    draws = [(4, 4, 0, 0, 0), (-4, -4, 1, 0, 0)] * 8
    for mode in ("r+", "r"):
        images = np.memmap(tmp_path / "pixels", np.uint8, mode, shape=(4, 1, 32, 32))
        assert cpu.gather_images(images, [3] * 16, draws=draws).array.max() == 1
        turned = [(*draw[:3], 3000, 1) for draw in draws]
        assert cpu.gather_images(images, [3] * 16, draws=turned).array.max() == 1


def test_bad_arguments_are_refused():
    data = np.zeros((4, 1, 3, 3), np.float32)
    with pytest.raises(InputError, match="data must be"):
        cpu.gather_images(data[0], [0])
    with pytest.raises(InputError, match="from 0 to 3, not 1 to 4"):
        cpu.gather_images(data, [1, 4])
    with pytest.raises(InputError, match=r"integers of \(2, 5\)"):
        cpu.gather_images(data, [1, 2], draws=np.zeros((2, 4), int))
    with pytest.raises(InputError, match="applied to pixels"):
        cpu.gather_images(data, [1], mean=np.zeros(1))
    with pytest.raises(InputError, match="std has shape"):
        cpu.gather_images(data.astype(np.uint8), [1], std=np.zeros(2))
