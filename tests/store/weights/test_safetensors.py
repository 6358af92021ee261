"""Safetensors files."""

import json

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.store.weights.safetensors import DTYPES, read_safetensors, to_safetensors


def arrays():
    rng = np.random.default_rng(0)
    found = {name: rng.integers(0, 2, (2, 3)).astype(dtype) for name, dtype in DTYPES.items()}
    return found | {"empty": np.zeros((0, 4), np.float32), "one": np.array(1.5, np.float32)}


def test_what_is_written_is_read(tmp_path):
    (path := tmp_path / "x.safetensors").write_bytes(content := to_safetensors(arrays(), {"writer": "a test"}))
    found = read_safetensors(path)
    assert found.keys() == arrays().keys()
    for name, value in arrays().items():
        assert (found[name].dtype, found[name].tolist()) == (value.dtype, value.tolist())
    assert int.from_bytes(content[:8], "little") % 8 == 0


@pytest.mark.extra
def test_its_own_package_reads_and_writes_the_same(tmp_path):
    own = pytest.importorskip("safetensors.numpy", reason="comparing needs it: pip install 'tinyticket[export]'")
    path = tmp_path / "x.safetensors"
    path.write_bytes(to_safetensors(arrays(), {}))
    assert all(np.array_equal(value, arrays()[name]) for name, value in own.load_file(path).items())
    own.save_file(arrays(), path)
    assert all(np.array_equal(value, arrays()[name]) for name, value in read_safetensors(path).items())


def entry(first=0, end=8, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [first, end]}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"a": entry(shape=(3,))}, r"a of shape \(3,\) does not lie where its bytes are"),
        ({"a": entry(), "b": entry()}, "b of shape"),  # bytes that would count twice
        ({"a": entry(0, 1 << 40, (1 << 38,))}, "a of shape"),
        ({"a": entry(shape=(-2,))}, "it does not say which shape a has"),
        ({"a": entry(shape=(1e300,))}, "it does not say which shape a has"),
        ({"a": entry(shape=(1,) * 70 + (2,))}, "it does not say which shape a has"),
        ({"a": 5}, "it does not say which shape a has"),
        ({"a": entry(dtype="C64")}, "a holds C64, not one of F16, F32"),
        ([], "its header is no table of names"),
    ],
)
def test_headers_that_do_not_say_what_is_there(header, says, tmp_path):
    raw = json.dumps(header).encode()
    (path := tmp_path / "x.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(8))
    with pytest.raises(InputError, match=rf"x\.safetensors is damaged: {says}.*; expected a safetensors file"):
        read_safetensors(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a safetensors file, or is truncated"),
        (b"\xff" * 20, "is not a safetensors file, or is truncated"),
        (b'\5\0\0\0\0\0\0\0{"a":', "its header is no JSON"),
        (b"\x10\x27\0\0\0\0\0\0" + b"[" * 10_000, "its header is no JSON"),
    ],
)
def test_what_is_no_header(content, says, tmp_path):
    (path := tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_safetensors(path)


def test_a_truncated_file(tmp_path):
    (path := tmp_path / "x.safetensors").write_bytes(to_safetensors(arrays(), {})[:-3])
    with pytest.raises(InputError, match="does not lie where its bytes are"):
        read_safetensors(path)
