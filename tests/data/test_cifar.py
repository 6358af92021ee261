import hashlib

import numpy as np
import pytest

import tinyticket.data as data
from tinyticket.data import cifar
from tinyticket.data.archive import read_members
from tinyticket.data.cifar import CIFAR10, CIFAR10_FILES, CIFAR100, CIFAR100_FILES
from tinyticket.errors import InputError

from .cifar_files import batch, binary, like_python_2, pickled, tar_gz, write_archive, write_folder
from .strangers import not_a_file

VERSIONS = [  # name, archive, folder, how to make its files
    ("cifar10", "cifar-10-binary.tar.gz", "cifar-10-batches-bin", binary),
    ("cifar10", "cifar-10-python.tar.gz", "cifar-10-batches-py", pickled),
    ("cifar100", "cifar-100-binary.tar.gz", "cifar-100-binary", binary),
    ("cifar100", "cifar-100-python.tar.gz", "cifar-100-python", pickled),
]
BIN = "cifar-10-batches-bin"


@pytest.mark.parametrize("unpacked", [True, False])
@pytest.mark.parametrize(("name", "archive", "folder", "make"), VERSIONS)
def test_every_version_holds_the_same(name, archive, folder, make, unpacked, tmp_path):
    place = tmp_path / name
    path = (
        write_folder(place, folder, make(folder)) if unpacked else write_archive(place, archive, folder, make(folder))
    )
    assert path.exists()
    found = data.load(name, tmp_path)
    ten = name == "cifar10"
    parts = [batch(4, seed, 10 if ten else 100) for seed in (range(6) if ten else (98, 50))]
    train = np.concatenate([x for x, _, _ in parts[:-1]]).reshape(-1, 3, 32, 32)
    assert (found.name, found.classes, found.input_shape) == (name, 10 if ten else 100, (3, 32, 32))
    np.testing.assert_array_equal(found.x_train.pixels, train)
    np.testing.assert_array_equal(found.x_test.pixels, parts[-1][0].reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(found.y_train, np.concatenate([y for _, y, _ in parts[:-1]]))
    np.testing.assert_array_equal(found.y_test, parts[-1][1])
    assert found.x_train[:2].dtype == np.float32


@pytest.mark.parametrize("make", [binary, pickled])
def test_the_coarse_labels_of_cifar100_are_a_data_set_of_their_own(make, tmp_path):
    folder = "cifar-100-binary" if make is binary else "cifar-100-python"
    write_folder(tmp_path / "cifar100", folder, make(folder))
    found = data.load("cifar100-coarse", tmp_path)
    assert (found.name, found.classes) == ("cifar100-coarse", 20)
    np.testing.assert_array_equal(found.y_train, batch(4, 98, 100)[2])
    assert data.path("cifar100-coarse", tmp_path) == tmp_path / "cifar100"


def test_the_binary_version_is_taken_before_the_pickled_one(tmp_path):
    place = tmp_path / "cifar10"
    write_folder(place, "cifar-10-batches-py", dict.fromkeys(pickled("cifar-10-batches-py"), b""))
    write_archive(place, "cifar-10-binary.tar.gz", BIN, binary(BIN))
    assert data.load("cifar10", tmp_path).sizes == {"train": 20, "test": 4}


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cifar10: cifar-10-binary\.tar\.gz not found .*data fetch cifar10"):
        data.load("cifar10", tmp_path)
    with pytest.raises(InputError, match=r"`tinyticket data fetch cifar100`"):
        data.load("cifar100-coarse", tmp_path)
    files = binary(BIN)
    del files["data_batch_3.bin"]
    write_folder(tmp_path / "cifar10", BIN, files)
    with pytest.raises(InputError, match=r"cifar10: cifar-10-batches-bin/data_batch_3\.bin not found"):
        data.load("cifar10", tmp_path)
    write_archive(tmp_path / "cifar10", "cifar-10-binary.tar.gz", BIN, binary(BIN))  # a whole one is enough
    assert data.load("cifar10", tmp_path).sizes["train"] == 20


def test_an_archive_without_a_file(tmp_path):
    files = binary(BIN)
    del files["test_batch.bin"]
    path = write_archive(tmp_path / "cifar10", "cifar-10-binary.tar.gz", BIN, files)
    with pytest.raises(InputError, match=rf"{path} does not hold test_batch\.bin"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, "half", "flipped"])
def test_an_archive_that_is_truncated_or_damaged(content, tmp_path):
    whole = tar_gz(BIN, binary(BIN))
    if content == "half":
        content = whole[: len(whole) // 2]
    elif content == "flipped":
        content = whole[:5000] + bytes(byte ^ 255 for byte in whole[5000:5100]) + whole[5100:]
    (tmp_path / "cifar10").mkdir()
    path = tmp_path / "cifar10" / "cifar-10-binary.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path} is truncated or damaged"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("size", [0, 1, 3072, 2 * 3073 - 1])
def test_a_file_that_is_no_whole_number_of_records(size, tmp_path):
    files = binary(BIN) | {"data_batch_2.bin": bytes(size)}
    folder = write_folder(tmp_path / "cifar10", BIN, files)
    with pytest.raises(InputError, match=rf"{folder}/data_batch_2\.bin has {size} bytes; .*records of 3073"):
        data.load("cifar10", tmp_path)


def test_a_label_out_of_range(tmp_path):
    files = binary(BIN)
    record = bytearray(files["test_batch.bin"])
    record[3073] = 10
    folder = write_folder(tmp_path / "cifar10", BIN, files | {"test_batch.bin": bytes(record)})
    with pytest.raises(InputError, match=rf"{folder}/test_batch\.bin has the label 10 at image 1; expected 0 to 9"):
        data.load("cifar10", tmp_path)


X = np.zeros((2, 3072), np.uint8)
ENDLESS = (
    like_python_2({b"data": X})[:-1] + b"U\6labelsh\xf0s."
)  # labels that were kept: two that are two that are two ...


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (like_python_2({b"data": X}), "holds no labels"),
        (like_python_2([1, 2]), "holds no data"),
        (like_python_2({b"data": X[:, 1:], b"labels": [1, 2]}), r"images as uint8 \(2, 3071\)"),
        (like_python_2({b"data": [1, 2], b"labels": [1, 2]}), "images as list"),
        (like_python_2({b"data": X, b"labels": [1]}), "2 images, but its labels are not as many whole numbers"),
        (like_python_2({b"data": X, b"labels": [1, 2.5]}), "not as many whole numbers"),
        (like_python_2({b"data": X, b"labels": [1, [2]]}), "not as many whole numbers"),
        (like_python_2({b"data": X, b"labels": [1, -1]}), "the label -1 at image 1"),
        (like_python_2({b"data": X, b"labels": [1, 2]})[:-100], "is truncated or damaged"),
        (b"", "is truncated or damaged"),
        (like_python_2({b"data": X, b"labels": ([1], 2)}), "not as many whole numbers"),
        (like_python_2({b"data": X, b"labels": [10**30, 2]}), "not as many whole numbers"),
        (b")q\xf0" + b"h\xf0h\xf0\x86q\xf0" * 60 + ENDLESS, "not as many whole numbers"),
        (b"]q\xf0" + b"]q\xf1(h\xf0h\xf0eh\xf1q\xf0" * 60 + ENDLESS, "not as many whole numbers"),
    ],
)
def test_a_pickled_batch_of_another_layout(content, words, tmp_path):
    folder = "cifar-10-batches-py"
    path = write_folder(tmp_path / "cifar10", folder, pickled(folder) | {"data_batch_4": content})
    with pytest.raises(InputError, match=rf"{path}/data_batch_4 .*{words}"):
        data.load("cifar10", tmp_path)


def test_more_than_was_published(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "MOST", 10 * 3073)
    folder = write_folder(tmp_path / "cifar10", BIN, binary(BIN))
    with pytest.raises(InputError, match=rf"{folder}/data_batch_3.bin holds more than 6146 bytes"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("kind", ["fifo", "symlink", "socket", "device"])
def test_a_file_that_is_none(kind, tmp_path):
    folder = write_folder(tmp_path / "cifar10", BIN, binary(BIN))
    (folder / "data_batch_2.bin").unlink()
    not_a_file(folder / "data_batch_2.bin", kind)
    with pytest.raises(InputError, match=r"data_batch_2\.bin not found"):
        data.load("cifar10", tmp_path)
    with pytest.raises(InputError, match=r"data_batch_2\.bin cannot be read: it is a pipe, a device or a socket"):
        list(read_members(folder, ("data_batch_2.bin",), 1 << 20))


def test_numbers_from_0_to_255_become_the_documented_ones(tmp_path):
    write_folder(tmp_path / "cifar10", BIN, binary(BIN))
    found = data.load("cifar10", tmp_path)
    exact = (found.x_test.pixels / 255 - np.reshape(CIFAR10.mean, (3, 1, 1))) / np.reshape(CIFAR10.std, (3, 1, 1))
    np.testing.assert_allclose(found.x_test[:], exact, atol=1e-6)


@pytest.mark.parametrize("known", [CIFAR10, CIFAR100])
def test_the_tables_are_well_formed(known):
    for file in known.publication.files:
        assert len(bytes.fromhex(file.sha256)) == hashlib.sha256().digest_size
        assert file.name == file.versions[0].archive
    assert all(mirror.startswith("https") for mirror in known.publication.mirrors)
    assert CIFAR10_FILES.sha256 != CIFAR100_FILES.sha256


@pytest.mark.data
def test_the_real_one(mnist_folder):
    if not (mnist_folder / "cifar10").is_dir():
        pytest.skip("needs the real CIFAR-10: TINYTICKET_DATA names a folder without cifar10/")
    found = data.load("cifar10", mnist_folder)
    assert found.sizes == {"train": 50000, "test": 10000}
    assert np.bincount(found.y_train).tolist() == [5000] * 10
    pixels = found.x_train.pixels / np.float32(255)
    np.testing.assert_allclose(pixels.mean((0, 2, 3), dtype=float), CIFAR10.mean, atol=2e-3)
    np.testing.assert_allclose(pixels.std((0, 2, 3), dtype=float), CIFAR10.std, atol=2e-3)
