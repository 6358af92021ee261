import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tinyticket.data.idx import IMAGES, LABELS, read_idx
from tinyticket.errors import InputError

from .strangers import memory_below, zeros_gz
from .writers import TYPE_BYTES, idx_bytes

FILE = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))

arrays = st.sampled_from(sorted(TYPE_BYTES)).flatmap(
    lambda code: st_numpy.arrays(np.dtype(code), st_numpy.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "some-idx3-ubyte"


@given(array=arrays, zipped=st.booleans())
def test_round_trip(path, array, zipped):
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


@given(length=st.integers(0, len(FILE) - 1))
def test_every_truncation_is_noticed(path, length):
    path.write_bytes(FILE[:length])
    with pytest.raises(InputError, match="is truncated"):
        read_idx(path, IMAGES)


def test_truncation_says_how_many_bytes(path):
    path.write_bytes(FILE[:30])
    with pytest.raises(InputError, match=r"some-idx3-ubyte is truncated: 40 bytes expected .* 30 found"):
        read_idx(path)


def test_a_header_that_announces_more_than_memory(path):
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12)
    with pytest.raises(InputError, match="is truncated"):
        read_idx(path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dimensions", [65, 255])
def test_more_dimensions_than_an_array_has(path, dimensions, zipped):
    content = bytes([0, 0, 8, dimensions]) + b"\0\0\0\1" * dimensions + b"x"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(InputError, match=f"announces an array of {dimensions} dimensions; expected at most 64"):
        read_idx(path)


def test_no_examples_of_a_size_beyond_memory(path):
    path.write_bytes(bytes([0, 0, 8, 4]) + bytes(4) + b"\xff" * 12)
    with pytest.raises(InputError, match=r"announces an array of shape \(0, 4294967295, 4294967295, 4294967295\)"):
        read_idx(path)


@pytest.mark.parametrize("shape", [(3, 4), (1 << 18, 16, 16), (1 << 20, 16, 16), (65535, 65535, 65535)])
def test_zeros_are_not_unpacked(path, shape):
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    path.write_bytes(zeros_gz(header, 128 << 20))
    with memory_below(80 << 20), pytest.raises(InputError, match=r"has trailing bytes|unpacks to"):
        read_idx(path, most=1 << 26)


@pytest.mark.parametrize("code", ["u1", "i4", "f8"])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_array_is_in_memory_once(path, code, zipped):
    content = idx_bytes(np.arange(1 << 20).astype(code))
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    with memory_below(1.1 * len(content) + (4 << 20)):
        read_idx(path)


def test_trailing_bytes(path):
    path.write_bytes(FILE + b"12")
    with pytest.raises(InputError, match=r"has trailing bytes: 40 bytes expected .* 42 found"):
        read_idx(path)


def test_another_magic_number(path):
    path.write_bytes(FILE)
    assert read_idx(path, IMAGES).shape == (2, 3, 4)
    with pytest.raises(InputError, match=r"magic number 0x00000803 \(2051\); expected 0x00000801 \(2049\)"):
        read_idx(path, LABELS)


@pytest.mark.parametrize("magic", [b"\x00\x01\x08\x01", b"\x00\x00\x0a\x01", b"\x00\x00\x08\x00", b"<htm"])
def test_no_magic_number(path, magic):
    path.write_bytes(magic + bytes(100))
    with pytest.raises(InputError, match=f"magic number 0x{magic.hex()}; expected 0x0000TTDD"):
        read_idx(path)


@pytest.mark.parametrize(
    "spoil", [lambda z: z[:-9], lambda z: z[:5], lambda z: z[:30] + b"\xff" * 9, lambda z: z + b"!"]
)
def test_broken_gzip(path, spoil):
    path.write_bytes(spoil(gzip.compress(FILE)))
    with pytest.raises(InputError, match="some-idx3-ubyte is a broken gzip file"):
        read_idx(path)


def test_wrong_checksum_in_gzip(path):
    zipped = bytearray(gzip.compress(FILE))
    zipped[-6] ^= 1
    path.write_bytes(zipped)
    with pytest.raises(InputError, match="broken gzip"):
        read_idx(path)


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(InputError, match="none does not exist"):
        read_idx(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_idx(tmp_path)
