import zipfile

import numpy as np
import pytest

from tinyticket.data.npz import load_npz
from tinyticket.errors import InputError

X = np.linspace(0, 1, 60).reshape(20, 3)
Y = np.arange(20) % 4


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keras_keys(path, save):
    save(path, x_train=X, y_train=Y, x_test=X[:5], y_test=Y[:5], extra=np.array(["unread"], dtype=object))
    data = load_npz(path)
    assert (data.name, data.classes, data.sizes) == ("mine.npz", 4, {"train": 20, "test": 5})
    np.testing.assert_array_equal(data.x_test, X[:5].astype(np.float32))


@pytest.mark.parametrize("keys", [("x", "y"), ("x_train", "y_train")])
def test_without_a_test_part(path, keys):
    np.savez(path, **dict(zip(keys, (X, Y), strict=True)))
    assert load_npz(str(path)).sizes == {"train": 16, "test": 4}


@pytest.mark.parametrize("keys", [("x_train", "y"), ("x_test", "y_test"), ("images", "labels")])
def test_missing_keys(path, keys):
    np.savez(path, **dict(zip(keys, (X, Y), strict=True)))
    with pytest.raises(InputError, match=f"mine.npz holds the keys {keys[0]}, {keys[1]}; expected x_train and y_train"):
        load_npz(path)


def test_no_keys(path):
    zipfile.ZipFile(path, "w").close()
    with pytest.raises(InputError, match=r"holds the keys \(none\)"):
        load_npz(path)


def test_half_a_test_part(path):
    np.savez(path, x_train=X, y_train=Y, x_test=X)
    with pytest.raises(InputError, match=r"mine\.npz: x_test and y_test belong together"):
        load_npz(path)


def test_what_the_arrays_hold_is_checked(path):
    np.savez(path, x=X, y=Y[:7])
    with pytest.raises(InputError, match=r"mine.npz: .*20 examples but y_train 7 labels"):
        load_npz(path)


def test_missing_file(path):
    with pytest.raises(InputError, match=r"mine\.npz does not exist"):
        load_npz(path)


def test_a_folder(path):
    path.mkdir()
    with pytest.raises(InputError, match=r"mine\.npz cannot be read: Is a directory"):
        load_npz(path)


def test_truncated(path):
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    for length in 2, 100, len(whole) - 30:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"mine\.npz is truncated"):
            load_npz(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY\x01\x00", b"\x80\x04K\x01."])
def test_something_else(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.npz is not an .npz file"):
        load_npz(path)


def test_pickled_objects(path):
    np.savez(path, x=X.astype(object), y=Y)
    with pytest.raises(InputError, match=r"mine\.npz holds pickled Python objects under x"):
        load_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_in_the_middle(path, save):
    save(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[250:300] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.npz is damaged"):
        load_npz(path)


def test_an_array_cut_short_inside_a_sound_zip(path):
    np.savez(path, x=X, y=Y)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", members["x.npy"][:-8])
        file.writestr("y.npy", members["y.npy"])
    with pytest.raises(InputError, match=r"mine\.npz is damaged: x is no array"):
        load_npz(path)


def test_a_member_that_is_no_array(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", "hello")
        file.writestr("y", "hello")
    with pytest.raises(InputError, match=r"mine\.npz is damaged: x is no array"):
        load_npz(path)
