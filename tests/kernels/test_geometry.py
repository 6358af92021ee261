"""The geometry of packed images: borders, windows, and the way there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.kernels.cpu import Images, pack_images, unpack_images
from tinyticket.kernels.geometry import Image, gradient_border, make_window, origin, plane, room, row


@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2))
def test_packing_and_back(samples, channels, height, width, border):
    x = np.random.default_rng(0).standard_normal((samples, channels, height, width), np.float32)
    packed = pack_images(x, border)
    np.testing.assert_array_equal(unpack_images(packed, samples), x)
    image = packed.geometry
    assert image == Image(channels, height, width, border)
    flat, tile_size = packed.array.reshape(-1), channels * plane(image)
    n, c, h, w = samples - 1, channels - 1, height - 1, width - 1
    place = origin(image) + n // 16 * tile_size + c * plane(image) + h * row(image) + w * 16 + n % 16
    assert flat[place] == x[n, c, h, w]
    assert packed.interior[0] == x[0, 0, 0, 0]
    np.testing.assert_allclose(flat.sum(dtype=np.float64), x.sum(dtype=np.float64), atol=1e-4)  # zeros elsewhere
    assert flat.ctypes.data % 64 == 0


def test_a_window_knows_both_images():
    x, y = Image(3, 9, 8, 2), Image(5, 5, 4, 1)
    window = make_window(4, x, y, (3, 3), stride=2, padding=1)
    assert window[:11] == (4, 3, 5, 5, 4, 9, 8, 3, 3, 2, 1)
    assert (window.x_row, window.x_plane, window.y_row, window.y_plane) == (12 * 16, 13 * 12 * 16, 6 * 16, 7 * 6 * 16)


@pytest.mark.parametrize(
    ("x", "y", "kernel", "stride", "padding", "words"),
    [
        (Image(3, 8, 8, 0), Image(5, 8, 8, 0), (3, 3), 1, 1, "padding 1 is wider than the border"),
        (Image(3, 8, 8, 1), Image(5, 7, 8, 0), (3, 3), 1, 1, "make 8 by 8 pixels"),
        (Image(3, 2, 8, 0), Image(5, 0, 6, 0), (3, 3), 1, 0, "does not exist"),
        (Image(3, 8, 8, 0), Image(5, 8, 8, 0), (1, 1), 0, 0, "does not exist"),
    ],
)
def test_impossible_windows_are_refused(x, y, kernel, stride, padding, words):
    with pytest.raises(InputError, match=words):
        make_window(1, x, y, kernel, stride, padding)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2))
def test_the_gradient_finds_all_that_it_reads(size, kernel, stride, padding):
    outputs = (size + 2 * padding - kernel) // stride + 1
    if outputs < 1:
        return
    reads = [(h + padding - k) // stride for h in range(size) for k in range(kernel) if (h + padding - k) % stride == 0]
    border = gradient_border(size, kernel, stride, padding)
    assert all(-border <= place < outputs + border for place in reads)


def test_shapes_are_checked():
    with pytest.raises(InputError, match="must have the shape"):
        pack_images(np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"packed as \(tiles, channels, rows, columns, 16\)"):
        Images(np.zeros((1, 2, 3, 3, 8)))
    with pytest.raises(InputError, match=r"packed as \(tiles, channels, rows, columns, 16\)"):
        Images(np.zeros((2, 3, 3, 16)))
    with pytest.raises(InputError, match="must be packed"):
        Images(np.zeros((1, 0, 3, 3, 16)))
    with pytest.raises(InputError, match="no room for a border of 2"):
        Images(np.zeros((1, 2, 4, 4, 16)), 2)
    with pytest.raises(InputError, match="border must be a whole number from 0 on, not -1"):
        Images(np.zeros((1, 2, 4, 4, 16)), -1)


def test_images_take_an_array_as_it_is_if_they_can():
    array = np.zeros((1, 2, 4, 4, 16), np.float32)
    assert Images(array).array is array
    assert Images(array.astype(np.float64)).array.dtype == np.float32
    assert Images(array[:, ::-1]).array.flags.c_contiguous


def test_neighbours_may_share_their_border():
    image = Image(5, 8, 6, 2, shared=1)
    assert (row(image), plane(image)) == (8 * 16, 10 * 8 * 16)
    assert origin(image) == 2 * row(image) + 2 * 16
    last = origin(image) + (3 * 5 - 1) * plane(image) + (8 + 1) * row(image) + (6 + 1) * 16
    assert room(image, 3) >= last + 16, "the border of the last image"
    assert room(image._replace(shared=0), 3) == 3 * 5 * 12 * 10 * 16
